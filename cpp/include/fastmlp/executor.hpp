/// A caller's own threads, for programs that have a pool and want no second one beside it.
#pragma once

#include <functional>

namespace fastmlp {

/// What `train`, `predict` and `evaluate` run their tasks on, instead of threads of fastmlp.
///
/// Training meets at barriers, two in every step, where each task waits for all others: tasks that
/// take turns on a thread would wait for ever. So `train` tries first whether the executor runs its
/// tasks at once, and trains in one task if it does not within a fifth of a second. Afterwards the
/// executor must keep its word: nothing else may take its threads while `train` runs. Prediction
/// has no barriers, and any executor will do. The results have the same bits in every case.
///
/// `train` calls `run` every few milliseconds; `predict` once, or, in an InterruptScope, again and
/// again. Tasks throw nothing. They compute in
/// IEEE default floating point and leave the thread's own mode as it was.
struct Executor {
    /// Tasks that `run` has running at once, at least 1, the calling thread's included.
    int concurrency = 1;
    /// Calls task(rank) once for each rank 0..tasks-1, at once, on any threads, and returns when
    /// all have returned; `tasks` is never more than `concurrency`. If it throws, no task may be
    /// running any more; the exception then leaves `train` or `predict`.
    std::function<void(int tasks, const std::function<void(int rank)>& task)> run{};
};

}  // namespace fastmlp
