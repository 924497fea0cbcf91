/// Vector operations for AArch64 NEON: 4 lanes of float32, 2 lanes of float64. They are documented
/// in simd_scalar.hpp.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/simd_neon_u32.hpp"

namespace fastmlp::kernels {
namespace {

struct F32 {
    using Scalar = float;
    using Reg = float32x4_t;
    static constexpr std::size_t kLanes = 4;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 4;

    static FASTMLP_INLINE Reg zero() { return vdupq_n_f32(0.0f); }
    static FASTMLP_INLINE Reg set1(float x) { return vdupq_n_f32(x); }
    static FASTMLP_INLINE Reg load(const float* p) { return vld1q_f32(p); }
    static FASTMLP_INLINE void store(float* p, Reg v) { vst1q_f32(p, v); }
    static FASTMLP_INLINE Reg load_partial(const float* p, std::size_t n) {
        Reg v = zero();
        if (n > 0) v = vsetq_lane_f32(p[0], v, 0);
        if (n > 1) v = vsetq_lane_f32(p[1], v, 1);
        if (n > 2) v = vsetq_lane_f32(p[2], v, 2);
        if (n > 3) v = vsetq_lane_f32(p[3], v, 3);
        return v;
    }
    static FASTMLP_INLINE void store_partial(float* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        float32x2_t two = vget_low_f32(v);
        if (n & 2) vst1_f32(p, two), p += 2, two = vget_high_f32(v);
        if (n & 1) vst1_lane_f32(p, two, 0);
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        const uint32x4_t index =
            vcombine_u32(vcreate_u32(0x0000000100000000u), vcreate_u32(0x0000000300000002u));
        return vbslq_f32(vcltq_u32(index, vdupq_n_u32(static_cast<std::uint32_t>(n))), v, rest);
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        int32x4_t v = vdupq_n_s32(0);
        if (n > 0) v = vsetq_lane_s32(p[0], v, 0);
        if (n > 1) v = vsetq_lane_s32(p[1], v, 1);
        if (n > 2) v = vsetq_lane_s32(p[2], v, 2);
        if (n > 3) v = vsetq_lane_s32(p[3], v, 3);
        return vcvtq_f32_s32(v);
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return vaddq_f32(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return vsubq_f32(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return vmulq_f32(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return vdivq_f32(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return vsqrtq_f32(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return vfmsq_f32(c, a, b); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return select_gt(a, b, a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return select_gt(b, a, a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return vabsq_f32(x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        return vbslq_f32(vdupq_n_u32(0x80000000u), sign, x);
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return vbslq_f32(vcleq_f32(h, zero()), zero(), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return vbslq_f32(vcgtq_f32(a, b), x, y);
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return vbslq_f32(vceqq_f32(a, b), x, y);
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        return vbslq_f32(vcgeq_u32(vld1q_u32(words), vdupq_n_u32(least)), x, zero());
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        return vminvq_u32(vcltq_f32(abs(x), limit)) != 0;
    }

    static FASTMLP_INLINE Reg power_of_two(int32x4_t n) {
        return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
    }
    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) {
        const int32x4_t whole = vcvtnq_s32_f32(n);
        const int32x4_t half = vshrq_n_s32(whole, 1);
        return mul(mul(x, power_of_two(half)), power_of_two(vsubq_s32(whole, half)));
    }
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const int32x4_t bits = vreinterpretq_s32_f32(x);
        const int32x4_t e = vshrq_n_s32(vsubq_s32(bits, vdupq_n_s32(0x3F3504F3)), 23);
        mantissa = vreinterpretq_f32_s32(vsubq_s32(bits, vshlq_n_s32(e, 23)));
        exponent = vcvtq_f32_s32(e);
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const float* p) { __builtin_prefetch(p, 1, 3); }

    static FASTMLP_INLINE Reg add_halves(Reg a, Reg b) {
        return add(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                   vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
    }
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        Reg s[4];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) s[i] = i < n ? v[i] : zero();
        const Reg ab = add_halves(s[0], s[1]);
        const Reg cd = add_halves(s[2], s[3]);
        return vpaddq_f32(ab, cd);
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) {
        v = add(v, vextq_f32(v, v, 2));
        return add(v, vrev64q_f32(v));
    }
    static FASTMLP_INLINE Reg max_all(Reg v) {
        v = max(v, vextq_f32(v, v, 2));
        return max(v, vrev64q_f32(v));
    }

    static FASTMLP_INLINE void transpose(Reg* v) {
        const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(v[0], v[1]));
        const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(v[0], v[1]));
        const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(v[2], v[3]));
        const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(v[2], v[3]));
        v[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
        v[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
        v[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
        v[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
    }
    static constexpr std::size_t kColumns = 4;
    static FASTMLP_INLINE void load_columns(const float* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 4; ++i) v[i] = load(rows[i * ldr] + c);
        transpose(v);
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

struct F64 {
    using Scalar = double;
    using Reg = float64x2_t;
    static constexpr std::size_t kLanes = 2;
    static constexpr int kRows = 6;
    static constexpr int kVectors = 4;

    static FASTMLP_INLINE Reg zero() { return vdupq_n_f64(0.0); }
    static FASTMLP_INLINE Reg set1(double x) { return vdupq_n_f64(x); }
    static FASTMLP_INLINE Reg load(const double* p) { return vld1q_f64(p); }
    static FASTMLP_INLINE void store(double* p, Reg v) { vst1q_f64(p, v); }
    static FASTMLP_INLINE Reg load_partial(const double* p, std::size_t n) {
        if (n >= kLanes) return load(p);
        return n != 0 ? vcombine_f64(vld1_f64(p), vdup_n_f64(0.0)) : zero();
    }
    static FASTMLP_INLINE void store_partial(double* p, Reg v, std::size_t n) {
        if (n >= kLanes) return store(p, v);
        if (n != 0) vst1_f64(p, vget_low_f64(v));
    }
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        if (n >= kLanes) return v;
        return n != 0 ? vcombine_f64(vget_low_f64(v), vget_high_f64(rest)) : rest;
    }
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        Reg v = zero();
        if (n > 0) v = vsetq_lane_f64(static_cast<double>(p[0]), v, 0);
        if (n > 1) v = vsetq_lane_f64(static_cast<double>(p[1]), v, 1);
        return v;
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return vaddq_f64(a, b); }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return vsubq_f64(a, b); }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return vmulq_f64(a, b); }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return vdivq_f64(a, b); }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return vsqrtq_f64(x); }
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f64(c, a, b); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return vfmsq_f64(c, a, b); }
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return select_gt(a, b, a, b); }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return select_gt(b, a, a, b); }
    static FASTMLP_INLINE Reg abs(Reg x) { return vabsq_f64(x); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        return vbslq_f64(vdupq_n_u64(0x8000000000000000u), sign, x);
    }
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) {
        return vbslq_f64(vcleq_f64(h, zero()), zero(), d);
    }
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) {
        return vbslq_f64(vcgtq_f64(a, b), x, y);
    }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) {
        return vbslq_f64(vceqq_f64(a, b), x, y);
    }
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        const uint32x2_t kept = vcge_u32(vld1_u32(words), vdup_n_u32(least));
        const int64x2_t wide = vmovl_s32(vreinterpret_s32_u32(kept));
        return vbslq_f64(vreinterpretq_u64_s64(wide), x, zero());
    }
    /// Whether |x| < limit for all lanes; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) {
        const uint64x2_t below = vcltq_f64(abs(x), limit);
        return (vgetq_lane_u64(below, 0) & vgetq_lane_u64(below, 1)) != 0;
    }

    static FASTMLP_INLINE Reg power_of_two(int64x2_t n) {
        return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(n, vdupq_n_s64(1023)), 52));
    }
    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) {
        const int64x2_t whole = vcvtnq_s64_f64(n);
        const int64x2_t half = vshrq_n_s64(whole, 1);
        return mul(mul(x, power_of_two(half)), power_of_two(vsubq_s64(whole, half)));
    }
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const int64x2_t bits = vreinterpretq_s64_f64(x);
        const int64x2_t e = vshrq_n_s64(vsubq_s64(bits, vdupq_n_s64(0x3FE6A09E667F3BCD)), 52);
        mantissa = vreinterpretq_f64_s64(vsubq_s64(bits, vshlq_n_s64(e, 52)));
        exponent = vcvtq_f64_s64(e);
    }

    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const double* p) { __builtin_prefetch(p, 1, 3); }

    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) {
        return vpaddq_f64(n > 0 ? v[0] : zero(), n > 1 ? v[1] : zero());
    }
    static FASTMLP_INLINE Reg sum_all(Reg v) { return add(v, vextq_f64(v, v, 1)); }
    static FASTMLP_INLINE Reg max_all(Reg v) { return max(v, vextq_f64(v, v, 1)); }

    static FASTMLP_INLINE void transpose(Reg* v) {
        const Reg a = v[0];
        v[0] = vtrn1q_f64(a, v[1]);
        v[1] = vtrn2q_f64(a, v[1]);
    }
    static constexpr std::size_t kColumns = 2;
    static FASTMLP_INLINE void load_columns(const double* const* rows, std::size_t ldr,
                                            std::size_t c, Reg* v) {
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < 2; ++i) v[i] = load(rows[i * ldr] + c);
        transpose(v);
    }
    static FASTMLP_INLINE void transpose_block(const double* from, std::size_t ldf, double* to,
                                               std::size_t ldt) {
        Reg v[2] = {load(from), load(from + ldf)};
        transpose(v);
        store(to, v[0]);
        store(to + ldt, v[1]);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
