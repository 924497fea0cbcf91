/// Vector operations for any machine: one lane. This is the reference for their meaning.
///
/// simd_avx2.hpp, simd_avx512.hpp and simd_neon.hpp define the same two structs, and every
/// operation gives the same bits there lane by lane, except for the payload of NaNs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/simd_scalar_u32.hpp"

namespace fastmlp::kernels {
namespace {

/// What depends on the element type.
struct Float32 {
    using Scalar = float;
    using Word = std::uint32_t;
    using Integer = std::int32_t;
    static constexpr int kMantissaBits = 23;
    static constexpr Word kBias = 127;
    static constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float kSqrtHalf = 0x1.6a09e6p-1f;
    static FASTMLP_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
    static FASTMLP_INLINE float root(float x) { return __builtin_sqrtf(x); }
};

struct Float64 {
    using Scalar = double;
    using Word = std::uint64_t;
    using Integer = std::int64_t;
    static constexpr int kMantissaBits = 52;
    static constexpr Word kBias = 1023;
    static constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
    static FASTMLP_INLINE double fused(double a, double b, double c) {
        return __builtin_fma(a, b, c);
    }
    static FASTMLP_INLINE double root(double x) { return __builtin_sqrt(x); }
};

template <class Type>
struct OneLane {
    using Scalar = typename Type::Scalar;
    using Reg = Scalar;
    using Word = typename Type::Word;
    using Integer = typename Type::Integer;
    static constexpr std::size_t kLanes = 1;
    static constexpr int kRows = 2;  // the register tile of the matrix products
    static constexpr int kVectors = 4;

    static FASTMLP_INLINE Reg zero() { return Scalar(0); }
    static FASTMLP_INLINE Reg set1(Scalar x) { return x; }
    static FASTMLP_INLINE Reg load(const Scalar* p) { return *p; }
    static FASTMLP_INLINE void store(Scalar* p, Reg v) { *p = v; }
    /// The first n lanes, the others +0; reads no memory beyond them. n <= kLanes here and below.
    static FASTMLP_INLINE Reg load_partial(const Scalar* p, std::size_t n) {
        return n != 0 ? *p : zero();
    }
    static FASTMLP_INLINE void store_partial(Scalar* p, Reg v, std::size_t n) {
        if (n != 0) *p = v;
    }
    /// The first n lanes of v, the others from rest.
    static FASTMLP_INLINE Reg keep_first(Reg v, std::size_t n, Reg rest) {
        return n != 0 ? v : rest;
    }
    /// Like load_partial, for integers; exact up to 2^24.
    static FASTMLP_INLINE Reg load_int32(const std::int32_t* p, std::size_t n) {
        return n != 0 ? static_cast<Scalar>(*p) : zero();
    }

    static FASTMLP_INLINE Reg add(Reg a, Reg b) { return a + b; }
    static FASTMLP_INLINE Reg sub(Reg a, Reg b) { return a - b; }
    static FASTMLP_INLINE Reg mul(Reg a, Reg b) { return a * b; }
    static FASTMLP_INLINE Reg div(Reg a, Reg b) { return a / b; }
    static FASTMLP_INLINE Reg sqrt(Reg x) { return Type::root(x); }
    /// a * b + c and c - a * b, rounded once.
    static FASTMLP_INLINE Reg fma(Reg a, Reg b, Reg c) { return Type::fused(a, b, c); }
    static FASTMLP_INLINE Reg fnma(Reg a, Reg b, Reg c) { return Type::fused(-a, b, c); }
    /// The second operand if either is NaN.
    static FASTMLP_INLINE Reg max(Reg a, Reg b) { return a > b ? a : b; }
    static FASTMLP_INLINE Reg min(Reg a, Reg b) { return a < b ? a : b; }
    static FASTMLP_INLINE Reg abs(Reg x) { return from_bits(bits(x) & ~kSign); }
    static FASTMLP_INLINE Reg copysign(Reg x, Reg sign) {
        return from_bits((bits(x) & ~kSign) | (bits(sign) & kSign));
    }
    /// d, but +0 where h <= 0 (2.12); a NaN h keeps d.
    static FASTMLP_INLINE Reg relu_mask(Reg h, Reg d) { return h <= Scalar(0) ? zero() : d; }
    /// x, but +0 where x < 0; -0 and NaN stay.
    static FASTMLP_INLINE Reg relu(Reg x) { return max(zero(), x); }
    static FASTMLP_INLINE Reg select_gt(Reg a, Reg b, Reg x, Reg y) { return a > b ? x : y; }
    static FASTMLP_INLINE Reg select_eq(Reg a, Reg b, Reg x, Reg y) { return a == b ? x : y; }
    /// x if its word is at least `least`, else +0.
    static FASTMLP_INLINE Reg keep_at_least(const std::uint32_t* words, std::uint32_t least,
                                            Reg x) {
        return *words >= least ? x : zero();
    }
    /// Whether |x| < limit; false for NaN.
    static FASTMLP_INLINE bool all_below(Reg x, Reg limit) { return x < limit && -x < limit; }

    /// x * 2^n rounded once, for x = NaN or 0.5 <= |x| < 2 and integral |n| <= 1076 (float32: 252),
    /// or 2^-20 <= |x| < 2^20 and |n| <= 1100 (float32: 200), or any x and n = 0.
    static FASTMLP_INLINE Reg scale2(Reg x, Reg n) {
        const Integer whole = static_cast<Integer>(bits(n + Type::kMagic) - bits(Type::kMagic));
        const Integer half = whole >> 1;  // x * 2^half is exact
        return x * power_of_two(half) * power_of_two(whole - half);
    }
    /// x = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)); x positive and normal.
    static FASTMLP_INLINE void split(Reg x, Reg& mantissa, Reg& exponent) {
        const Integer e =
            static_cast<Integer>(bits(x) - bits(Type::kSqrtHalf)) >> Type::kMantissaBits;
        mantissa = from_bits(bits(x) - (static_cast<Word>(e) << Type::kMantissaBits));
        exponent = static_cast<Scalar>(e);
    }

    /// Keeps a loaded value in its register, see attributes.hpp.
    static FASTMLP_INLINE void pin(Reg& v) { FASTMLP_PIN(v); }
    static FASTMLP_INLINE void prefetch_write(const Scalar* p) { __builtin_prefetch(p, 1, 3); }

    /// Lane i: the sum of the lanes of v[i] by halving (lane r + lane r + L/2, then L/4, ...), i <
    /// n.
    static FASTMLP_INLINE Reg reduce(const Reg* v, std::size_t n) { return n != 0 ? *v : zero(); }
    /// The same sum of one register, and its greatest lane, in every lane.
    static FASTMLP_INLINE Reg sum_all(Reg v) { return v; }
    static FASTMLP_INLINE Reg max_all(Reg v) { return v; }

    /// kLanes x kLanes elements, in registers and from memory to memory.
    static FASTMLP_INLINE void transpose(Reg*) {}
    /// v[j] = column c + j, j < kColumns, of a row in each lane; that of lane i is at rows[i *
    /// ldr].
    static constexpr std::size_t kColumns = 1;
    static FASTMLP_INLINE void load_columns(const Scalar* const* rows, std::size_t, std::size_t c,
                                            Reg* v) {
        v[0] = load(rows[0] + c);
    }
    static FASTMLP_INLINE void transpose_block(const Scalar* from, std::size_t, Scalar* to,
                                               std::size_t) {
        *to = *from;
    }

private:
    static constexpr Word kSign = Word(1) << (8 * sizeof(Scalar) - 1);

    static FASTMLP_INLINE Word bits(Scalar x) { return __builtin_bit_cast(Word, x); }
    static FASTMLP_INLINE Scalar from_bits(Word w) { return __builtin_bit_cast(Scalar, w); }
    static FASTMLP_INLINE Scalar power_of_two(Integer n) {
        return from_bits((static_cast<Word>(n) + Type::kBias) << Type::kMantissaBits);
    }
};

using F32 = OneLane<Float32>;
using F64 = OneLane<Float64>;

}  // namespace
}  // namespace fastmlp::kernels
