// The thread team: its barrier, the lease of workers, and exceptions.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/patience.hpp"
#include "threads/thread_pool.hpp"

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace {

using fastmlp::ThreadTeam;

/// Sum of rank + 1 over the members that ran.
int ranks_run(ThreadTeam& team) {
    std::atomic<int> sum{0};
    team.run([&](int rank) { sum += rank + 1; });
    return sum;
}

int sum_to(int n) {
    return n * (n + 1) / 2;
}

void test_barrier(int members, int rounds) {
    ThreadTeam team(members);
    CHECK(team.size() == members);
    // Each thread counts, then reads the counts of all others: none may be behind or, between the
    // two barriers, ahead. Plain integers: a thread sanitizer checks the barrier's ordering.
    std::vector<int> count(static_cast<std::size_t>(members) * 64, 0);
    std::atomic<int> wrong{0};
    team.run([&](int rank) {
        for (int round = 1; round <= rounds; ++round) {
            count[static_cast<std::size_t>(rank) * 64] = round;
            if (!team.barrier(rank)) ++wrong;
            for (std::size_t i = 0; i < count.size(); i += 64) wrong += count[i] != round;
            if (!team.barrier(rank)) ++wrong;
        }
    });
    CHECK(wrong == 0);
}

void test_many_runs() {
    ThreadTeam team(2);
    std::vector<int> calls(128, 0);
    for (int i = 0; i < 100'000; ++i) {
        team.run([&](int rank) { ++calls[static_cast<std::size_t>(rank) * 64]; });
    }
    CHECK(calls[0] == 100'000 && calls[64] == 100'000);
    ThreadTeam one(1);
    CHECK(one.size() == 1 && ranks_run(one) == 1);
    CHECK(ThreadTeam(0).size() == 1 && ThreadTeam(-7).size() == 1);
}

void test_lease() {
    {
        ThreadTeam first(8);
        ThreadTeam second(8);
        CHECK(first.size() == 8 && second.size() == 1);
        CHECK(ranks_run(first) == sum_to(8) && ranks_run(second) == 1);
    }
    ThreadTeam some(3);
    ThreadTeam rest(8);
    CHECK(some.size() == 3 && rest.size() == 6);
    CHECK(ranks_run(some) == sum_to(3) && ranks_run(rest) == sum_to(6));
}

void test_limit() {
    ThreadTeam team(4);
    for (const int most : {2, 1, 3, 8}) {
        team.limit(most);
        CHECK(team.ready() && team.size() == std::min(most, 4));
        CHECK(ranks_run(team) == sum_to(team.size()) && team.size() == std::min(most, 4));
    }
}

void test_many_callers() {
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c) {
        callers.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
                ThreadTeam team(3);
                wrong += ranks_run(team) != sum_to(team.size());
            }
        });
    }
    for (auto& caller : callers) caller.join();
    CHECK(wrong == 0);
}

/// The text of the exception that `run` passes on when `thrower` fails before the second barrier.
std::string message_from(ThreadTeam& team, int thrower) {
    try {
        team.run([&](int rank) {
            team.barrier(rank);
            if (rank == thrower) throw std::runtime_error("rank " + std::to_string(rank));
            for (;;) team.barrier(rank);
        });
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "nothing thrown";
}

/// How often a member of a team has crossed a barrier before all had arrived, of some.
int early_crossings(ThreadTeam& team) {
    std::atomic<int> arrived{0}, early{0};
    team.run([&](int rank) {
        for (int round = 1; round <= 5; ++round) {
            ++arrived;
            team.barrier(rank);
            early += arrived != round * team.size();
            team.barrier(rank);
        }
    });
    return early;
}

/// Members that were left out of runs have crossed fewer barriers, and seen no failure.
void test_barriers_of_a_limited_team() {
    ThreadTeam team(4);
    for (const int most : {4, 2, 4, 3, 1, 4}) {
        team.limit(most);
        CHECK(team.ready() && early_crossings(team) == 0);
    }
    int wrong = 0;
    for (int i = 0; i < 50; ++i) {
        ThreadTeam other(4);
        other.run([&](int rank) { other.barrier(rank); });
        other.limit(2 + i % 2);
        wrong += message_from(other, 1) != "rank 1";
        other.limit(4);
        wrong += !other.ready() || early_crossings(other) > 0;
    }
    CHECK(wrong == 0);
}

/// No member crosses a barrier that another one misses, though nobody has met in this team before.
void test_failures_before_the_first_barrier() {
    for (const int members : {2, 3, 4, 8}) {
        for (int thrower = 0; thrower < members; ++thrower) {
            ThreadTeam team(members);
            std::atomic<int> crossed{0};
            CHECK(check::throws<std::runtime_error>([&] {
                team.run([&](int rank) {
                    if (rank == thrower) throw std::runtime_error("before the barrier");
                    team.barrier(rank);
                    ++crossed;
                });
            }));
            CHECK(crossed == 0);
        }
    }
}

void test_exceptions() {
    for (const int members : {1, 2, 3, 8}) {
        ThreadTeam team(members);
        for (int thrower = 0; thrower < members; ++thrower) {
            CHECK(message_from(team, thrower) == "rank " + std::to_string(thrower));
        }
        CHECK(ranks_run(team) == sum_to(members));
    }
}

void test_workers_compute_in_ieee_defaults() {
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);  // flush to zero, denormals are zero
    {
        const fastmlp::IeeeDefaults guard;
        CHECK((_mm_getcsr() & ~0x3fU) == 0x1f80);
    }
    CHECK((_mm_getcsr() & 0x8040) == 0x8040);
    ThreadTeam team(2);
    unsigned control = 0;
    for (int i = 0; i < 2; ++i) {  // the second run finds what the first left
        team.run([&](int rank) {
            if (rank == 1) control = _mm_getcsr();
            if (rank == 1) _mm_setcsr(0xffc0);
        });
        CHECK(control == 0x1f80);
    }
    _mm_setcsr(before);
#endif
}

/// The waits of a caller that works alone, a millisecond at a time, and whose threads stay asleep.
void test_patience() {
    using std::chrono::microseconds;
    fastmlp::Patience patience;
    const fastmlp::Patience::Clock::time_point start{microseconds(1)};
    patience.begin(start);
    CHECK(patience.deadline(start) == start + microseconds(50));
    auto now = start;
    fastmlp::Patience::Clock::duration waits{};
    for (int step = 0; step < 100; ++step) {
        const auto deadline = patience.deadline(now);
        if (deadline > now) {
            patience.waited(deadline - now);
            waits += deadline - now;
            now = deadline;
        }
        now += microseconds(1000);
        patience.begin(now);  // they were called before
    }
    CHECK(waits >= microseconds(10'000) && waits <= (now - start) / 10);
    patience.end();
    patience.begin(now);
    CHECK(patience.deadline(now) == now + microseconds(50));
}

}  // namespace

int main() {
#if !defined(_WIN32)
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // a busy machine must not make a team rest
    alarm(100);                               // a hang is a failure
#endif
    test_barrier(1, 10);
    test_barrier(2, 20'000);
    test_barrier(3, 1'000);
    test_barrier(8, 300);
    test_many_runs();
    test_lease();
    test_limit();
    test_patience();
    test_barriers_of_a_limited_team();
    test_many_callers();
    test_failures_before_the_first_barrier();
    test_exceptions();
    test_workers_compute_in_ieee_defaults();
    return check::report();
}
