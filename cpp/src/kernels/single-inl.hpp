/// Batches of one row: the weight update is fused with another pass over the weights.
///
/// A single row uses every weight once, so the step is bound by the memory traffic of the weights.
/// Updating a weight while it is in a register saves a pass: for a wide layer in the next step's
/// forward product, for a narrow layer in its backward product. The bits are those of `outer`,
/// `column_sums` and `product` in sequence.
#pragma once

#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// The gradient of one sample, never -0, as in `outer`. A product and a sum, not an fma with zero:
/// an fma of three registers competes for read ports with the two that follow (25 % slower).
template <class S>
FASTMLP_INLINE Reg<S> gradient_of_one(Reg<S> x, Reg<S> delta) {
    return S::add(S::mul(x, delta), S::zero());
}

template <class S, int Vectors>
__attribute__((noinline)) void update_product_tile(const Scalar<S>* old_a, const Scalar<S>* delta,
                                                   Scalar<S> rate, const Scalar<S>* a,
                                                   std::size_t count_k, Scalar<S>* w,
                                                   std::size_t ldw, Scalar<S>* biases,
                                                   Scalar<S>* out, bool relu) {
    Reg<S> d[Vectors], sum[Vectors];
    const Reg<S> eta = S::set1(rate);
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        const std::size_t at = j * S::kLanes;
        d[j] = S::load(delta + at);
        const Reg<S> gradient = S::add(S::zero(), d[j]);
        sum[j] = S::fnma(eta, gradient, S::load(biases + at));
        S::store(biases + at, sum[j]);
    }
    for (std::size_t k = 0; k < count_k; ++k, w += ldw) {
        const Reg<S> old_x = S::set1(old_a[k]), x = S::set1(a[k]);
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            const Reg<S> gradient = gradient_of_one<S>(old_x, d[j]);
            const Reg<S> weight = S::fnma(eta, gradient, S::load(w + j * S::kLanes));
            S::store(w + j * S::kLanes, weight);
            sum[j] = S::fma(x, weight, sum[j]);
        }
    }
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        S::store(out + j * S::kLanes, relu ? S::relu(sum[j]) : sum[j]);
    }
}

template <class S>
void update_product(const Scalar<S>* old_a, const Scalar<S>* delta, Scalar<S> rate,
                    const Scalar<S>* a, std::size_t count_k, Scalar<S>* w, std::size_t ldw,
                    Scalar<S>* biases, std::size_t width, Scalar<S>* out, bool relu) noexcept {
    constexpr int kMost = static_cast<int>(S::kVectors);
    for_each_part(width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
        const std::size_t j = first * S::kLanes;
        with_constant<kMost>(size, [&](auto n) {
            update_product_tile<S, n.value>(old_a, delta + j, rate, a, count_k, w + j, ldw,
                                            biases + j, out + j, relu);
        });
    });
}

template <class S, int Vectors, bool Tail>
FASTMLP_INLINE void narrow_update_tile(const Scalar<S>* delta, std::size_t n,
                                       const Scalar<S>* nodes, std::size_t tail, Scalar<S> rate,
                                       Scalar<S>* wt, std::size_t ldt, Scalar<S>* out, bool relu) {
    Reg<S> h[Vectors], sum[Vectors];
    const Reg<S> eta = S::set1(rate);
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        h[j] = Tail ? S::load_partial(nodes + j * S::kLanes, tail) : S::load(nodes + j * S::kLanes);
        sum[j] = S::zero();
    }
    for (std::size_t o = 0; o < n; ++o, wt += ldt) {
        const Reg<S> d = S::set1(delta[o]);
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            const Reg<S> weight = S::load(wt + j * S::kLanes);
            sum[j] = S::fma(d, weight, sum[j]);
            S::store(wt + j * S::kLanes, S::fnma(eta, gradient_of_one<S>(d, h[j]), weight));
        }
    }
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        S::store(out + j * S::kLanes, relu ? S::relu_mask(h[j], sum[j]) : sum[j]);
    }
}

template <class S>
void narrow_update(const Scalar<S>* delta, std::size_t n, const Scalar<S>* nodes,
                   std::size_t count_k, Scalar<S> rate, Scalar<S>* wt, std::size_t ldt,
                   Scalar<S>* out, bool relu) noexcept {
    constexpr std::size_t kStep = S::kVectors * S::kLanes;
    std::size_t k = 0;
    for (; k + kStep <= count_k; k += kStep) {
        narrow_update_tile<S, S::kVectors, false>(delta, n, nodes + k, 0, rate, wt + k, ldt,
                                                  out + k, relu);
    }
    for (; k + S::kLanes <= count_k; k += S::kLanes) {
        narrow_update_tile<S, 1, false>(delta, n, nodes + k, 0, rate, wt + k, ldt, out + k, relu);
    }
    if (k < count_k) {
        narrow_update_tile<S, 1, true>(delta, n, nodes + k, count_k - k, rate, wt + k, ldt, out + k,
                                       relu);
    }
}

}  // namespace
}  // namespace fastmlp::kernels
