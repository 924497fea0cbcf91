/// How many threads a computation uses: as many as are worthwhile for its size, at most the limit
/// of the call, of the process and of the machine (`thread_limits`). All decisions are here.
#pragma once

#include <algorithm>
#include <cstddef>

#include "fastmlp/executor.hpp"
#include "fastmlp/layout.hpp"
#include "threads/thread_limits.hpp"

namespace fastmlp {

/// The least work per thread; with less, an additional thread costs more than it saves.
struct ThreadCost {
    double flops, rows;
};

/// Of a training step. Barriers cost time, and so do cache lines of weights that move between
/// cores, which does not pay off for few rows.
inline constexpr ThreadCost kStepCost{0.4e6, 8};
/// Of one of many training steps, for which a trial decides: see training/team_trial.hpp. On some
/// machines so little work pays.
inline constexpr ThreadCost kTrialCost{0.05e6, 8};
/// Of a call that computes each row independently: its threads must be woken, but synchronise only
/// at the end.
inline constexpr ThreadCost kCallCost{1e6, 1};
/// Of a single pass, or step, over a batch: both costs together.
inline constexpr ThreadCost kPassCost{2e6, 8};

/// The number of worthwhile threads, at most what a call with `n_threads` is allowed.
inline int threads_worth(double flops, std::size_t rows, ThreadCost cost, int n_threads) {
    if (exact_threads()) return threads_allowed(n_threads);
    const double worth = std::min(flops / cost.flops, static_cast<double>(rows) / cost.rows);
    if (!(worth >= 2.0) || n_threads == 1) return 1;  // without a system call; also for NaN
    return static_cast<int>(std::min(worth, static_cast<double>(threads_allowed(n_threads))));
}

/// Flops of one training step: forward, gradient, and backward for all layers but the first.
/// `density` is the fraction of the features that is stored.
inline double flops_per_step(const Layout& layout, std::size_t batch, double density) {
    double products = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        products += static_cast<double>(layout[i].weights.size()) * (i == 0 ? 2 * density : 3);
    }
    return 2.0 * static_cast<double>(batch) * products;
}

/// The most threads for the steps of a training; without a trial, by `kStepCost`.
inline int threads_for_steps(const Layout& layout, std::size_t batch, double density, int n_threads,
                             ThreadCost cost = kTrialCost) {
    return threads_worth(flops_per_step(layout, batch, density), batch, cost, n_threads);
}

/// Threads for passes over all layers with `products` multiply-adds per parameter and row.
inline int threads_for_passes(const Layout& layout, std::size_t rows, int products, int n_threads) {
    const double flops = 2.0 * products * static_cast<double>(layout.size());
    return threads_worth(flops * static_cast<double>(rows), rows, kPassCost, n_threads);
}

/// Returns the executor; throws std::invalid_argument if it has no function or no concurrency.
const Executor& checked(const Executor& executor);

/// How many tasks, at most n, run concurrently and so may use barriers: found by a trial, 1 if it
/// fails. Without an executor (null) it is n.
int tasks_at_once(int n, const Executor* executor);

}  // namespace fastmlp
