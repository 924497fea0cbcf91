/// The integer part of simd_neon.hpp: 4 lanes. Documented in simd_scalar_u32.hpp.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct U32 {
    using Reg = uint32x4_t;
    static constexpr std::size_t kLanes = 4;

    static FASTMLP_INLINE Reg set1(std::uint32_t x) { return vdupq_n_u32(x); }
    static FASTMLP_INLINE Reg count_from(std::uint32_t first) {
        const Reg lanes =
            vcombine_u32(vcreate_u32(0x0000000100000000u), vcreate_u32(0x0000000300000002u));
        return vaddq_u32(set1(first), lanes);
    }
    static FASTMLP_INLINE void store(std::uint32_t* p, Reg v) { vst1q_u32(p, v); }
    static FASTMLP_INLINE Reg exclusive_or(Reg a, Reg b, Reg c) {
        return veorq_u32(veorq_u32(a, b), c);
    }
    static FASTMLP_INLINE void multiply(Reg a, Reg b, Reg& high, Reg& low) {
        const Reg first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
        const Reg last = vreinterpretq_u32_u64(vmull_high_u32(a, b));
        high = vuzp2q_u32(first, last);
        low = vuzp1q_u32(first, last);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
