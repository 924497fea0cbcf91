/// Forward and backward passes in which a thread that has finished its own rows takes portions of
/// those of slower threads.
///
/// The rows are divided as in the plain step. Of each thread's rows, layer after layer is computed
/// in portions, of columns or of rows, which need those of the layer before; see
/// `threads/portions.hpp`. `step_path.hpp` decides when.
#pragma once

#include "propagation/blocks_of_batch.hpp"
#include "propagation/samples.hpp"
#include "threads/portions.hpp"

namespace fastmlp {

template <class T>
struct StepInPortions {
    const BlockPass<T>& part;
    const Samples<T>& samples;
    std::size_t first;  ///< sample of the batch
    Portions& portions;

    void run() const {
        const Share share = part.context.share;
        for (std::size_t i = 0; i < share.size; ++i) {
            run_for({(share.rank + i) % share.size, share.size});
        }
    }

private:
    /// What is left to do for the rows of one thread. A helper leaves the last portion of each
    /// layer to its thread, which soon begins it, and gives up if it does not.
    void run_for(Share owner) const {
        const bool is_helper = owner.rank != part.context.share.rank;
        const Range rows = rows_of(owner, part.context.batch);
        std::size_t before = 0;
        const auto stage = [&](std::size_t count, std::size_t left, auto f) {
            const std::size_t begin = before;
            before += count;
            portions.take(owner.rank, {begin, is_helper ? before - left : before},
                          [&](std::size_t i) { f(i - begin); });
            if (portions.wait(owner.rank, before)) return true;
            if (!is_helper) part.context.wait([&] { return portions.done(owner.rank, before); });
            return !is_helper;
        };
        const auto layer = [&](const OutputPortions& all, auto f) {
            return stage(all.count(), 1, [&](std::size_t i) { f(all[i]); });
        };
        if (!stage(1, 0, [&](std::size_t) { part.gather(samples, first, rows); })) return;
        for (std::size_t i = 0; i < part.layers.size(); ++i) {
            if (!layer(nodes(i, rows), [&](const OutputBlock& mine) { forward(i, mine); })) return;
        }
        if (!stage(1, 1, [&](std::size_t) { part.output_delta(samples.y, rows); })) return;
        for (std::size_t i = part.layers.size() - 1; i > part.lowest_trainable; --i) {
            if (!layer(deltas(i, rows), [&](const OutputBlock& mine) { backward(i, mine); }))
                return;
        }
    }

    bool nodes_by_columns(std::size_t i) const {
        return part.divides_columns(i) && part.parameters[i].n > kernels::kNarrow;
    }
    OutputPortions nodes(std::size_t i, Range rows) const {
        const DenseView<T>& layer = part.parameters[i];
        return {rows, padded(layer.n), layer.k, nodes_by_columns(i)};
    }
    /// Of layer i - 1.
    OutputPortions deltas(std::size_t i, Range rows) const {
        const DenseView<T>& layer = part.parameters[i];
        return {rows, padded(layer.k), layer.n, part.divides_columns(i - 1)};
    }

    void forward(std::size_t i, const OutputBlock& mine) const {
        nodes_by_columns(i) ? part.forward_block(i, mine) : part.forward_layer(i, mine.rows);
    }
    void backward(std::size_t i, const OutputBlock& mine) const {
        part.divides_columns(i - 1) ? part.backward_block(i, mine)
                                    : part.backward_layer(i, mine.rows);
    }
};

}  // namespace fastmlp
