/// The float64 half of simd_avx512.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

struct F64 {
    using Scalar = double;
    using Reg = __m512d;
    static constexpr std::size_t kLanes = 8;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 4;

    static FASTMLP_INLINE Reg zero() { return _mm512_setzero_pd(); }
    static FASTMLP_INLINE Reg set1(double x) { return _mm512_set1_pd(x); }
    static FASTMLP_INLINE Reg load(const double* p) { return _mm512_loadu_pd(p); }
    static FASTMLP_INLINE void store(double* p, Reg v) { _mm512_storeu_pd(p, v); }
    static FASTMLP_INLINE __mmask8 first(std::size_t n) {
        return static_cast<__mmask8>((1u << n) - 1u);
    }
    static FASTMLP_INLINE Reg load_partial(const double* p, std::size_t n) {
        return _mm512_maskz_loadu_pd(first(n), p);
    }
    static FASTMLP_INLINE void store_partial(double* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        __m256d four = _mm512_castpd512_pd256(v);
        if (n & 4) _mm256_storeu_pd(p, four), p += 4, four = _mm512_extractf64x4_pd(v, 1);
        __m128d two = _mm256_castpd256_pd128(four);
        if (n & 2) _mm_storeu_pd(p, two), p += 2, two = _mm256_extractf128_pd(four, 1);
        if (n & 1) _mm_store_sd(p, two);
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        return _mm512_mask_mov_pd(rest, first(n), v);
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        return _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(first(n), p));
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return _mm512_add_pd(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return _mm512_sub_pd(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return _mm512_mul_pd(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return _mm512_div_pd(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return _mm512_sqrt_pd(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_pd(a, b, c); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return _mm512_fnmadd_pd(a, b, c); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return _mm512_max_pd(a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return _mm512_min_pd(a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return _mm512_abs_pd(x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        const Reg minus = _mm512_set1_pd(-0.0);
        return _mm512_or_pd(_mm512_andnot_pd(minus, x), _mm512_and_pd(minus, sign));
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(h, zero(), _CMP_NLE_UQ), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ), x);
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ), x);
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        const __m256i drawn = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
        const __m256i all = _mm256_set1_epi32(static_cast<int>(least));
        return _mm512_maskz_mov_pd(_mm256_cmpge_epu32_mask(drawn, all), x);
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        return _mm512_cmp_pd_mask(abs(x), limit, _CMP_LT_OQ) == 0xFF;
    }

    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) { return _mm512_scalef_pd(x, n); }
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const __m512i bits = _mm512_castpd_si512(x);
        const __m512i e =
            _mm512_srai_epi64(_mm512_sub_epi64(bits, _mm512_set1_epi64(0x3FE6A09E667F3BCD)), 52);
        mantissa = _mm512_castsi512_pd(_mm512_sub_epi64(bits, _mm512_slli_epi64(e, 52)));
        exponent = _mm512_cvtepi64_pd(e);
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const double* p) { __builtin_prefetch(p, 1, 3); }

    static FASTMLP_INLINE Reg add_halves(Reg a, Reg b) {
        return add(_mm512_shuffle_f64x2(a, b, 0x44), _mm512_shuffle_f64x2(a, b, 0xEE));
    }
    static FASTMLP_INLINE Reg add_quarters(Reg a, Reg b) {
        return add(_mm512_shuffle_f64x2(a, b, 0x88), _mm512_shuffle_f64x2(a, b, 0xDD));
    }
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        Reg s[8];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 8; ++i) s[i] = i < n ? v[i] : zero();
        FASTMLP_UNROLL
        for (int i = 0; i < 4; ++i) s[i] = add_halves(s[2 * i], s[2 * i + 1]);
        FASTMLP_UNROLL
        for (int i = 0; i < 2; ++i) s[i] = add_quarters(s[2 * i], s[2 * i + 1]);
        const Reg sums = add(_mm512_unpacklo_pd(s[0], s[1]), _mm512_unpackhi_pd(s[0], s[1]));
        const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        return _mm512_permutexvar_pd(order, sums);
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) {
        v = add(v, _mm512_shuffle_f64x2(v, v, 0x4E));
        v = add(v, _mm512_shuffle_f64x2(v, v, 0xB1));
        return add(v, _mm512_permute_pd(v, 0x55));
    }
    static FASTMLP_INLINE Reg max_all(Reg v) {
        v = max(v, _mm512_shuffle_f64x2(v, v, 0x4E));
        v = max(v, _mm512_shuffle_f64x2(v, v, 0xB1));
        return max(v, _mm512_permute_pd(v, 0x55));
    }

    static FASTMLP_INLINE void transpose(Reg* v) {
        Reg t[8];
        FASTMLP_UNROLL
        for (int i = 0; i < 8; i += 2) {  // 2 x 2 blocks inside 128 bits
            t[i] = _mm512_unpacklo_pd(v[i], v[i + 1]);
            t[i + 1] = _mm512_unpackhi_pd(v[i], v[i + 1]);
        }
        FASTMLP_UNROLL
        for (int i = 0; i < 2; ++i) {  // the blocks themselves
            const Reg ab = _mm512_shuffle_f64x2(t[i], t[i + 2], 0x88);
            const Reg cd = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0x88);
            const Reg ef = _mm512_shuffle_f64x2(t[i], t[i + 2], 0xDD);
            const Reg gh = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0xDD);
            v[i] = _mm512_shuffle_f64x2(ab, cd, 0x88);
            v[i + 2] = _mm512_shuffle_f64x2(ef, gh, 0x88);
            v[i + 4] = _mm512_shuffle_f64x2(ab, cd, 0xDD);
            v[i + 6] = _mm512_shuffle_f64x2(ef, gh, 0xDD);
        }
    }
    static constexpr std::size_t kColumns = 2;
    static FASTMLP_INLINE void load_columns(const double* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        const auto two = [=](std::size_t row)
                             FASTMLP_INLINE_LAMBDA { return _mm_loadu_pd(rows[row * ldr] + c); };
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 2; ++i) {
            Reg all = _mm512_castpd128_pd512(two(i));
            all = _mm512_mask_broadcast_f64x2(all, 0x0C, two(2 + i));
            all = _mm512_mask_broadcast_f64x2(all, 0x30, two(4 + i));
            v[i] = _mm512_mask_broadcast_f64x2(all, 0xC0, two(6 + i));
        }
        const Reg low = _mm512_unpacklo_pd(v[0], v[1]);
        v[1] = _mm512_unpackhi_pd(v[0], v[1]);
        v[0] = low;
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
