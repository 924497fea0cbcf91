/// hidden_gradients: all gradients around a hidden layer with few inputs and outputs.
///
/// Nodes and deltas of such a layer are most of a step's memory traffic, and each is used only a
/// few times. Here a delta is kept in a register: it is computed from the deltas of the outputs,
/// added to all sums that need it and discarded, so the nodes are read once and nothing is written.
/// The bits are those of `product`, `outer` and `column_sums` in sequence.
#pragma once

#include "kernels/outer-inl.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
struct HiddenArgs {
    const Scalar<S>* const* a;      ///< the layer's inputs, (B, Inputs)
    const Scalar<S>* const* nodes;  ///< its nodes
    const Scalar<S>* const* delta;  ///< deltas of the next layer, (B, Outputs)
    const Scalar<S>* wt;
    std::size_t ldt, first_j, batch;
    Scalar<S> scale;
    Scalar<S>* gradients;
    std::size_t ldg;
};

/// Vectors processed together: as many as fit in registers beside the sums and shared operands.
template <class S>
constexpr int hidden_vectors(int inputs, int outputs) {
    const int registers = S::kRows * S::kVectors * 4 / 3, shared = inputs + outputs;
    return (shared + 2 + outputs) * 2 + shared + 1 <= registers ? 2 : 1;
}

template <class S, int Inputs, int Outputs, int Vectors>
__attribute__((noinline)) void hidden_tile(const HiddenArgs<S>& p) {
    Reg<S> weights[Inputs][Vectors], next_weights[Outputs][Vectors], biases[Vectors];
    Reg<S> w[Outputs][Vectors];
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        biases[j] = S::zero();
        FASTMLP_UNROLL
        for (int i = 0; i < Inputs; ++i) weights[i][j] = S::zero();
        FASTMLP_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            next_weights[o][j] = S::zero();
            w[o][j] = S::load(p.wt + o * p.ldt + p.first_j + j * S::kLanes);
        }
    }
    for (std::size_t b = 0, batch = p.batch; b < batch; ++b) {
        const Scalar<S>*a = p.a[b], *nodes = p.nodes[b] + p.first_j, *delta = p.delta[b];
        Reg<S> h[Vectors], d[Vectors];
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            h[j] = S::load(nodes + j * S::kLanes);
            d[j] = S::zero();
        }
        FASTMLP_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            const Reg<S> from = S::set1(delta[o]);
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) {
                d[j] = S::fma(from, w[o][j], d[j]);
                next_weights[o][j] = S::fma(from, h[j], next_weights[o][j]);
            }
        }
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            d[j] = S::relu_mask(h[j], d[j]);
            biases[j] = S::add(biases[j], d[j]);
        }
        FASTMLP_UNROLL
        for (int i = 0; i < Inputs; ++i) {
            const Reg<S> x = S::set1(a[i]);
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) weights[i][j] = S::fma(x, d[j], weights[i][j]);
        }
    }
    const Finish<S> finish{S::set1(p.scale), S::zero()};
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        Scalar<S>* g = p.gradients + j * S::kLanes;
        FASTMLP_UNROLL
        for (int i = 0; i < Inputs; ++i, g += p.ldg) S::store(g, finish.gradient(weights[i][j]));
        S::store(g, finish.gradient(biases[j]));
        FASTMLP_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            g += p.ldg;
            S::store(g, finish.gradient(next_weights[o][j]));
        }
    }
}

template <class S, int Inputs, int Outputs>
void hidden_panel(HiddenArgs<S> p, std::size_t width) {
    constexpr int kVectors = hidden_vectors<S>(Inputs, Outputs);
    constexpr std::size_t kStep = kVectors * S::kLanes;
    std::size_t done = 0;
    const auto advance = [&](std::size_t columns) {
        p.first_j += columns;
        p.gradients += columns;
        done += columns;
    };
    while (done + kStep <= width) {
        hidden_tile<S, Inputs, Outputs, kVectors>(p);
        advance(kStep);
    }
    while (done < width) {
        hidden_tile<S, Inputs, Outputs, 1>(p);
        advance(S::kLanes);
    }
}

template <class S>
void hidden_gradients(const Scalar<S>* const* a, std::size_t inputs, const Scalar<S>* const* nodes,
                      const Scalar<S>* const* delta, std::size_t outputs, const Scalar<S>* wt,
                      std::size_t ldt, std::size_t first_j, std::size_t width, std::size_t batch,
                      Scalar<S> scale, Scalar<S>* gradients, std::size_t ldg) noexcept {
    const HiddenArgs<S> p{a, nodes, delta, wt, ldt, first_j, batch, scale, gradients, ldg};
    with_constant<static_cast<int>(kFewInputs)>(inputs, [&](auto k) {
        with_constant<static_cast<int>(kFewOutputs)>(
            outputs, [&](auto n) { hidden_panel<S, k.value, n.value>(p, width); });
    });
}

}  // namespace
}  // namespace fastmlp::kernels
