/// What we ask of a caller's executor before we trust it.
#pragma once

#include "fastmlp/executor.hpp"

namespace fastmlp {

/// The executor, or std::invalid_argument if it has no function or no concurrency.
const Executor& checked(const Executor& executor);

/// How many tasks, at most n, may meet at barriers: tried out, and 1 where they do not meet.
/// Without an executor (null) it is n.
int tasks_at_once(int n, const Executor* executor);

}  // namespace fastmlp
