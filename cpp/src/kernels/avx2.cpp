/// The kernels for AVX2 with FMA, built with flags of their own: only what is reached through the
/// tables below may use them. So nothing here may leave a shared (weak) function behind for the
/// linker to hand to other files, and everything but the last line is private.
#include "kernels/simd_avx2.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>("avx2");
constexpr KernelTable<double> kFloat64 = make_table<F64>("avx2");

}  // namespace

extern const Isa kAvx2 = {"avx2", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
