/// The activations, their derivatives h'(z) (`slope`) and second derivatives h''(z) (`curvature`),
/// both computed from h = h(z), or from z if h is not enough. Those made of straight pieces have no
/// curvature; at a kink h'' is that of the piece whose slope h' is.
/// Softmax, which needs whole rows, is in `losses-inl.hpp`.
#pragma once

#include "kernels/attributes.hpp"
#include "kernels/math-inl.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
struct Activations {
    using Scalar = typename S::Scalar;
    using Reg = typename S::Reg;
    using C = MathConstants<Scalar>;
    using M = Math<S>;

    static FASTMLP_INLINE Reg relu(Reg z) { return S::relu(z); }

    static FASTMLP_INLINE Reg leaky_relu(Reg z, Reg slope) {
        return S::select_gt(S::zero(), z, S::mul(z, slope), z);
    }
    /// At 0 it is the slope below, as in PyTorch, also for z < 0 so small that h is 0.
    static FASTMLP_INLINE Reg leaky_relu_slope(Reg h, Reg slope) {
        return S::select_gt(h, S::zero(), one(), slope);
    }

    static FASTMLP_INLINE Reg elu(Reg z, Reg alpha) {
        return S::select_gt(S::zero(), z, S::mul(M::expm1(z), alpha), z);
    }
    /// At 0 it is alpha, as in torch.
    static FASTMLP_INLINE Reg elu_slope(Reg h, Reg alpha) {
        return S::select_gt(h, S::zero(), one(), S::add(h, alpha));
    }
    static FASTMLP_INLINE Reg elu_curvature(Reg h, Reg alpha) {
        return S::select_gt(h, S::zero(), S::zero(), S::add(h, alpha));
    }

    /// elu times a factor, with an alpha, both such that a layer keeps mean 0 and variance 1
    /// (Klambauer et al. 2017).
    static FASTMLP_INLINE Reg selu(Reg z) {
        return S::select_gt(S::zero(), z, S::mul(M::expm1(z), selu_below()),
                            S::mul(z, selu_above()));
    }
    /// The slope at 0 is that of z < 0, as in PyTorch.
    static FASTMLP_INLINE Reg selu_slope(Reg h) {
        return S::select_gt(h, S::zero(), selu_above(), S::add(h, selu_below()));
    }
    static FASTMLP_INLINE Reg selu_curvature(Reg h) {
        return S::select_gt(h, S::zero(), S::zero(), S::add(h, selu_below()));
    }

    static FASTMLP_INLINE Reg relu6(Reg z) { return S::min(S::set1(Scalar(6)), S::relu(z)); }
    /// The slope at 0 and at 6 is 0, as in PyTorch.
    static FASTMLP_INLINE Reg relu6_slope(Reg h) {
        const Reg below_6 = S::select_gt(S::set1(Scalar(6)), h, one(), S::zero());
        return S::select_gt(h, S::zero(), below_6, S::zero());
    }

    /// z relu6(z + 3) / 6, with z limited to at least -3, so that minus infinity gives 0.
    static FASTMLP_INLINE Reg hardswish(Reg z) {
        const Reg gate = S::div(relu6(S::add(z, S::set1(Scalar(3)))), S::set1(Scalar(6)));
        return S::mul(S::max(S::set1(Scalar(-3)), z), gate);
    }
    /// The slope is 0 at -3 and 1 at 3, as in PyTorch.
    static FASTMLP_INLINE Reg hardswish_slope(Reg z) {
        const Reg third = S::set1(Scalar(1) / Scalar(3));
        const Reg inside = S::select_gt(S::set1(Scalar(3)), z, S::fma(z, third, half()), one());
        return S::select_gt(z, S::set1(Scalar(-3)), inside, S::zero());
    }
    static FASTMLP_INLINE Reg hardswish_curvature(Reg z) {
        const Reg third = S::set1(Scalar(1) / Scalar(3));
        const Reg below_3 = S::select_gt(S::set1(Scalar(3)), z, third, S::zero());
        return S::select_gt(z, S::set1(Scalar(-3)), below_3, S::zero());
    }

    static FASTMLP_INLINE Reg sigmoid(Reg z) { return M::sigmoid(z); }
    static FASTMLP_INLINE Reg sigmoid_slope(Reg h) { return S::mul(h, S::sub(one(), h)); }
    static FASTMLP_INLINE Reg sigmoid_curvature(Reg h) {
        return S::mul(sigmoid_slope(h), S::fnma(two(), h, one()));
    }

    static FASTMLP_INLINE Reg tanh(Reg z) { return M::tanh(z); }
    static FASTMLP_INLINE Reg tanh_slope(Reg h) { return S::fnma(h, h, one()); }
    static FASTMLP_INLINE Reg tanh_curvature(Reg h) {
        return S::mul(tanh_slope(h), S::mul(S::set1(Scalar(-2)), h));
    }

    /// log(1 + exp(z)), without intermediate overflow.
    static FASTMLP_INLINE Reg softplus(Reg z) {
        return S::add(S::relu(z), M::log1p_exp_minus_abs(z));
    }
    /// sigmoid(z) = 1 - exp(-h)
    static FASTMLP_INLINE Reg softplus_slope(Reg h) {
        return S::sub(S::zero(), M::expm1(S::sub(S::zero(), h)));
    }
    /// sigmoid(z) sigmoid(-z), the second being exp(-h)
    static FASTMLP_INLINE Reg softplus_curvature(Reg h) {
        return S::mul(softplus_slope(h), M::exp(S::sub(S::zero(), h)));
    }

    static FASTMLP_INLINE Reg exp(Reg z) { return M::exp(z); }
    static FASTMLP_INLINE Reg exp_slope(Reg h) { return h; }
    static FASTMLP_INLINE Reg exp_curvature(Reg h) { return h; }

    /// z sigmoid(z) = relu(z) - t e / (1 + e) with t = |z| and e = exp(-t): no cancellation.
    static FASTMLP_INLINE Reg silu(Reg z) {
        return S::sub(S::relu(z), M::times_sigmoid_of_minus(S::abs(z)));
    }
    /// s (1 - t (1 - s)) with t = |z| and s = sigmoid(-t) below 0, one minus that above
    static FASTMLP_INLINE Reg silu_slope(Reg z) {
        const Reg t = S::abs(z), s = M::sigmoid(S::sub(S::zero(), t));
        const Reg below = S::mul(s, S::fnma(t, S::sub(one(), s), one()));
        return S::select_gt(z, S::zero(), S::sub(one(), below), below);
    }
    /// s (1 - s) (2 - t (1 - 2 s)), the same for z and -z
    static FASTMLP_INLINE Reg silu_curvature(Reg z) {
        const Reg t = S::min(S::set1(C::kSiluHighest), S::abs(z));
        const Reg s = M::sigmoid(S::sub(S::zero(), t));
        return S::mul(sigmoid_slope(s), S::fnma(t, S::fnma(two(), s, one()), two()));
    }

    /// z tanh(log(1 + exp(z))) (Misra 2019)
    static FASTMLP_INLINE Reg mish(Reg z) { return S::sub(S::relu(z), M::mish_lost(z)); }
    /// w below 0 and 1 - w above, with x, q and 1 + x q of `mish_lost`:
    /// w = x (m - t b / (1 + x q)) / (1 + x q), m and b being q and 1 + x below, x / 2 and x q
    /// above.
    static FASTMLP_INLINE Reg mish_slope(Reg z) {
        const Reg t = S::min(S::set1(C::kSiluHighest), S::abs(z));
        const Reg e = M::exp(S::sub(S::zero(), t));
        const Reg x = S::select_gt(S::zero(), z, e, S::add(e, e));
        const Reg q = S::fma(x, half(), one()), product = S::mul(x, q);
        const Reg m = S::select_gt(S::zero(), z, q, S::mul(x, half()));
        const Reg b = S::select_gt(S::zero(), z, S::add(one(), x), product);
        const Reg inverse = S::div(one(), S::add(one(), product));
        const Reg w = S::mul(S::mul(x, inverse), S::fnma(S::mul(t, b), inverse, m));
        return S::select_gt(S::zero(), z, w, S::sub(one(), w));
    }
    /// 4 f (p - t q) / d^3 with cubics d, p, q of e = exp(-t), and f = e below 0, e^2 above
    static FASTMLP_INLINE Reg mish_curvature(Reg z) {
        const Reg t = S::min(S::set1(C::kSiluHighest), S::abs(z));
        const Reg e = M::exp(S::sub(S::zero(), t));
        const auto cubic = [&](Scalar c0, Scalar c1, Scalar c2, Scalar c3) FASTMLP_INLINE_LAMBDA {
            const Reg high = S::fma(e, S::set1(c3), S::set1(c2));
            return S::fma(e, S::fma(e, high, S::set1(c1)), S::set1(c0));
        };
        const Reg d = S::select_gt(S::zero(), z, cubic(2, 2, 1, 0), cubic(1, 2, 2, 0));
        const Reg p = S::select_gt(S::zero(), z, cubic(4, 8, 6, 2), cubic(2, 6, 8, 4));
        const Reg q = S::select_gt(S::zero(), z, cubic(2, 2, -3, -2), cubic(2, 3, -2, -2));
        const Reg f = S::select_gt(S::zero(), z, e, S::mul(e, e));
        const Reg factor = S::div(S::mul(S::set1(Scalar(4)), f), S::mul(d, S::mul(d, d)));
        return S::mul(factor, S::fnma(t, q, p));
    }

    /// z Phi(z) = relu(z) - t (1 - Phi(t)) with t = |z|: no cancellation, even in the far tail.
    static FASTMLP_INLINE Reg gelu(Reg z) {
        const typename M::NormalTail tail(S::abs(z));
        return S::sub(S::relu(z), tail.times_exp(S::mul(tail.t, tail.ratio)));
    }
    /// Phi(z) + z phi(z)
    static FASTMLP_INLINE Reg gelu_slope(Reg z) {
        const typename M::NormalTail tail(S::abs(z));
        const Reg below = tail.times_exp(S::fnma(S::set1(C::kPhiOfZero), tail.t, tail.ratio));
        return S::select_gt(z, S::zero(), S::sub(one(), below), below);
    }
    /// phi(z) (2 - z^2)
    static FASTMLP_INLINE Reg gelu_curvature(Reg z) {
        const typename M::NormalTail tail(S::abs(z));
        return tail.times_exp(S::mul(S::set1(C::kPhiOfZero), S::fnma(tail.t, tail.t, two())));
    }

    /// z sigmoid(v) with v = 2 sqrt(2 / pi) (z + 0.044715 z^3) = z + z tanh(v / 2), halved
    static FASTMLP_INLINE Reg gelu_tanh(Reg z) {
        return S::sub(S::relu(z), M::gelu_tanh_lost(S::abs(z)));
    }
    /// As of silu, times v'(z): s (1 - t v' (1 - s)) with t = |z| and s = sigmoid(-v) below 0
    static FASTMLP_INLINE Reg gelu_tanh_slope(Reg z) {
        const Reg t = S::min(S::set1(C::kGeluTanhHighest), S::abs(z)), square = S::mul(t, t);
        const Reg linear = S::set1(C::kGeluLinear), cubic = S::set1(C::kGeluCubic);
        const Reg v = S::mul(t, S::fma(cubic, square, linear));
        const Reg derivative = S::fma(S::set1(3 * C::kGeluCubic), square, linear);
        const Reg s = M::sigmoid(S::sub(S::zero(), v));
        const Reg below = S::mul(s, S::fnma(S::mul(t, derivative), S::sub(one(), s), one()));
        return S::select_gt(z, S::zero(), S::sub(one(), below), below);
    }
    /// s (1 - s) (2 v' + t v'' - t v'^2 (1 - 2 s)), the same for z and -z
    static FASTMLP_INLINE Reg gelu_tanh_curvature(Reg z) {
        const Reg t = S::min(S::set1(C::kGeluTanhHighest), S::abs(z)), square = S::mul(t, t);
        const Reg linear = S::set1(C::kGeluLinear), cubic = S::set1(C::kGeluCubic);
        const Reg v = S::mul(t, S::fma(cubic, square, linear));
        const Reg derivative = S::fma(S::set1(3 * C::kGeluCubic), square, linear);
        const Reg s = M::sigmoid(S::sub(S::zero(), v));
        const Reg first = S::fma(S::set1(12 * C::kGeluCubic), square, S::add(linear, linear));
        const Reg second = S::mul(t, S::mul(derivative, derivative));
        return S::mul(sigmoid_slope(s), S::fnma(second, S::fnma(two(), s, one()), first));
    }

private:
    static FASTMLP_INLINE Reg one() { return S::set1(Scalar(1)); }
    static FASTMLP_INLINE Reg two() { return S::set1(Scalar(2)); }
    static FASTMLP_INLINE Reg half() { return S::set1(Scalar(0.5)); }
    static FASTMLP_INLINE Reg selu_above() { return S::set1(Scalar(1.0507009873554805)); }
    static FASTMLP_INLINE Reg selu_below() { return S::set1(Scalar(1.7580993408473766)); }
};

}  // namespace
}  // namespace fastmlp::kernels
