/// Vector operations for AVX2 with FMA: 8 lanes of float32, 4 lanes of float64. They are documented
/// in simd_scalar.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/simd_avx2_f64.hpp"
#include "kernels/simd_avx2_u32.hpp"

namespace fastmlp::kernels {
namespace {

struct F32 {
    using Scalar = float;
    using Reg = __m256;
    static constexpr std::size_t kLanes = 8;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 2;

    static FASTMLP_INLINE Reg zero() { return _mm256_setzero_ps(); }
    static FASTMLP_INLINE Reg set1(float x) { return _mm256_set1_ps(x); }
    static FASTMLP_INLINE Reg load(const float* p) { return _mm256_loadu_ps(p); }
    static FASTMLP_INLINE void store(float* p, Reg v) { _mm256_storeu_ps(p, v); }
    static FASTMLP_INLINE __m256i first(std::size_t n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                                  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    static FASTMLP_INLINE Reg load_partial(const float* p, std::size_t n) {
        return _mm256_maskload_ps(p, first(n));
    }
    // In pieces: masked stores are slow and prevent store forwarding.
    static FASTMLP_INLINE void store_partial(float* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        __m128 four = _mm256_castps256_ps128(v);
        if (n & 4) _mm_storeu_ps(p, four), p += 4, four = _mm256_extractf128_ps(v, 1);
        if (n & 2) {
            _mm_storel_pi(reinterpret_cast<__m64*>(p), four);
            p += 2;
            four = _mm_movehl_ps(four, four);
        }
        if (n & 1) _mm_store_ss(p, four);
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        return _mm256_blendv_ps(rest, v, _mm256_castsi256_ps(first(n)));
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        return _mm256_cvtepi32_ps(_mm256_maskload_epi32(p, first(n)));
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return _mm256_div_ps(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return _mm256_sqrt_ps(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return _mm256_fnmadd_ps(a, b, c); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return _mm256_andnot_ps(set1(-0.0f), x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        return _mm256_or_ps(abs(x), _mm256_and_ps(set1(-0.0f), sign));
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return _mm256_and_ps(_mm256_cmp_ps(h, zero(), _CMP_NLE_UQ), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        const __m256i drawn = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
        const __m256i all = _mm256_set1_epi32(static_cast<int>(least));
        const __m256i kept = _mm256_cmpeq_epi32(_mm256_max_epu32(drawn, all), drawn);
        return _mm256_and_ps(_mm256_castsi256_ps(kept), x);
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        return _mm256_movemask_ps(_mm256_cmp_ps(abs(x), limit, _CMP_LT_OQ)) == 0xFF;
    }

    static FASTMLP_INLINE Reg power_of_two(__m256i n) {
        return _mm256_castsi256_ps(
            _mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
    }
    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) {
        const __m256i whole = _mm256_cvtps_epi32(n);
        const __m256i half = _mm256_srai_epi32(whole, 1);
        return mul(mul(x, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)));
    }
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const __m256i bits = _mm256_castps_si256(x);
        const __m256i e =
            _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3F3504F3)), 23);
        mantissa = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
        exponent = _mm256_cvtepi32_ps(e);
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const float* p) { __builtin_prefetch(p, 1, 3); }

    /// Adds halves of 128 bits, then pairs, then neighbours of a and b.
    static FASTMLP_INLINE Reg add_halves(Reg a, Reg b) {
        return add(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    }
    static FASTMLP_INLINE Reg add_pairs(Reg a, Reg b) {
        return add(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xEE));
    }
    static FASTMLP_INLINE Reg add_neighbours(Reg a, Reg b) {
        return add(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD));
    }
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        Reg s[8];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 8; ++i) s[i] = i < n ? v[i] : zero();
        FASTMLP_UNROLL
        for (int i = 0; i < 4; ++i) s[i] = add_halves(s[2 * i], s[2 * i + 1]);
        FASTMLP_UNROLL
        for (int i = 0; i < 2; ++i) s[i] = add_pairs(s[2 * i], s[2 * i + 1]);
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        return _mm256_permutevar8x32_ps(add_neighbours(s[0], s[1]), order);
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) {
        v = add(v, _mm256_permute2f128_ps(v, v, 0x01));
        v = add(v, _mm256_permute_ps(v, 0x4E));
        return add(v, _mm256_permute_ps(v, 0xB1));
    }
    static FASTMLP_INLINE Reg max_all(Reg v) {
        v = max(v, _mm256_permute2f128_ps(v, v, 0x01));
        v = max(v, _mm256_permute_ps(v, 0x4E));
        return max(v, _mm256_permute_ps(v, 0xB1));
    }

    /// The 4 x 4 blocks inside 128 bits of four vectors; `to` may be `v`.
    static FASTMLP_INLINE void transpose_halves(const Reg* v, Reg* to) {
        const Reg ab = _mm256_unpacklo_ps(v[0], v[1]), cd = _mm256_unpacklo_ps(v[2], v[3]);
        const Reg ef = _mm256_unpackhi_ps(v[0], v[1]), gh = _mm256_unpackhi_ps(v[2], v[3]);
        to[0] = _mm256_shuffle_ps(ab, cd, 0x44);
        to[1] = _mm256_shuffle_ps(ab, cd, 0xEE);
        to[2] = _mm256_shuffle_ps(ef, gh, 0x44);
        to[3] = _mm256_shuffle_ps(ef, gh, 0xEE);
    }
    static FASTMLP_INLINE void transpose(Reg* v) {
        Reg t[8];
        transpose_halves(v, t);
        transpose_halves(v + 4, t + 4);
        FASTMLP_UNROLL
        for (int i = 0; i < 4; ++i) {  // the blocks themselves
            v[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
            v[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
        }
    }
    static constexpr std::size_t kColumns = 4;
    static FASTMLP_INLINE void load_columns(const float* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) {
            v[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[i * ldr] + c)),
                                        _mm_loadu_ps(rows[(4 + i) * ldr] + c), 1);
        }
        transpose_halves(v, v);
    }
    static FASTMLP_INLINE void transpose_block(const float* from, std::size_t ldf, float* to,
                                               std::size_t ldt) {
        Reg v[kLanes];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < kLanes; ++i) v[i] = load(from + i * ldf);
        transpose(v);
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < kLanes; ++i) store(to + i * ldt, v[i]);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
