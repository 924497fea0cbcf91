/// A step for a first layer with few inputs followed by a layer with few outputs, as in a small
/// regression.
///
/// Most of the memory traffic of such a step is nodes and deltas of the hidden layer. The forward
/// pass therefore works on blocks of rows whose nodes stay in the L1 cache, and the deltas of the
/// hidden layer are not stored but recomputed while the gradients of both layers are computed.
/// `step_path.hpp` decides when.
#pragma once

#include <algorithm>
#include <vector>

#include "propagation/cache_size.hpp"
#include "propagation/propagate.hpp"

namespace fastmlp {

template <class T>
struct StepOfSmallHidden {
    const Propagation<T>& pass;

    /// (1.1), (1.2) for `rows`.
    void forward(Range rows) const {
        const std::size_t step = rows_in_cache();
        for (std::size_t first = rows.first; first < rows.last; first += step) {
            pass.forward({first, std::min(rows.last, first + step)});
        }
    }

    /// (2.4), (2.5), (2.12) for `rows`, down to the second layer.
    void backward(Range rows) const {
        for (std::size_t i = pass.layers.size() - 1; i > 1; --i) pass.backward_layer(i, rows);
    }

    /// (2.6), (2.7) of all layers, and (2.4), (2.5), (2.12) of the hidden one.
    void gradients(const std::vector<UpdateTarget<T>>& targets, GradientUse<T> use,
                   RowPrefetcher* prefetch) const {
        first_gradients(targets[0], targets[1], use, prefetch);
        for (std::size_t i = 2; i < pass.layers.size(); ++i) {
            pass.gradients_of_layer(i, targets[i], use, UpdatePart::of(pass.context.share));
        }
    }

private:
    /// Hidden nodes per block: their gradients are still in the L1 cache when the optimizer reads
    /// them (512 for 48 KiB).
    static std::size_t columns_in_cache() { return items_in_cache(cache_sizes().l1, 96); }

    /// Rows per block: those of the hidden layer are still in the L1 cache when the next layer
    /// reads them (4-500-1: 4 to 6 % faster).
    std::size_t rows_in_cache() const {
        return items_in_cache(cache_sizes().l1 / 6 * 5, pass.work.nodes[0].stride * sizeof(T));
    }

    /// Of the first two layers, for this thread's share of the hidden nodes.
    void first_gradients(const UpdateTarget<T>& hidden, const UpdateTarget<T>& next,
                         GradientUse<T> use, RowPrefetcher* prefetch) const {
        const DenseView<T>&layer = hidden.parameters, &next_layer = pass.parameters[1];
        Rows<T>& delta = pass.work.deltas[1];
        const std::size_t inputs = layer.k, outputs = next_layer.n, batch = pass.work.batch;
        const Range mine = pass.context.share.of(padded(layer.n), kernels::kPad);
        const std::size_t step = columns_in_cache();
        T* gradients = room(pass.scratch, (inputs + 1 + outputs) * step);
        const T *biases = gradients + inputs * step, *next_weights = biases + step;
        if (prefetch) prefetch->spread_over((mine.size() + step - 1) / step);
        for (std::size_t j = mine.first; j < mine.last; j += step) {
            if (prefetch) prefetch->advance();
            const std::size_t width = std::min(step, mine.last - j);
            const std::size_t columns = std::min(width, layer.n - j);
            pass.kernel.hidden_gradients(
                pass.inputs(0), inputs, pass.inputs(1), delta.pointers.data(), outputs,
                next_layer.w, next_layer.ldw, j, width, batch, use.scale, gradients, step);
            const auto apply = [&](const UpdateTarget<T>& target, T* DenseView<T>::* part,
                                   BlockSize size, const T* from) {
                use_gradients(pass.kernel, target, part, j, size, from, use, step);
            };
            apply(hidden, &DenseView<T>::w, {inputs, width}, gradients);
            apply(hidden, &DenseView<T>::biases, {1, width}, biases);
            apply(next, &DenseView<T>::w, {outputs, columns}, next_weights);
        }
        bias_update(pass.kernel, next, delta, {0, batch}, use, pass.context.share, pass.scratch);
    }
};

}  // namespace fastmlp
