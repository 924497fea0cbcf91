/// Running on the caller's threads, for programs that have a thread pool and want no second one.
#pragma once

#include <functional>

#include "fastmlp/cpp20.hpp"

namespace fastmlp {

/// Runs the tasks of `train`, `predict` and `evaluate`, instead of fastmlp's threads.
///
/// Training has two barriers per step, where each task waits for all others: tasks that share a
/// thread would deadlock. Therefore `train` first tries whether the executor runs its tasks
/// concurrently, and uses one task if they have not met within 0.2 seconds. From then on the
/// executor's threads must stay available while `train` runs. Prediction has no barriers and works
/// with any executor. The results have the same bits in every case.
///
/// `train` calls `run` every few milliseconds; `predict` once, or repeatedly in an InterruptScope.
/// Tasks do not throw. They set the IEEE default floating-point environment and restore the
/// thread's.
struct Executor {
    /// The number of tasks that `run` runs concurrently, at least 1, including the calling
    /// thread's.
    int concurrency = 1;
    /// Calls task(rank) once for each rank 0..tasks-1, concurrently, on any threads, and returns
    /// when all have returned; `tasks` <= `concurrency`. If it throws, no task may still be
    /// running; the exception is passed on by `train` or `predict`.
    std::function<void(int tasks, const std::function<void(int rank)>& task)> run{};
};

}  // namespace fastmlp
