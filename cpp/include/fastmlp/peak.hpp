/// The peak floating-point rate of the machine.
#pragma once

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// The rate of fused multiply-adds in registers, two flops each, in GFLOP/s: the sum over
/// `n_threads` concurrent threads, best of several runs of about a millisecond.
template <class T>
FASTMLP_API double peak_gflops(int n_threads);

extern template double peak_gflops<float>(int);
extern template double peak_gflops<double>(int);

}  // namespace fastmlp
