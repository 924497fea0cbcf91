/// Vector operations for AVX-512 (F, BW, VL, DQ): 16 lanes of float32, 8 lanes of float64.
/// Every simd_<isa>.hpp defines the same two structs, documented in simd_scalar.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

// gcc 12 warns of its own deliberately undefined registers inside these headers (GCC PR 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/attributes.hpp"
#include "kernels/simd_avx512_f64.hpp"
#include "kernels/simd_avx512_u32.hpp"

namespace fastmlp::kernels {
namespace {

struct F32 {
    using Scalar = float;
    using Reg = __m512;
    static constexpr std::size_t kLanes = 16;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 4;

    static FASTMLP_INLINE Reg zero() { return _mm512_setzero_ps(); }
    static FASTMLP_INLINE Reg set1(float x) { return _mm512_set1_ps(x); }
    static FASTMLP_INLINE Reg load(const float* p) { return _mm512_loadu_ps(p); }
    static FASTMLP_INLINE void store(float* p, Reg v) { _mm512_storeu_ps(p, v); }
    static FASTMLP_INLINE __mmask16 first(std::size_t n) {
        return static_cast<__mmask16>((1u << n) - 1u);
    }
    static FASTMLP_INLINE Reg load_partial(const float* p, std::size_t n) {
        return _mm512_maskz_loadu_ps(first(n), p);
    }
    // In pieces: a masked store prevents store forwarding.
    static FASTMLP_INLINE void store_partial(float* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        __m256 eight = _mm512_castps512_ps256(v);
        if (n & 8) _mm256_storeu_ps(p, eight), p += 8, eight = _mm512_extractf32x8_ps(v, 1);
        __m128 four = _mm256_castps256_ps128(eight);
        if (n & 4) _mm_storeu_ps(p, four), p += 4, four = _mm256_extractf128_ps(eight, 1);
        if (n & 2) {
            _mm_storel_pi(reinterpret_cast<__m64*>(p), four);
            p += 2;
            four = _mm_movehl_ps(four, four);
        }
        if (n & 1) _mm_store_ss(p, four);
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        return _mm512_mask_mov_ps(rest, first(n), v);
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        return _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(first(n), p));
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return _mm512_sqrt_ps(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return _mm512_fnmadd_ps(a, b, c); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return _mm512_abs_ps(x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        const Reg minus = _mm512_set1_ps(-0.0f);
        return _mm512_or_ps(_mm512_andnot_ps(minus, x), _mm512_and_ps(minus, sign));
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(h, zero(), _CMP_NLE_UQ), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), x);
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), x);
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        const __m512i all = _mm512_set1_epi32(static_cast<int>(least));
        return _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(_mm512_loadu_si512(words), all), x);
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        return _mm512_cmp_ps_mask(abs(x), limit, _CMP_LT_OQ) == 0xFFFF;
    }

    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) { return _mm512_scalef_ps(x, n); }
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const __m512i bits = _mm512_castps_si512(x);
        const __m512i e =
            _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3F3504F3)), 23);
        mantissa = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(e, 23)));
        exponent = _mm512_cvtepi32_ps(e);
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const float* p) { __builtin_prefetch(p, 1, 3); }

    /// Adds halves of 256 bits, then of 128 bits, of a and b.
    static FASTMLP_INLINE Reg add_halves(Reg a, Reg b) {
        return add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    }
    static FASTMLP_INLINE Reg add_quarters(Reg a, Reg b) {
        return add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    }
    static FASTMLP_INLINE Reg add_pairs(Reg a, Reg b) {
        return add(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
    }
    static FASTMLP_INLINE Reg add_neighbours(Reg a, Reg b) {
        return add(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
    }
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        Reg s[16];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 16; ++i) s[i] = i < n ? v[i] : zero();
        FASTMLP_UNROLL
        for (int i = 0; i < 8; ++i) s[i] = add_halves(s[2 * i], s[2 * i + 1]);
        FASTMLP_UNROLL
        for (int i = 0; i < 4; ++i) s[i] = add_quarters(s[2 * i], s[2 * i + 1]);
        FASTMLP_UNROLL
        for (int i = 0; i < 2; ++i) s[i] = add_pairs(s[2 * i], s[2 * i + 1]);
        const __m512i order =
            _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return _mm512_permutexvar_ps(order, add_neighbours(s[0], s[1]));
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) {
        v = add(v, _mm512_shuffle_f32x4(v, v, 0x4E));
        v = add(v, _mm512_shuffle_f32x4(v, v, 0xB1));
        v = add(v, _mm512_permute_ps(v, 0x4E));
        return add(v, _mm512_permute_ps(v, 0xB1));
    }
    static FASTMLP_INLINE Reg max_all(Reg v) {
        v = max(v, _mm512_shuffle_f32x4(v, v, 0x4E));
        v = max(v, _mm512_shuffle_f32x4(v, v, 0xB1));
        v = max(v, _mm512_permute_ps(v, 0x4E));
        return max(v, _mm512_permute_ps(v, 0xB1));
    }

    /// The 4 x 4 blocks inside 128 bits of four vectors; `to` may be `v`.
    static FASTMLP_INLINE void transpose_quarters(const Reg* v, Reg* to) {
        const Reg ab = _mm512_unpacklo_ps(v[0], v[1]), cd = _mm512_unpacklo_ps(v[2], v[3]);
        const Reg ef = _mm512_unpackhi_ps(v[0], v[1]), gh = _mm512_unpackhi_ps(v[2], v[3]);
        to[0] = _mm512_shuffle_ps(ab, cd, 0x44);
        to[1] = _mm512_shuffle_ps(ab, cd, 0xEE);
        to[2] = _mm512_shuffle_ps(ef, gh, 0x44);
        to[3] = _mm512_shuffle_ps(ef, gh, 0xEE);
    }
    static FASTMLP_INLINE void transpose(Reg* v) {
        Reg t[16];
        FASTMLP_UNROLL
        for (int i = 0; i < 16; i += 4) transpose_quarters(v + i, t + i);
        FASTMLP_UNROLL
        for (int i = 0; i < 4; ++i) {  // the blocks themselves
            const Reg ab = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
            const Reg cd = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
            const Reg ef = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xDD);
            const Reg gh = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xDD);
            v[i] = _mm512_shuffle_f32x4(ab, cd, 0x88);
            v[i + 4] = _mm512_shuffle_f32x4(ef, gh, 0x88);
            v[i + 8] = _mm512_shuffle_f32x4(ab, cd, 0xDD);
            v[i + 12] = _mm512_shuffle_f32x4(ef, gh, 0xDD);
        }
    }
    /// Masked broadcasts need no shuffle, of which some processors have only one a cycle.
    static constexpr std::size_t kColumns = 4;
    static FASTMLP_INLINE void load_columns(const float* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        const auto four = [=](std::size_t row)
                              FASTMLP_INLINE_LAMBDA { return _mm_loadu_ps(rows[row * ldr] + c); };
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) {
            Reg all = _mm512_castps128_ps512(four(i));
            all = _mm512_mask_broadcast_f32x4(all, 0x00F0, four(4 + i));
            all = _mm512_mask_broadcast_f32x4(all, 0x0F00, four(8 + i));
            v[i] = _mm512_mask_broadcast_f32x4(all, 0xF000, four(12 + i));
        }
        transpose_quarters(v, v);
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
