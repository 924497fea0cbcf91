/// exp, log and related functions of vectors, compiled per instruction set.
///
/// Plain adds, multiplications, divisions and explicit fmas in one fixed order: the same bits on
/// every instruction set. The coefficients are minimax polynomials (Remez exchange on the reduced
/// range, weighted for the error of the whole function).
#pragma once

#include <cstddef>

#include "kernels/attributes.hpp"

namespace fastmlp::kernels {
namespace {

template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
    static constexpr float kExpLowest = -104.0f, kExpHighest = 89.0f;  // beyond: 0, infinity
    static constexpr float kSiluHighest = 120.0f;                      // beyond: t exp(-t) = 0
    static constexpr float kTanhHighest = 10.0f;                       // beyond: 1
    static constexpr float kLog2E = 0x1.715476p+0f;
    static constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
    static constexpr float kRoundingMagic = 0x1.8p+23f;
    static constexpr float kSmallestNormal = 0x1p-126f;
    static constexpr float kRaise = 0x1p+24f, kRaiseExponent = 24.0f;
    static constexpr float kInfinity = __builtin_inff(), kNan = __builtin_nanf("");
    static constexpr float kExp[] = {0.5f, 0x1.55548ep-3f, 0x1.55545ep-5f, 0x1.123b64p-7f,
                                     0x1.6db43ep-10f};
    static constexpr float kPhiOfZero = 0x1.988454p-2f;  // 1 / sqrt(2 pi)
    static constexpr float kTailHighest = 14.5f, kTailCentre = 2.5f;
    static constexpr float kTail[] = {
        0x1.69cee6p-1f,   -0x1.bc19c2p-2f, 0x1.0e4f2ep-3f,  0x1.2ea478p-7f,   -0x1.0c77f6p-6f,
        -0x1.a3ae94p-10f, 0x1.4abbf2p-9f,  0x1.66cb24p-11f, -0x1.45f848p-12f, -0x1.49d1p-13f};
    // 2 sqrt(2 / pi) and 0.044715 times that, and what they lack
    static constexpr float kGeluLinear = 0x1.988454p+0f, kGeluLinearLow = -0x1.857936p-25f;
    static constexpr float kGeluCubic = 0x1.2444f2p-4f, kGeluCubicLow = 0x1.49b16ap-29f;
    static constexpr float kGeluTanhHighest = 11.0f;  // beyond: t exp(-v) = 0
    static constexpr float kLog[] = {0x1.55557ap-1f, 0x1.995eb4p-2f, 0x1.31e3a6p-2f};
};

template <>
struct MathConstants<double> {
    static constexpr double kExpLowest = -746.0, kExpHighest = 710.0;
    static constexpr double kSiluHighest = 760.0;
    static constexpr double kTanhHighest = 20.0;
    static constexpr double kLog2E = 0x1.71547652b82fep+0;
    static constexpr double kLn2High = 0x1.62e42fefa2p-1, kLn2Low = 0x1.9ef35793c7673p-41;
    static constexpr double kRoundingMagic = 0x1.8p+52;
    static constexpr double kSmallestNormal = 0x1p-1022;
    static constexpr double kRaise = 0x1p+54, kRaiseExponent = 54.0;
    static constexpr double kInfinity = __builtin_inf(), kNan = __builtin_nan("");
    static constexpr double kExp[] = {
        0x1.000000000000bp-1,  0x1.5555555555561p-3,  0x1.555555555001ep-5,  0x1.111111110d62fp-7,
        0x1.6c16c185ab481p-10, 0x1.a01a01bae5cc9p-13, 0x1.a0199688be390p-16, 0x1.71dddfc41522bp-19,
        0x1.28b05383ffe9fp-22, 0x1.af8593e70834ep-26};
    static constexpr double kPhiOfZero = 0x1.9884533d43651p-2;
    static constexpr double kTailHighest = 38.7, kTailCentre = 3.5;
    static constexpr double kTail[] = {
        0x1.7d241a953a614p-1,   -0x1.2191517fa27b8p-1,  0x1.42fec3680acafp-2,
        -0x1.db5837f7f54bbp-4,  0x1.1d35bdee15ea2p-6,   0x1.a86cec765d6f6p-8,
        -0x1.a2007969f003fp-9,  -0x1.d2a14103ef83ep-12, 0x1.f3cfaaaed7191p-12,
        0x1.192860aec96cfp-14,  -0x1.3d06688417515p-14, -0x1.3b398f6062dfp-16,
        0x1.8218eb63a057ep-17,  0x1.7b495714303dbp-18,  -0x1.38b299c1da3cdp-20,
        -0x1.8d0086614fe7cp-20, -0x1.3425c094f3613p-23, 0x1.3bc9d4ffe06b1p-22,
        0x1.0ad35fd338dbfp-23,  -0x1.004ab3c475909p-25, -0x1.39ffcd302769ep-25,
        -0x1.1407b2178f26ap-28, 0x1.556878385cb25p-28,  0x1.a49420b69d93ap-30};
    static constexpr double kGeluLinear = 0x1.9884533d43651p+0;
    static constexpr double kGeluLinearLow = -0x1.cbc0d30ebfd15p-54;
    static constexpr double kGeluCubic = 0x1.2444f2a4d8b4bp-4;
    static constexpr double kGeluCubicLow = -0x1.6c843a29d1c70p-61;
    static constexpr double kGeluTanhHighest = 21.6;
    static constexpr double kLog[] = {
        0x1.5555555555592p-1, 0x1.999999997fd37p-2, 0x1.24924941f8d3cp-2, 0x1.c71c5202b1945p-3,
        0x1.7466405c179fdp-3, 0x1.39a193322093dp-3, 0x1.2f0705b1131dap-3};
};

template <class S>
struct Math {
    using Scalar = typename S::Scalar;
    using Reg = typename S::Reg;
    using C = MathConstants<Scalar>;

    static FASTMLP_ELEMENTARY Reg exp(Reg x) {
        x = S::max(S::set1(C::kExpLowest), S::min(S::set1(C::kExpHighest), x));
        Reg n, p;
        reduce(x, n, p);
        return S::scale2(S::add(one(), p), n);
    }

    static FASTMLP_ELEMENTARY Reg log(Reg x) {
        const Reg smallest = S::set1(C::kSmallestNormal);
        const Reg raised = S::select_gt(smallest, x, S::mul(x, S::set1(C::kRaise)), x);
        const Reg by = S::select_gt(smallest, x, S::set1(C::kRaiseExponent), S::zero());
        Reg mantissa, exponent;
        S::split(raised, mantissa, exponent);
        const Reg y = log_parts(S::sub(mantissa, one()), S::sub(exponent, by));
        const Reg not_positive =
            S::select_eq(x, S::zero(), S::set1(-C::kInfinity), S::set1(C::kNan));
        return S::select_gt(x, S::zero(), or_not_finite(x, y), not_positive);
    }

    /// log(x) for x >= 1 or NaN: a softmax denominator.
    static FASTMLP_ELEMENTARY Reg log_of_sum(Reg x) {
        Reg mantissa, exponent;
        S::split(x, mantissa, exponent);
        return or_not_finite(x, log_parts(S::sub(mantissa, one()), exponent));
    }

    /// log(1 + exp(-|x|)), the softplus function less max(x, 0).
    static FASTMLP_ELEMENTARY Reg log1p_exp_minus_abs(Reg x) {
        const Reg e = exp(S::sub(S::zero(), S::abs(x)));
        const Reg split_at = S::set1(Scalar(0x1.a8279ap-2));              // sqrt(2) - 1
        const Reg half = S::mul(S::set1(Scalar(0.5)), S::sub(e, one()));  // 1 + e = 2 (1 + half)
        return log_parts(S::select_gt(e, split_at, half, e),
                         S::select_gt(e, split_at, one(), S::zero()));
    }

    /// 1 / (1 + exp(-x)), without intermediate overflow.
    static FASTMLP_ELEMENTARY Reg sigmoid(Reg x) {
        const Reg e = exp(S::sub(S::zero(), S::abs(x)));
        return over_sum(S::select_gt(S::zero(), x, e, one()), one(), e);
    }

    /// t / (t + 2) with t = exp(2 |x|) - 1, without cancellation near 0.
    static FASTMLP_ELEMENTARY Reg tanh(Reg x) {
        const Reg a = S::min(S::set1(C::kTanhHighest), S::abs(x));
        const Reg t = expm1_in_range(S::add(a, a));
        return S::copysign(over_sum(t, S::set1(Scalar(2)), t), x);
    }

    /// exp(x) - 1 for x <= 0, else 0.
    static FASTMLP_ELEMENTARY Reg expm1(Reg x) {
        return expm1_in_range(S::max(S::set1(C::kExpLowest), S::min(S::zero(), x)));
    }

    /// The upper tail of the normal distribution for t >= 0: 1 - Phi(t) = exp(-t^2 / 2) ratio, and
    /// exp(-t^2 / 2) = 2^n (1 + p). t is limited to where both become 0.
    struct NormalTail {
        Reg t, ratio, n, p;

        FASTMLP_INLINE explicit NormalTail(Reg distance) {
            t = S::min(S::set1(C::kTailHighest), distance);
            const Reg centre = S::set1(C::kTailCentre), sum = S::add(t, centre);
            const Reg inverse = S::div(one(), sum);
            // (t - centre) / (t + centre), in [-1, 1)
            const Reg place = S::fma(inverse, S::set1(-2 * C::kTailCentre), one());
            const Reg near = S::mul(polynomial(place, C::kTail), inverse);
            // Corrects the rounding of `inverse`, by ratio' = t ratio - phi(0).
            const Reg part = S::sub(sum, t);
            const Reg lost = S::add(S::sub(t, S::sub(sum, part)), S::sub(centre, part));
            const Reg error = S::fnma(inverse, lost, S::fnma(inverse, sum, one()));
            const Reg slope = S::fnma(t, near, S::set1(C::kPhiOfZero));
            ratio = S::fma(S::mul(error, sum), slope, near);
            const Reg half = S::mul(S::set1(Scalar(-0.5)), t);
            const Reg exponent = S::mul(half, t);
            const Reg lost_of_it = S::fma(half, t, S::sub(S::zero(), exponent));
            p = expm1_of_rest(S::add(rest_of(exponent, n), lost_of_it));
        }

        /// x exp(-t^2 / 2), rounded as if the exponential were not subnormal
        FASTMLP_INLINE Reg times_exp(Reg x) const { return S::scale2(S::fma(x, p, x), n); }
    };

    /// t sigmoid(-t) = t e / (1 + e) with e = exp(-t), for t >= 0. t e is rounded once even if e
    /// alone would be subnormal.
    static FASTMLP_ELEMENTARY Reg times_sigmoid_of_minus(Reg t) {
        t = S::min(S::set1(C::kSiluHighest), t);
        Reg n, p;
        reduce(S::sub(S::zero(), t), n, p);
        return over_sum(S::scale2(S::fma(t, p, t), n), one(), S::scale2(S::add(one(), p), n));
    }

    /// relu(z) - z tanh(log(1 + exp(z))) = t e m / (1 + x q) with t = |z|, e = exp(-t) and
    /// q = 1 + x / 2; below 0 x = e and m = q, above x = 2 e and m = x. t e as above.
    static FASTMLP_ELEMENTARY Reg mish_lost(Reg z) {
        const Reg t = S::min(S::set1(C::kSiluHighest), S::abs(z));
        Reg n, p;
        reduce(S::sub(S::zero(), t), n, p);
        const Reg e = S::scale2(S::add(one(), p), n);
        const Reg x = S::select_gt(S::zero(), z, e, S::add(e, e));
        const Reg q = S::fma(x, S::set1(Scalar(0.5)), one());
        const Reg m = S::select_gt(S::zero(), z, q, x);
        const Reg t_times_e = S::scale2(S::fma(t, p, t), n);
        return over_sum(S::mul(t_times_e, m), one(), S::mul(x, q));
    }

    /// t sigmoid(-v) with v = t (linear + cubic t^2), the argument of gelu_tanh, for t that is not
    /// below 0. v is computed with its rounding error, which exp(-v) would multiply by v.
    static FASTMLP_ELEMENTARY Reg gelu_tanh_lost(Reg t) {
        t = S::min(S::set1(C::kGeluTanhHighest), t);
        const Reg linear = S::set1(C::kGeluLinear), cubic = S::set1(C::kGeluCubic);
        const Reg square = S::mul(t, t), square_low = S::fma(t, t, S::sub(S::zero(), square));
        const Reg product = S::mul(cubic, square);
        const Reg product_low = S::fma(cubic, square, S::sub(S::zero(), product));
        const Reg rate = S::add(product, linear), part = S::sub(rate, product);
        const Reg lost = S::add(S::sub(product, S::sub(rate, part)), S::sub(linear, part));
        const Reg rest = S::fma(S::set1(C::kGeluCubicLow), square,
                                S::fma(cubic, square_low, S::set1(C::kGeluLinearLow)));
        const Reg rate_low = S::add(S::add(lost, product_low), rest);
        const Reg v = S::mul(t, rate);
        const Reg v_low = S::fma(t, rate_low, S::fma(t, rate, S::sub(S::zero(), v)));
        Reg n;
        const Reg p = expm1_of_rest(S::sub(rest_of(S::sub(S::zero(), v), n), v_low));
        return over_sum(S::scale2(S::fma(t, p, t), n), one(), S::scale2(S::add(one(), p), n));
    }

private:
    static FASTMLP_INLINE Reg one() { return S::set1(Scalar(1)); }
    static FASTMLP_INLINE Reg or_not_finite(Reg x, Reg y) {
        return S::select_gt(S::set1(C::kInfinity), x, y, x);
    }

    /// a / (b + c), corrected for the rounding error of the sum (exactly if |c| <= |b|).
    static FASTMLP_INLINE Reg over_sum(Reg a, Reg b, Reg c) {
        const Reg sum = S::add(b, c);
        const Reg lost = S::sub(c, S::sub(sum, b));
        const Reg inverse = S::div(one(), sum);
        const Reg q = S::mul(a, inverse);
        const Reg rest = S::fnma(q, lost, S::fnma(q, sum, a));
        return S::fma(rest, inverse, q);
    }

    /// sum_i c[i] x^i, with separate sums of even and odd powers, which halves the chain of fmas.
    template <std::size_t N>
    static FASTMLP_INLINE Reg polynomial(Reg x, const Scalar (&c)[N]) {
        const Reg square = S::mul(x, x);
        Reg sum[2] = {S::set1(c[N - 1]), S::set1(c[N - 2])};
        FASTMLP_UNROLL
        for (std::size_t i = 2; i < N; ++i) {
            sum[i % 2] = S::fma(sum[i % 2], square, S::set1(c[N - 1 - i]));
        }
        const std::size_t odd = N % 2;  // where the sum of the odd powers is
        return S::fma(sum[odd], x, sum[1 - odd]);
    }

    /// exp(x) = 2^n (1 + p) with an integral n and |p| <= sqrt(2) - 1.
    static FASTMLP_INLINE void reduce(Reg x, Reg& n, Reg& p) { p = expm1_of_rest(rest_of(x, n)); }
    /// x - n ln 2 with the nearest n
    static FASTMLP_INLINE Reg rest_of(Reg x, Reg& n) {
        const Reg magic = S::set1(C::kRoundingMagic);
        n = S::sub(S::fma(x, S::set1(C::kLog2E), magic), magic);
        const Reg r = S::fnma(n, S::set1(C::kLn2High), x);
        return S::fnma(n, S::set1(C::kLn2Low), r);
    }
    /// exp(r) - 1 for |r| <= ln(2) / 2
    static FASTMLP_INLINE Reg expm1_of_rest(Reg r) {
        return S::fma(polynomial(r, C::kExp), S::mul(r, r), r);
    }

    /// exp(x) - 1, if exp(x) and 2^n are in range.
    static FASTMLP_INLINE Reg expm1_in_range(Reg x) {
        Reg n, p;
        reduce(x, n, p);
        const Reg power = S::scale2(one(), n);
        return S::fma(p, power, S::sub(power, one()));
    }

    /// k ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2), by 2 atanh(s) with s = f / (2 + f).
    static FASTMLP_INLINE Reg log_parts(Reg f, Reg k) {
        const Reg s = S::div(f, S::add(S::set1(Scalar(2)), f));
        const Reg square = S::mul(s, s);
        const Reg half = S::mul(S::mul(S::set1(Scalar(0.5)), f), f);
        const Reg rest = S::fma(square, polynomial(square, C::kLog), half);
        const Reg small = S::fma(s, rest, S::mul(k, S::set1(C::kLn2Low)));
        return S::fma(k, S::set1(C::kLn2High), S::add(f, S::sub(small, half)));
    }
};

}  // namespace
}  // namespace fastmlp::kernels
