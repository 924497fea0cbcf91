/// Batches of one row: the weight update is fused with another pass over the weights.
///
/// A single row uses every weight once, so the step is bound by the memory traffic of the weights.
/// Updating a weight while it is in a register saves a pass: for a wide layer in the next step's
/// forward product, for a narrow layer in its backward product. The bits are those of `outer`,
/// `column_sums` and `product` in sequence.
#pragma once

#include "kernels/optimizer-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// The gradient of one sample, never -0, as in `outer`. A product and a sum, not an fma with zero:
/// an fma of three registers competes for read ports with the two that follow (25 % slower).
template <class S>
FASTMLP_INLINE Reg<S> gradient_of_one(Reg<S> x, Reg<S> delta) {
    return S::add(S::mul(x, delta), S::zero());
}

template <class S>
FASTMLP_INLINE Updated<S> weights_of(const LearnedLayer<Scalar<S>>& layer) {
    const Learned<Scalar<S>>& w = layer.weights;
    return {layer.rows, layer.width, w.values, w.first_moment, w.second_moment, layer.ld};
}

template <class S>
FASTMLP_INLINE Updated<S> biases_of(const LearnedLayer<Scalar<S>>& layer) {
    const Learned<Scalar<S>>& b = layer.biases;
    return {1, layer.width, b.values, b.first_moment, b.second_moment, 0};
}

/// The old row's gradients are those of `old_a` and `delta`, the new row is `a`.
template <class S>
struct UpdateProduct {
    const Scalar<S>*old_a, *delta, *a;
    Scalar<S>* out;
    bool relu;
};

/// The columns from `first_j` on.
template <class S, class Chosen, int Vectors>
__attribute__((noinline)) void update_product_tile(const UpdateRule<Scalar<S>>& of_weights,
                                                   const UpdateRule<Scalar<S>>& of_biases,
                                                   const LearnedLayer<Scalar<S>>& layer,
                                                   UpdateProduct<S> p, std::size_t first_j) {
    const Updated<S> weights = weights_of<S>(layer), biases = biases_of<S>(layer);
    const Rule<S> words(of_weights), bias_words(of_biases);
    Reg<S> d[Vectors], sum[Vectors];
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        const std::size_t at = first_j + j * S::kLanes;
        d[j] = S::load(p.delta + at);
        sum[j] = update_vector<Chosen>(bias_words, biases, at, S::add(d[j], S::zero()),
                                       WholeVectors<S>{});
    }
    for (std::size_t k = 0, row = first_j; k < weights.rows; ++k, row += weights.ldw) {
        const Reg<S> old_x = S::set1(p.old_a[k]), x = S::set1(p.a[k]);
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            const Reg<S> w =
                update_vector<Chosen>(words, weights, row + j * S::kLanes,
                                      gradient_of_one<S>(old_x, d[j]), WholeVectors<S>{});
            sum[j] = S::fma(x, w, sum[j]);
        }
    }
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        S::store(p.out + first_j + j * S::kLanes, p.relu ? S::relu(sum[j]) : sum[j]);
    }
}

template <class S>
void update_product(const UpdateRule<Scalar<S>>& of_weights, const UpdateRule<Scalar<S>>& of_biases,
                    const LearnedLayer<Scalar<S>>& layer, const Scalar<S>* old_a,
                    const Scalar<S>* delta, const Scalar<S>* a, Scalar<S>* out,
                    bool relu) noexcept {
    constexpr int kMost = static_cast<int>(S::kVectors);
    with_rule(of_weights, [&](auto chosen) FASTMLP_INLINE_LAMBDA {
        for_each_part(layer.width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
            with_constant<kMost>(size, [&](auto n) {
                update_product_tile<S, decltype(chosen), n.value>(
                    of_weights, of_biases, layer, {old_a, delta, a, out, relu}, first * S::kLanes);
            });
        });
    });
}

/// The gradients are those of `delta` and `nodes`, whose last vector has `tail` elements.
template <class S>
struct NarrowUpdate {
    const Scalar<S>*delta, *nodes;
    std::size_t tail;
    Scalar<S>* out;
    bool relu;
};

/// The columns from `first_k` on.
template <class S, class Chosen, int Vectors, bool Tail>
FASTMLP_INLINE void narrow_update_tile(const Rule<S>& words, const Updated<S>& to,
                                       const NarrowUpdate<S>& p, std::size_t first_k) {
    Reg<S> h[Vectors], sum[Vectors];
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        const Scalar<S>* nodes = p.nodes + first_k + j * S::kLanes;
        h[j] = Tail ? S::load_partial(nodes, p.tail) : S::load(nodes);
        sum[j] = S::zero();
    }
    for (std::size_t o = 0, row = first_k; o < to.rows; ++o, row += to.ldw) {
        const Reg<S> d = S::set1(p.delta[o]);
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            const std::size_t at = row + j * S::kLanes;
            sum[j] = S::fma(d, S::load(to.w + at), sum[j]);
            update_vector<Chosen>(words, to, at, gradient_of_one<S>(d, h[j]), WholeVectors<S>{});
        }
    }
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        S::store(p.out + first_k + j * S::kLanes, p.relu ? S::relu_mask(h[j], sum[j]) : sum[j]);
    }
}

/// By a rule known when compiled.
template <class S, class Chosen>
__attribute__((noinline)) void narrow_update_by(const UpdateRule<Scalar<S>>& of_weights,
                                                const UpdateRule<Scalar<S>>& of_biases,
                                                const LearnedLayer<Scalar<S>>& layer,
                                                NarrowUpdate<S> p, std::size_t count_k) {
    constexpr std::size_t kStep = S::kVectors * S::kLanes;
    const Updated<S> weights = weights_of<S>(layer), biases = biases_of<S>(layer);
    const Rule<S> words(of_weights), bias_words(of_biases);
    std::size_t k = 0;
    for (; k + kStep <= count_k; k += kStep) {
        narrow_update_tile<S, Chosen, S::kVectors, false>(words, weights, p, k);
    }
    for (; k + S::kLanes <= count_k; k += S::kLanes) {
        narrow_update_tile<S, Chosen, 1, false>(words, weights, p, k);
    }
    if (k < count_k) narrow_update_tile<S, Chosen, 1, true>(words, weights, p, k);
    for (std::size_t j = 0; j < kNarrow; j += S::kLanes) {
        const Reg<S> g = S::add(S::load(p.delta + j), S::zero());
        update_vector<Chosen>(bias_words, biases, j, g, WholeVectors<S>{});
    }
}

template <class S>
void narrow_update(const UpdateRule<Scalar<S>>& of_weights, const UpdateRule<Scalar<S>>& of_biases,
                   const LearnedLayer<Scalar<S>>& layer, const Scalar<S>* delta,
                   const Scalar<S>* nodes, std::size_t count_k, Scalar<S>* out,
                   bool relu) noexcept {
    const NarrowUpdate<S> update{delta, nodes, count_k % S::kLanes, out, relu};
    with_rule(of_weights, [&](auto chosen) FASTMLP_INLINE_LAMBDA {
        narrow_update_by<S, decltype(chosen)>(of_weights, of_biases, layer, update, count_k);
    });
}

}  // namespace
}  // namespace fastmlp::kernels
