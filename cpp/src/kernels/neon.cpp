/// The kernels for AArch64 NEON, built with flags of its own: only code reached through the
/// table below may ever run on a machine without them. So this file includes nothing that could
/// leave a shared (weak) function behind, and everything but the last line is private to it.
#include "kernels/simd_neon.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>("neon");
constexpr KernelTable<double> kFloat64 = make_table<F64>("neon");

}  // namespace

extern const Isa kNeon = {"neon", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
