/// The activations, and their slopes h'(z): told from h = h(z), or from z where h does not tell it.
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

    static FASTMLP_INLINE Reg leaky_relu(Reg z) {
        return S::select_gt(S::zero(), z, S::mul(z, leak()), z);
    }
    /// At 0 the leak, as in torch; and where z / 100 is too small for a number, h is 0 below it.
    static FASTMLP_INLINE Reg leaky_relu_slope(Reg h) {
        return S::select_gt(h, S::zero(), one(), leak());
    }

    static FASTMLP_INLINE Reg elu(Reg z) { return S::select_gt(S::zero(), z, M::expm1(z), z); }
    static FASTMLP_INLINE Reg elu_slope(Reg h) {
        return S::select_gt(S::zero(), h, S::add(h, one()), one());
    }

    static FASTMLP_INLINE Reg sigmoid(Reg z) { return M::sigmoid(z); }
    static FASTMLP_INLINE Reg sigmoid_slope(Reg h) { return S::mul(h, S::sub(one(), h)); }

    static FASTMLP_INLINE Reg tanh(Reg z) { return M::tanh(z); }
    static FASTMLP_INLINE Reg tanh_slope(Reg h) { return S::fnma(h, h, one()); }

    /// log(1 + exp(z)); never overflows on the way.
    static FASTMLP_INLINE Reg softplus(Reg z) {
        return S::add(S::relu(z), M::log1p_exp_minus_abs(z));
    }
    /// sigmoid(z) = 1 - exp(-h)
    static FASTMLP_INLINE Reg softplus_slope(Reg h) {
        return S::sub(S::zero(), M::expm1(S::sub(S::zero(), h)));
    }

    static FASTMLP_INLINE Reg exp(Reg z) { return M::exp(z); }
    static FASTMLP_INLINE Reg exp_slope(Reg h) { return h; }

    /// z sigmoid(z) = relu(z) - t e / (1 + e) with t = |z| and e = exp(-t): no digit cancels.
    static FASTMLP_INLINE Reg silu(Reg z) {
        return S::sub(S::relu(z), M::times_sigmoid_of_minus(S::abs(z)));
    }
    /// s (1 - t (1 - s)) with t = |z| and s = sigmoid(-t) below 0, one minus that above
    static FASTMLP_INLINE Reg silu_slope(Reg z) {
        const Reg t = S::abs(z), s = M::sigmoid(S::sub(S::zero(), t));
        const Reg below = S::mul(s, S::fnma(t, S::sub(one(), s), one()));
        return S::select_gt(z, S::zero(), S::sub(one(), below), below);
    }

    /// z Phi(z) = relu(z) - t (1 - Phi(t)) with t = |z|: no digit cancels, down to the far tail.
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

private:
    static FASTMLP_INLINE Reg one() { return S::set1(Scalar(1)); }
    static FASTMLP_INLINE Reg leak() { return S::set1(Scalar(0.01)); }
};

}  // namespace
}  // namespace fastmlp::kernels
