/// The kernels for AVX2 with FMA, compiled with special flags: only code that is called through the
/// tables below may use these instructions. A weak (inline) function from here could be linked into
/// other files, so everything but the last line has internal linkage.
#include "kernels/simd_avx2.hpp"
#include "kernels/table-inl.hpp"

namespace fastmlp::kernels {
namespace {

constexpr KernelTable<float> kFloat32 = make_table<F32>();
constexpr KernelTable<double> kFloat64 = make_table<F64>();

}  // namespace

extern const Isa kAvx2 = {"avx2", &kFloat32, &kFloat64};

}  // namespace fastmlp::kernels
