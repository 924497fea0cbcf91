/// Shares a computation among the threads that are worthwhile for it: see `thread_count.hpp`.
#pragma once

#include <cstddef>

#include "threads/interrupts.hpp"
#include "threads/thread_count.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

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
