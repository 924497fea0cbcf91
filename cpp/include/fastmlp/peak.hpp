/// What the machine could do: the yardstick of "share of peak".
#pragma once

#include "fastmlp/export.h"

namespace fastmlp {

/// Fused multiply-adds per second in registers, counted as two flops, in GFLOP/s: the sum over
/// `n_threads` threads at once, best of several runs of about a millisecond.
template <class T>
FASTMLP_API double peak_gflops(int n_threads);

extern template double peak_gflops<float>(int);
extern template double peak_gflops<double>(int);

}  // namespace fastmlp
