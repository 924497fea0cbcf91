// The thread team under adverse conditions: forks, no more threads, an overloaded machine.
// Each test runs in a forked child; if it hangs, an alarm ends it, and the test fails.

#if !defined(_WIN32)

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "threads/thread_pool.hpp"

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;  // does not support threads after a fork
#else
constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Reserves terabytes of address space, and another thread may hold its allocator's lock at a fork.
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

namespace {

using namespace std::chrono_literals;
using fastmlp::ThreadTeam;

/// Sum of rank + 1 over the members that ran.
int ranks_run(ThreadTeam& team) {
    std::atomic<int> sum{0};
    team.run([&](int rank) { sum += rank + 1; });
    return sum;
}

template <class Test>
bool holds_in_child(Test test) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(test() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// On a busy machine any run may be a struggle: one of five attempts has to succeed.
template <class Test>
bool holds_at_times(Test test) {
    for (int attempt = 0; attempt < 5; ++attempt) {
        if (holds_in_child(test)) return true;
    }
    return false;
}

/// A run in which the caller waits for a slow worker, until the team ends it.
bool stalls(ThreadTeam& team) {
    int rounds[2] = {0, 0};
    team.run([&](int rank) {
        do {
            ++rounds[rank];
            if (rank == 1) std::this_thread::sleep_for(3ms);
        } while (team.barrier(rank) && rounds[rank] < 100);
    });
    return rounds[0] == rounds[1] && rounds[0] < 100 && team.size() == 1;
}

/// The same of a wait that is no barrier.
bool stalls_between_barriers(ThreadTeam& team) {
    std::atomic<int> slept{0};
    int rounds[2] = {0, 0};
    team.run([&](int rank) {
        do {
            const int round = ++rounds[rank];
            if (rank == 1) {
                std::this_thread::sleep_for(3ms);
                slept = round;
            } else {
                team.wait(rank, [&] { return slept == round; });
            }
        } while (team.barrier(rank) && rounds[rank] < 100);
    });
    return rounds[0] == rounds[1] && rounds[0] < 100 && team.size() == 1;
}

bool rests_after_waits_between_barriers() {
    ThreadTeam team(2);
    return stalls_between_barriers(team) && ThreadTeam::resting() && ranks_run(team) == 1;
}

/// A run in which nobody waits for long.
void work(ThreadTeam& team, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    team.run([&](int) {
        while (std::chrono::steady_clock::now() < end) {
        }
    });
}

/// A busy core is free for some milliseconds, too: only a longer run shows that it is not busy.
bool remembers_until_a_long_run(std::chrono::milliseconds run, bool forgets) {
    ThreadTeam team(2);
    bool good = true;
    for (int failure = 0; failure < 2; ++failure) {  // rests of 20 and 40 ms
        good = good && stalls(team);
        while (!team.ready()) std::this_thread::sleep_for(1ms);
    }
    work(team, run);
    good = good && stalls(team);  // and of 80 ms, or 20
    std::this_thread::sleep_for(30ms);
    return good && ranks_run(team) == 1 && team.size() == (forgets ? 2 : 1);
}

/// A team that waits for one slow worker ends its run, rests, and tries again later.
bool rests_when_stalled() {
    ThreadTeam team(2);
    bool good = stalls(team) && ThreadTeam::resting() && ranks_run(team) == 1;
    std::this_thread::sleep_for(6ms);
    good = good && !ThreadTeam::resting() && ranks_run(team) == 1 && team.size() == 1;
    std::this_thread::sleep_for(20ms);
    return good && ranks_run(team) == 1 && team.size() == 2 && ranks_run(team) == 3;
}

/// Whether all members join within two seconds. Until then the caller works alone.
bool all_join(ThreadTeam& team) {
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (!team.ready()) {
        if (ranks_run(team) != 1 || std::chrono::steady_clock::now() > deadline) return false;
    }
    return team.size() == 2 && ranks_run(team) == 3;
}

/// A second failure in a row is a longer rest, but of this team only.
bool forgets_with_its_team() {
    ThreadTeam team(2);
    bool good = true;
    for (int failure = 0; failure < 2; ++failure) {  // rests of 20 and 40 ms
        good = good && stalls(team);
        while (!team.ready()) std::this_thread::sleep_for(1ms);
    }
    good = good && stalls(team);
    std::this_thread::sleep_for(45ms);
    return good && !team.ready() && team.size() == 1 && !ThreadTeam::resting();
}

bool next_team_begins_anew() {
    {
        ThreadTeam team(2);
        if (!stalls(team)) return false;
    }
    ThreadTeam team(2);
    return all_join(team);
}

/// After a pause the workers are asleep, and wake up while the caller works.
bool joins_when_awake() {
    bool good = true;
    for (int fit = 0; fit < 5; ++fit) {
        ThreadTeam team(2);
        good = all_join(team) && good;
        std::this_thread::sleep_for(20ms);
        good = all_join(team) && good;
    }
    return good;
}

bool works_without_new_threads() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{1} << 19);
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_AS, &limit);
    ThreadTeam team(4);
    return team.size() == 1 && ranks_run(team) == 1;
}

bool has_a_team_of_its_own() {
    ThreadTeam team(3);
    return team.size() == 3 && ranks_run(team) == 6;
}

void test_fork() {
    ThreadTeam team(3);
    CHECK(ranks_run(team) == 6);
    CHECK(holds_in_child(has_a_team_of_its_own));
    // a team from before the fork continues on one thread
    CHECK(holds_in_child([&] { return team.size() == 1 && ranks_run(team) == 1; }));
    CHECK(ranks_run(team) == 6);
    // a fork inside a run: the child's run fails instead of waiting for ever
    bool child_threw = true;
    team.run([&](int rank) {
        if (rank == 0) {
            child_threw = holds_in_child([&] {
                try {
                    team.barrier(0);
                } catch (const std::runtime_error&) {
                    return true;
                }
                return false;
            });
        }
        team.barrier(rank);
    });
    CHECK(child_threw);
}

void test_forks_beside_teams_that_come_and_go() {
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) {
            ThreadTeam team(4);
            team.run([&](int rank) { team.barrier(rank); });
        }
    });
    bool good = true;
    for (int i = 0; i < 100; ++i) good = holds_in_child(has_a_team_of_its_own) && good;
    stop = true;
    busy.join();
    CHECK(good);
}

}  // namespace

int main() {
    if (!kThreadSanitizer) {
        CHECK(holds_in_child(rests_when_stalled));
        CHECK(holds_in_child(forgets_with_its_team));
        CHECK(holds_in_child(rests_after_waits_between_barriers));
        CHECK(holds_at_times([] { return remembers_until_a_long_run(3ms, false); }));
        CHECK(holds_at_times([] { return remembers_until_a_long_run(25ms, true); }));
        CHECK(holds_in_child(next_team_begins_anew));
        CHECK(holds_in_child(joins_when_awake));
    }
    if (!kSanitizer) CHECK(holds_in_child(works_without_new_threads));
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // from here on no team may rest
    alarm(100);
    if (!kThreadSanitizer) test_fork();
    if (!kSanitizer) test_forks_beside_teams_that_come_and_go();
    return check::report();
}

#else

int main() {
    return 0;
}

#endif
