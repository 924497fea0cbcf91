/// The kernels for AArch64 NEON, built with flags of their own: only what is reached through the
/// tables below may use them. So nothing here may leave a shared (weak) function behind for the
/// linker to hand to other files, and everything but the last line is private.
#include "kernels/simd_neon.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>("neon");
constexpr KernelTable<double> kFloat64 = make_table<F64>("neon");

}  // namespace

extern const Isa kNeon = {"neon", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
