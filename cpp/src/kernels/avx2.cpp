/// The kernels for AVX2 with FMA, built with flags of its own: only code reached through the
/// table below may ever run on a machine without them. So this file includes nothing that could
/// leave a shared (weak) function behind, and everything but the last line is private to it.
#include "kernels/simd_avx2.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>("avx2");
constexpr KernelTable<double> kFloat64 = make_table<F64>("avx2");

}  // namespace

extern const Isa kAvx2 = {"avx2", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
