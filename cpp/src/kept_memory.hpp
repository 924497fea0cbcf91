/// Memory that was released, kept for the next request of the same size.
///
/// The C library returns what a training used to the system, and the next training then waits while
/// the system clears each of its pages (20-64-64-2, batch 65,536, epochs of 20 ms: 3 % of them).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

namespace fastmlp {

/// The blocks that were released last, of at most `kMost` bytes together. Any thread may call; one
/// that finds another at work does without, so that no thread waits for a lock, and neither does
/// the child of a fork, where another thread may have been at work.
class KeptMemory {
public:
    static constexpr std::size_t kMost = std::size_t{1} << 23;
    /// Smaller blocks share their pages with others.
    static constexpr std::size_t kLeastBlock = std::size_t{1} << 15;

    constexpr KeptMemory() = default;
    KeptMemory(const KeptMemory&) = delete;
    KeptMemory& operator=(const KeptMemory&) = delete;

    /// A block of exactly `bytes` that was kept, with any content; null if there is none.
    void* take(std::size_t bytes) noexcept {
        if (!serves(bytes) || busy_.exchange(true, std::memory_order_acquire)) return nullptr;
        // From the last on: that one is most likely in the cache.
        std::size_t i = count_;
        while (i > 0 && blocks_[i - 1].bytes != bytes) --i;
        void* const found = i > 0 ? remove(i - 1) : nullptr;
        busy_.store(false, std::memory_order_release);
        return found;
    }

    /// Keeps `memory`, which has `bytes`, and releases what is too much by `release(memory)`.
    template <class Release>
    void give(void* memory, std::size_t bytes, Release release) noexcept {
        if (!serves(bytes) || busy_.exchange(true, std::memory_order_acquire)) {
            release(memory);
            return;
        }
        while (count_ == blocks_.size() || bytes_ + bytes > kMost) release(remove(0));
        blocks_[count_++] = {memory, bytes};
        bytes_ += bytes;
        busy_.store(false, std::memory_order_release);
    }

private:
    struct Block {
        void* memory = nullptr;
        std::size_t bytes = 0;
    };

    static bool serves(std::size_t bytes) { return bytes >= kLeastBlock && bytes <= kMost; }

    void* remove(std::size_t index) noexcept {
        const Block block = blocks_[index];
        Block* const first = blocks_.data();
        std::copy(first + index + 1, first + count_, first + index);
        --count_;
        bytes_ -= block.bytes;
        return block.memory;
    }

    std::array<Block, 64> blocks_{};  ///< in the order in which they were released
    std::size_t count_ = 0, bytes_ = 0;
    std::atomic<bool> busy_{false};
};

}  // namespace fastmlp
