/// Batches of one row: the last step's weight update rides on this step's forward product.
///
/// A single row uses every weight once, so the step is bound by the traffic of the weights. Taking
/// the update along while a weight is in a register saves one pass over all of them. The numbers are
/// those of `outer` and `column_sums` followed by `product`, bit for bit.
#pragma once

#include "kernels/gemm-inl.hpp"

namespace fastmlp::kernels {
namespace {

template <class S, int Vectors>
__attribute__((noinline)) void update_product_tile(const Scalar<S>* old_a, const Scalar<S>* delta,
                                                   Scalar<S> rate, const Scalar<S>* a,
                                                   std::size_t count_k, Scalar<S>* w,
                                                   std::size_t ldw, Scalar<S>* biases,
                                                   Scalar<S>* out, bool relu) {
    Reg<S> d[Vectors], sum[Vectors];
    const Reg<S> eta = S::set1(rate);
    FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
        const std::size_t at = j * S::kLanes;
        d[j] = S::load(delta + at);
        const Reg<S> gradient = S::add(S::zero(), d[j]);
        sum[j] = S::fnma(eta, gradient, S::load(biases + at));
        S::store(biases + at, sum[j]);
    }
    for (std::size_t k = 0; k < count_k; ++k, w += ldw) {
        const Reg<S> old_x = S::set1(old_a[k]), x = S::set1(a[k]);
        FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
            const Reg<S> gradient = S::fma(old_x, d[j], S::zero());
            const Reg<S> weight = S::fnma(eta, gradient, S::load(w + j * S::kLanes));
            S::store(w + j * S::kLanes, weight);
            sum[j] = S::fma(x, weight, sum[j]);
        }
    }
    FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
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

}  // namespace
}  // namespace fastmlp::kernels
