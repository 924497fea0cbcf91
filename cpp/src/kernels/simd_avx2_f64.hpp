/// The float64 half of simd_avx2.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct F64 {
    using Scalar = double;
    using Reg = __m256d;
    static constexpr std::size_t kLanes = 4;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 2;

    static FASTMLP_INLINE Reg zero() { return _mm256_setzero_pd(); }
    static FASTMLP_INLINE Reg set1(double x) { return _mm256_set1_pd(x); }
    static FASTMLP_INLINE Reg load(const double* p) { return _mm256_loadu_pd(p); }
    static FASTMLP_INLINE void store(double* p, Reg v) { _mm256_storeu_pd(p, v); }
    static FASTMLP_INLINE __m256i first(std::size_t n) {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(n)),
                                  _mm256_setr_epi64x(0, 1, 2, 3));
    }
    static FASTMLP_INLINE Reg load_partial(const double* p, std::size_t n) {
        return _mm256_maskload_pd(p, first(n));
    }
    static FASTMLP_INLINE void store_partial(double* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        __m128d two = _mm256_castpd256_pd128(v);
        if (n & 2) _mm_storeu_pd(p, two), p += 2, two = _mm256_extractf128_pd(v, 1);
        if (n & 1) _mm_store_sd(p, two);
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        return _mm256_blendv_pd(rest, v, _mm256_castsi256_pd(first(n)));
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        const __m128i mask =
            _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3));
        return _mm256_cvtepi32_pd(_mm_maskload_epi32(p, mask));
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return _mm256_add_pd(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return _mm256_sub_pd(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return _mm256_mul_pd(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return _mm256_div_pd(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return _mm256_sqrt_pd(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_pd(a, b, c); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return _mm256_fnmadd_pd(a, b, c); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return _mm256_max_pd(a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return _mm256_min_pd(a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return _mm256_andnot_pd(set1(-0.0), x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        return _mm256_or_pd(abs(x), _mm256_and_pd(set1(-0.0), sign));
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return _mm256_and_pd(_mm256_cmp_pd(h, zero(), _CMP_NLE_UQ), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_GT_OQ));
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_EQ_OQ));
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        const __m128i drawn = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
        const __m128i all = _mm_set1_epi32(static_cast<int>(least));
        const __m128i kept = _mm_cmpeq_epi32(_mm_max_epu32(drawn, all), drawn);
        return _mm256_and_pd(_mm256_castsi256_pd(_mm256_cvtepi32_epi64(kept)), x);
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        return _mm256_movemask_pd(_mm256_cmp_pd(abs(x), limit, _CMP_LT_OQ)) == 0xF;
    }

    static FASTMLP_INLINE Reg power_of_two(__m128i n) {
        const __m256i biased = _mm256_cvtepi32_epi64(_mm_add_epi32(n, _mm_set1_epi32(1023)));
        return _mm256_castsi256_pd(_mm256_slli_epi64(biased, 52));
    }
    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) {
        const __m128i whole = _mm256_cvtpd_epi32(n);
        const __m128i half = _mm_srai_epi32(whole, 1);
        return mul(mul(x, power_of_two(half)), power_of_two(_mm_sub_epi32(whole, half)));
    }
    // Converts the exponent to a number via the low bits of 2^52 + exponent + 1023.
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const __m256i bits = _mm256_castpd_si256(x);
        const __m256i to_bias = _mm256_set1_epi64x(0x3FF0000000000000 - 0x3FE6A09E667F3BCD);
        const __m256i biased = _mm256_srli_epi64(_mm256_add_epi64(bits, to_bias), 52);
        const __m256i e = _mm256_sub_epi64(biased, _mm256_set1_epi64x(1023));
        mantissa = _mm256_castsi256_pd(_mm256_sub_epi64(bits, _mm256_slli_epi64(e, 52)));
        const __m256i number = _mm256_or_si256(biased, _mm256_set1_epi64x(0x4330000000000000));
        exponent = sub(_mm256_castsi256_pd(number), set1(4503599627370496.0 + 1023.0));
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const double* p) { __builtin_prefetch(p, 1, 3); }

    static FASTMLP_INLINE Reg add_halves(Reg a, Reg b) {
        return add(_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31));
    }
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        Reg s[4];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) s[i] = i < n ? v[i] : zero();
        FASTMLP_UNROLL
        for (int i = 0; i < 2; ++i) s[i] = add_halves(s[2 * i], s[2 * i + 1]);
        const Reg sums = add(_mm256_unpacklo_pd(s[0], s[1]), _mm256_unpackhi_pd(s[0], s[1]));
        return _mm256_permute4x64_pd(sums, 0xD8);
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) {
        v = add(v, _mm256_permute2f128_pd(v, v, 0x01));
        return add(v, _mm256_permute_pd(v, 0x5));
    }
    static FASTMLP_INLINE Reg max_all(Reg v) {
        v = max(v, _mm256_permute2f128_pd(v, v, 0x01));
        return max(v, _mm256_permute_pd(v, 0x5));
    }

    static FASTMLP_INLINE void transpose(Reg* v) {
        const Reg a = _mm256_unpacklo_pd(v[0], v[1]);
        const Reg b = _mm256_unpackhi_pd(v[0], v[1]);
        const Reg c = _mm256_unpacklo_pd(v[2], v[3]);
        const Reg d = _mm256_unpackhi_pd(v[2], v[3]);
        v[0] = _mm256_permute2f128_pd(a, c, 0x20);
        v[1] = _mm256_permute2f128_pd(b, d, 0x20);
        v[2] = _mm256_permute2f128_pd(a, c, 0x31);
        v[3] = _mm256_permute2f128_pd(b, d, 0x31);
    }
    static constexpr std::size_t kColumns = 4;
    static FASTMLP_INLINE void load_columns(const double* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) v[i] = load(rows[i * ldr] + c);
        transpose(v);
    }
    static FASTMLP_INLINE void transpose_block(const double* from, std::size_t ldf, double* to,
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
