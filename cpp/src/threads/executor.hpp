/// Checks of a caller's executor.
#pragma once

#include "fastmlp/executor.hpp"

namespace fastmlp {

/// Returns the executor; throws std::invalid_argument if it has no function or no concurrency.
const Executor& checked(const Executor& executor);

/// How many tasks, at most n, run concurrently and so may use barriers: found by a trial, 1 if it
/// fails. Without an executor (null) it is n.
int tasks_at_once(int n, const Executor* executor);

}  // namespace fastmlp
