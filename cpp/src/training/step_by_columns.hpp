/// Forward and backward on several threads, through layers of many weights.
///
/// Split by rows of the batch, every thread reads all weights, and transposes all of them going
/// back. A wide layer is split by its outputs instead, so that a weight goes to one core only; the
/// team meets before and after. Other layers are split by rows as ever. No bit depends on it.
#pragma once

#include <algorithm>

#include "propagation/propagate.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

template <class T>
struct WidePass {
    const Propagation<T>& pass;
    ThreadTeam& team;
    Share share;
    Range batch, rows;  ///< all of the batch, and this thread's part of it
    Scratch<T>& scratch;

    /// Whether it pays, and every layer is one whose outputs can be had apart from one another.
    static bool serves(const Propagation<T>& pass) {
        bool any_wide = false;
        for (std::size_t i = 0; i < pass.layers.size(); ++i) {
            const Layer& layer = pass.layers[i];
            const Activation h = pass.activation(i);
            if (h != Activation::kRelu && h != Activation::kIdentity) return false;
            if (layer.normalization != Normalization::kNone || layer.dropout != 0) return false;
            any_wide = any_wide || wide(pass, i);
        }
        return any_wide;
    }

    /// Losses and deltas of all layers, as `Propagation` finds them.
    void run(const Targets<T>& y) const {
        const std::size_t last = pass.layers.size() - 1;
        for (std::size_t i = 0; i <= last; ++i) {
            if (wide(i) || (i > 0 && wide(i - 1))) meet();
            if (wide(i)) {
                pass.forward_block(i, batch, columns(pass.image[i].n), scratch);
            } else {
                pass.forward_layer(i, rows, scratch);
            }
        }
        if (wide(last)) meet();
        pass.output_delta(y, rows);
        for (std::size_t i = last; i > 0; --i) {
            if (wide(i) || (i < last && wide(i + 1))) meet();
            if (wide(i)) {
                pass.backward_block(i, batch, columns(pass.image[i].k), scratch);
            } else {
                pass.backward_layer(i, rows, scratch);
            }
        }
    }

private:
    /// From 1 MB of float32 on: half of a usual second-level cache or more.
    static constexpr std::size_t kWide = std::size_t{1} << 18;

    static bool wide(const Propagation<T>& pass, std::size_t i) {
        const DenseView<T>& layer = pass.image[i];
        return layer.n > kernels::kNarrow && layer.k * layer.n >= kWide;
    }
    bool wide(std::size_t i) const { return wide(pass, i); }
    Range columns(std::size_t count) const { return share.of(padded(count), kernels::kPad); }
    void meet() const { team.barrier(static_cast<int>(share.rank)); }
};

}  // namespace fastmlp
