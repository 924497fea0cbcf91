/// The kernels for any machine: one lane, the baseline of the processor family.

/// For one number they take longer than their calls, and inlined they would take more room than
/// most kernels.
#define FASTMLP_ELEMENTARY inline __attribute__((noinline))

#include "kernels/simd_scalar.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>();
constexpr KernelTable<double> kFloat64 = make_table<F64>();

}  // namespace

extern const Isa kScalar = {"scalar", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
