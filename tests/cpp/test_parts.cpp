// Work on long arrays: every item is in one part, whoever is awake.

#include "threads/parts.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "check.hpp"
#include "threads/thread_limits.hpp"

namespace {

using fastmlp::Parts;
using fastmlp::Range;
using fastmlp::ThreadTeam;

constexpr std::size_t kCounts[] = {0, 1, 1000, 16384, 20001, 262144, 262145, 1'000'003};

/// The number of parts of `count` items; fails unless each item is in exactly one.
int parts_of(const Parts& parts, std::size_t count, std::size_t bytes) {
    std::vector<unsigned char> times(count, 0);
    std::atomic<int> calls{0};
    parts.each(count, bytes, [&](Range part) {
        ++calls;
        for (std::size_t i = part.first; i < part.last; ++i) ++times[i];
    });
    CHECK(std::all_of(times.begin(), times.end(), [](unsigned char n) { return n == 1; }));
    return calls;
}

void test_alone() {
    for (const std::size_t count : kCounts) {
        CHECK(parts_of(Parts(), count, 4) == static_cast<int>((count + 262143) / 262144));
        parts_of(Parts(), count, std::size_t{1} << 22);  // an item is more than a piece
    }
}

void test_team() {
    ThreadTeam three(3);
    for (const std::size_t count : kCounts) parts_of(Parts(three), count, 4);
}

/// Each member that is awake has a part, as after a run; few items are not worth that.
void test_awake() {
    if (fastmlp::machine_threads() < 2) return;  // members fall asleep at once
    ThreadTeam team(2);
    bool was_shared = false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!was_shared && std::chrono::steady_clock::now() < end) {  // it rests if CPUs are busy
        team.run([](int) {});
        was_shared = parts_of(Parts(team), 100'000, 4) == 2;
    }
    CHECK(was_shared);
    CHECK(parts_of(Parts(team), 1000, 4) == 1);
}

/// Members that sleep are neither woken nor waited for.
void test_asleep() {
    ThreadTeam team(2);
    team.run([](int) {});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (team.awake() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(!team.awake());
    CHECK(parts_of(Parts(team), 100'000, 4) == 1);
    CHECK(!team.awake());
}

void test_few_members() {
    ThreadTeam one(1);
    CHECK(!one.awake());
    CHECK(parts_of(Parts(one), 100'000, 4) == 1);
    const fastmlp::Executor executor{2, [](int tasks, const std::function<void(int)>& task) {
                                         for (int i = 0; i < tasks; ++i) task(i);
                                     }};
    ThreadTeam borrowed(2, &executor);
    CHECK(!borrowed.awake());
    CHECK(parts_of(Parts(borrowed), 100'000, 4) == 1);
}

}  // namespace

int main() {
    test_alone();
    test_team();
    test_awake();
    test_asleep();
    test_few_members();
    return check::report();
}
