/// How many threads are worthwhile for a computation, and how its items are shared among them.
#pragma once

#include <algorithm>
#include <cstddef>

#include "threads/executor.hpp"
#include "threads/interrupts.hpp"
#include "threads/thread_limits.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// The least work per thread; with less, an additional thread costs more than it saves.
struct ThreadCost {
    double flops, rows;
};

/// Of a training step. Barriers cost time, and so do cache lines of weights that move between
/// cores, which does not pay off for few rows.
inline constexpr ThreadCost kStepCost{0.4e6, 8};
/// Of a call that computes each row independently: its threads must be woken, but synchronise only
/// at the end.
inline constexpr ThreadCost kCallCost{1e6, 1};

/// Of a single pass, or step, over a batch: both costs together.
inline constexpr ThreadCost kPassCost{2e6, 8};

/// The number of worthwhile threads, at most what a call with `n_threads` is allowed.
inline int threads_worth(double flops, std::size_t rows, ThreadCost cost, int n_threads) {
    if (exact_threads()) return threads_allowed(n_threads);
    const double worth = std::min(flops / cost.flops, static_cast<double>(rows) / cost.rows);
    if (worth < 2.0 || n_threads == 1) return 1;  // without a system call
    return static_cast<int>(std::min(worth, static_cast<double>(threads_allowed(n_threads))));
}

/// Calls f(share, team, poll) on `threads` threads, which may meet; `team` is null on one.
template <class F>
void together(int threads, Interrupts& interrupts, F f) {
    if (threads == 1 || (ThreadTeam::resting() && !exact_threads())) {
        return f(Share{}, static_cast<ThreadTeam*>(nullptr), interrupts.poll());
    }
    ThreadTeam team(threads);
    interrupts.run(team, [&](Share share, Poll* poll) { f(share, &team, poll); });
}

/// Items 0..count-1 of a call, independent of each other.
struct Items {
    std::size_t count;
    double flops_each;
    std::size_t unit;  ///< they are split at multiples of it
};

/// Calls f(range, poll) for parts of `items`, on as many threads as are worthwhile: those of the
/// executor if there is one. `poll` is null if the call cannot be interrupted.
template <class F>
void share_out(const Items& items, int n_threads, const Executor* executor, Interrupts& interrupts,
               F f) {
    if (executor != nullptr) checked(*executor);
    const double flops = items.flops_each * static_cast<double>(items.count);
    const int threads = threads_worth(flops, items.count, kCallCost, n_threads);
    if (threads == 1 || (ThreadTeam::resting() && !exact_threads())) {
        return f(Range{0, items.count}, interrupts.poll());
    }
    ThreadTeam team(threads, executor);
    interrupts.run(team, items.count, items.flops_each, [&](Share share, Range range, Poll* poll) {
        const Range mine = share.of(range.size(), items.unit);
        f(Range{range.first + mine.first, range.first + mine.last}, poll);
    });
}

}  // namespace fastmlp
