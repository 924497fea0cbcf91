/// The integer part of simd_avx2.hpp: 8 lanes. Documented in simd_scalar_u32.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct U32 {
    using Reg = __m256i;
    static constexpr std::size_t kLanes = 8;

    static FASTMLP_INLINE Reg set1(std::uint32_t x) {
        return _mm256_set1_epi32(static_cast<int>(x));
    }
    static FASTMLP_INLINE Reg count_from(std::uint32_t first) {
        return _mm256_add_epi32(set1(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    static FASTMLP_INLINE void store(std::uint32_t* p, Reg v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
    }
    static FASTMLP_INLINE Reg exclusive_or(Reg a, Reg b, Reg c) {
        return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
    }
    static FASTMLP_INLINE void multiply(Reg a, Reg b, Reg& high, Reg& low) {
        const Reg even = _mm256_mul_epu32(a, b);
        const Reg odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
        high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
        low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
