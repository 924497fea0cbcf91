/// The passes of `Network::forward` and `Network::backward`: one thread's share of any number of
/// rows. Each layer computes them in blocks, so that an interrupt need not wait for all of them.
#pragma once

#include "propagation/propagate.hpp"
#include "threads/share_out.hpp"

namespace fastmlp {

/// Calls f(pass) for this batch on `threads` threads, each with its share of it.
template <class T, class F>
void on_team(const Network<T>& network, Workspace<T>& work, int threads, F f) {
    Interrupts interrupts;
    PackedParameters<T> packed(network.layout(), network.parameters()->data());
    packed.load(interrupts.poll());
    const Propagation<T> whole = Propagation<T>(network, packed, work).in(work.context);
    together(threads, interrupts, [&](Share share, ThreadTeam* team, Poll* poll) {
        Propagation<T> pass(whole);
        pass.context.share = share;
        pass.context.team = team;
        pass.poll = poll;
        f(pass);
    });
}

/// Moves complete gradients to the network's buffer, with 0 for layers that are not trainable.
template <class T>
void store_gradients(const Network<T>& network, PackedParameters<T>& gradients) {
    gradients.store();
    const Layout& layout = network.layout();
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (network.layers()[i].trainable) continue;
        std::fill_n(network.gradients()->data() + layout[i].offset(), layout[i].size(), T(0));
    }
}

template <class T>
struct StepwisePass {
    const Propagation<T>& pass;

    void forward() const {
        if (pass.normalizes_inputs) pass.normalize_inputs(rows());
        for (std::size_t i = 0; i < pass.layers.size(); ++i) {
            for_each_block(i, [&](Range block) { pass.begin(i, block); });
            if (pass.traits[i].is_normalized) pass.normalize_layer(i, rows());
            for_each_block(i, [&](Range block) { pass.finish(i, block); });
        }
    }

    void backward(const Targets<T>& y) const {
        const std::size_t last = pass.layers.size() - 1;
        if (y.custom) {
            pass.output_delta(y, rows());
        } else {
            for_each_block(last, [&](Range block) { pass.output_delta(y, block); });
        }
        for (std::size_t i = last; i > 0; --i) {
            for_each_block(i - 1, [&](Range block) { pass.multiply_back(i, block); });
            if (pass.traits[i - 1].is_normalized) pass.normalize_layer_back(i - 1, rows());
        }
        if (!pass.normalizes_inputs) return;
        for_each_block(0, [&](Range block) { pass.multiply_back_to_inputs(block); });
    }

private:
    /// Rows between two looks for an interrupt: many, as each block reads all weights of a layer.
    static constexpr std::size_t kBlockRows = 512;
    /// The time that a node takes besides its products.
    static constexpr double kFlopsPerNode = 10;

    Range rows() const { return pass.context.rows(); }

    /// Calls f(block) for the rows of layer i.
    template <class F>
    void for_each_block(std::size_t i, F f) const {
        const double flops_each = kFlopsPerNode * static_cast<double>(pass.parameters[i].n);
        fastmlp::for_each_block(rows(), kBlockRows, flops_each, pass.poll, f);
    }
};

}  // namespace fastmlp
