/// The kernels for AVX-512 (F, BW, VL, DQ), built with flags of its own: only code reached through the
/// table below may ever run on a machine without them. So this file includes nothing that could
/// leave a shared (weak) function behind, and everything but the last line is private to it.
#include "kernels/simd_avx512.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>("avx512");
constexpr KernelTable<double> kFloat64 = make_table<F64>("avx512");

}  // namespace

extern const Isa kAvx512 = {"avx512", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
