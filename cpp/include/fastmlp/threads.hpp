/// How many threads fastmlp may use in this process.
///
/// The machine grants at most the CPUs of the calling thread's affinity mask and, on Linux, what
/// the CPU quotas of its control groups leave. Every number below is an upper limit: the results
/// are the same bits for any number of threads, so fastmlp uses fewer where fewer are faster.
///
/// Environment, read once at the first call:
///   FASTMLP_NUM_THREADS    default limit, an integer >= 1
///   OMP_NUM_THREADS        the same, where FASTMLP_NUM_THREADS is not set; first number of a list
///   FASTMLP_EXACT_THREADS  1: requests are exact, even above what the machine grants (for tests)
#pragma once

#include "fastmlp/export.h"

namespace fastmlp {

/// The limit in force, at least 1.
/// Throws std::invalid_argument if FASTMLP_NUM_THREADS is not an integer >= 1.
FASTMLP_API int get_num_threads();

/// Sets the limit for all threads of the process; n = 0 restores the default.
/// Throws std::invalid_argument if n is negative. Training that already runs keeps its threads.
FASTMLP_API void set_num_threads(int n);

}  // namespace fastmlp
