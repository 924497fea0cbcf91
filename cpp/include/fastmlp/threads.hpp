/// The number of threads fastmlp may use in this process.
///
/// At most the CPUs in the calling thread's affinity mask are used and, on Linux, at most the CPU
/// quotas of its control groups. Every number below is an upper limit: results have the same bits
/// for any number of threads, so fastmlp uses fewer where this is faster.
///
/// Environment, read once at the first call, OMP_NUM_THREADS when the library is loaded:
///   FASTMLP_NUM_THREADS    default limit, an integer >= 1
///   OMP_NUM_THREADS        the same if FASTMLP_NUM_THREADS is not set; first number of a list
///   FASTMLP_EXACT_THREADS  1: requests are exact, even above the machine's limit (for tests)
#pragma once

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// The current limit, at least 1.
/// Throws std::invalid_argument if FASTMLP_NUM_THREADS is not an integer >= 1.
FASTMLP_API int get_num_threads();

/// Sets the limit for all threads of the process; n = 0 restores the default.
/// Throws std::invalid_argument if n is negative. A running training keeps its threads.
FASTMLP_API void set_num_threads(int n);

}  // namespace fastmlp
