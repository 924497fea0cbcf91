// Memory that was released, kept for the next request of its size: which, how much, and by threads.
#include "kept_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/buffer.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kLeast = KeptMemory::kLeastBlock, kMost = KeptMemory::kMost;

/// What a `KeptMemory` released, in order.
struct Released {
    std::vector<void*> blocks;
    void operator()(void* block) { blocks.push_back(block); }
};

/// Gives the `count` first elements of `blocks`, whose addresses stand for blocks of `bytes`.
std::vector<void*> give_all(KeptMemory& kept, std::vector<char>& blocks, std::size_t bytes) {
    Released released;
    for (char& block : blocks) kept.give(&block, bytes, [&](void* one) { released(one); });
    return released.blocks;
}

void test_the_last_of_the_same_size() {
    KeptMemory kept;
    std::vector<char> blocks(3), other(1);
    CHECK(kept.take(kLeast) == nullptr);
    CHECK(give_all(kept, blocks, kLeast).empty());
    CHECK(give_all(kept, other, kLeast + 64).empty());
    CHECK(kept.take(kLeast + 1) == nullptr);
    CHECK(kept.take(kLeast) == &blocks[2]);
    CHECK(kept.take(kLeast) == &blocks[1]);
    CHECK(kept.take(kLeast + 64) == &other[0]);
    CHECK(kept.take(kLeast) == &blocks[0]);
    CHECK(kept.take(kLeast) == nullptr);
}

void test_small_and_large_blocks_are_released() {
    KeptMemory kept;
    std::vector<char> block(1);
    for (const std::size_t bytes : {std::size_t{1}, kLeast - 1, kMost + 1}) {
        CHECK(give_all(kept, block, bytes) == std::vector<void*>{&block[0]});
        CHECK(kept.take(bytes) == nullptr);
    }
}

void test_the_oldest_make_room() {
    KeptMemory kept;
    std::vector<char> blocks(4), more(1), whole(1);
    CHECK(give_all(kept, blocks, kMost / 4).empty());
    CHECK(give_all(kept, more, kMost / 2) == (std::vector<void*>{&blocks[0], &blocks[1]}));
    CHECK(give_all(kept, whole, kMost) == (std::vector<void*>{&blocks[2], &blocks[3], &more[0]}));
    CHECK(kept.take(kMost) == &whole[0]);
}

void test_the_number_of_blocks_is_limited() {
    KeptMemory kept;
    std::vector<char> blocks(kMost / kLeast);
    const std::vector<void*> released = give_all(kept, blocks, kLeast);
    CHECK(released.size() == blocks.size() - 64 && released.front() == &blocks[0]);
    std::size_t taken = 0;
    while (kept.take(kLeast) != nullptr) ++taken;
    CHECK(taken + released.size() == blocks.size());
}

/// Every block is at one place at a time: nobody else writes to it while it is taken.
void test_threads() {
    constexpr int kThreads = 4, kTurns = 20'000;
    KeptMemory kept;
    std::vector<std::size_t> wrong(kThreads);
    const auto work = [&](std::size_t mine) {
        const auto release = [](void* block) { delete static_cast<std::size_t*>(block); };
        for (int turn = 0; turn < kTurns; ++turn) {
            const std::size_t bytes = kLeast + static_cast<std::size_t>(turn) % 3;
            auto* block = static_cast<std::size_t*>(kept.take(bytes));
            if (block == nullptr) block = new std::size_t(bytes);
            wrong[mine] += *block != bytes ? 1 : 0;
            *block = mine;
            wrong[mine] += *block != mine ? 1 : 0;
            *block = bytes;
            kept.give(block, bytes, release);
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
    CHECK(std::count(wrong.begin(), wrong.end(), 0U) == kThreads);
    for (const std::size_t bytes : {kLeast, kLeast + 1, kLeast + 2}) {
        while (auto* block = static_cast<std::size_t*>(kept.take(bytes))) delete block;
    }
}

void test_buffers_are_zero() {
    for (const std::size_t size : {kLeast / sizeof(float), kMost / sizeof(float) / 2}) {
        for (int turn = 0; turn < 3; ++turn) {
            Buffer<float> buffer(size);
            const auto is_zero = [](float value) { return value == 0; };
            CHECK(std::all_of(buffer.data(), buffer.data() + size + buffer.kSlack, is_zero));
            std::fill(buffer.begin(), buffer.end(), 7.F);
        }
    }
}

}  // namespace

int main() {
    test_the_last_of_the_same_size();
    test_small_and_large_blocks_are_released();
    test_the_oldest_make_room();
    test_the_number_of_blocks_is_limited();
    test_threads();
    test_buffers_are_zero();
    return check::report();
}
