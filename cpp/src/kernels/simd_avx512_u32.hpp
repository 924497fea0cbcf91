/// The integer part of simd_avx512.hpp: 16 lanes. Documented in simd_scalar_u32.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct U32 {
    using Reg = __m512i;
    static constexpr std::size_t kLanes = 16;

    static FASTMLP_INLINE Reg set1(std::uint32_t x) {
        return _mm512_set1_epi32(static_cast<int>(x));
    }
    static FASTMLP_INLINE Reg count_from(std::uint32_t first) {
        const Reg lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        return _mm512_add_epi32(set1(first), lanes);
    }
    static FASTMLP_INLINE void store(std::uint32_t* p, Reg v) { _mm512_storeu_si512(p, v); }
    static FASTMLP_INLINE Reg exclusive_or(Reg a, Reg b, Reg c) {
        return _mm512_ternarylogic_epi32(a, b, c, 0x96);
    }
    static FASTMLP_INLINE void multiply(Reg a, Reg b, Reg& high, Reg& low) {
        const Reg even = _mm512_mul_epu32(a, b);
        const Reg odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
        high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
        low = _mm512_mask_shuffle_epi32(even, 0xAAAA, odd, _MM_PERM_CCAA);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
