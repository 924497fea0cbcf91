/// Vector operations for random numbers on any machine: one lane of 32-bit integers. The reference
/// for simd_avx2_u32.hpp, simd_avx512_u32.hpp and simd_neon_u32.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct U32 {
    using Reg = std::uint32_t;
    static constexpr std::size_t kLanes = 1;

    static FASTMLP_INLINE Reg set1(std::uint32_t x) { return x; }
    /// first, first + 1, ... in the lanes.
    static FASTMLP_INLINE Reg count_from(std::uint32_t first) { return first; }
    static FASTMLP_INLINE void store(std::uint32_t* p, Reg v) { *p = v; }
    /// a ^ b ^ c
    static FASTMLP_INLINE Reg exclusive_or(Reg a, Reg b, Reg c) { return a ^ b ^ c; }
    /// The 64 bits of a * b, the upper and the lower half.
    static FASTMLP_INLINE void multiply(Reg a, Reg b, Reg& high, Reg& low) {
        const std::uint64_t product = static_cast<std::uint64_t>(a) * b;
        high = static_cast<std::uint32_t>(product >> 32);
        low = static_cast<std::uint32_t>(product);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
