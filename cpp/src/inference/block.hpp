/// The forward pass of a block of rows through all layers, for inference.
#pragma once

#include <algorithm>
#include <vector>

#include "fastmlp/layer.hpp"
#include "propagation/propagate.hpp"

namespace fastmlp {

/// The layers of a forward pass. `weights(i)` is the view of layer i.
template <class T, class Weights>
struct InferenceLayers {
    const kernels::KernelTable<T>& kernel;
    const std::vector<Layer>& layers;
    Loss loss;
    const Weights& weights;
    RunningStatistics<const T> running;
    ColumnScaling<T> output_scaling;
    const std::vector<Head>& heads;
};

/// The scores, as the loss reads them: row b is rows + b * stride.
template <class T>
struct Scores {
    T* rows;
    std::size_t stride;
};

/// Two buffers of nodes, which the layers write in turn. They grow as needed and are reused.
template <class T>
struct InferenceBlock {
    InputRows<T> input;
    std::vector<T> nodes[2];
    std::vector<const T*> pointers;  ///< to the rows of the last layer
    Scratch<T> scratch;
    HeadRows<T> head_rows;
    LossesInUnits<T> losses_in_units;

    /// Scores of rows `range` of x. `poll` (may be null) counts the work.
    template <class Weights>
    Scores<T> scores(const InferenceLayers<T, Weights>& net, const Features<T>& x, Range range,
                     Poll* poll = nullptr) {
        const std::size_t rows = range.size();
        take(net.kernel, x, range);
        if (normalizes_inputs(net.layers)) normalize_inputs(net, rows);
        Scores<T> out{};
        for (std::size_t i = 0; i < net.layers.size(); ++i) {
            const DenseView<const T> weights = net.weights(i);
            out.stride = activation_stride(weights.n);
            std::vector<T>& to = nodes[i % 2];
            if (to.size() < rows * out.stride) to.resize(rows * out.stride);
            out.rows = to.data();
            forward_layer(net, i, weights, rows, out, poll);
            for (std::size_t b = 0; b < rows; ++b) pointers[b] = out.rows + b * out.stride;
        }
        return out;
    }

    /// Outputs of rows `range` of x into those rows of `out`.
    template <class Weights>
    void predict(const InferenceLayers<T, Weights>& net, const Features<T>& x, Range range,
                 MatrixView<T> out, Poll* poll = nullptr) {
        const auto [rows, stride] = scores(net, x, range, poll);
        if (!net.heads.empty()) {
            HeadPass<T>{net.kernel, net.heads, head_rows}.outputs(rows, stride, rows, stride,
                                                                  range.size());
        } else {
            scores_to_nodes(net.kernel, net.loss, net.layers.back().activation, rows, stride, rows,
                            stride, range.size(), out.cols);
        }
        if (net.output_scaling) {
            return net.output_scaling.apply(net.kernel, rows, stride, out.row(range.first),
                                            out.stride, range.size(), out.cols);
        }
        for (std::size_t b = 0; b < range.size(); ++b) {
            std::copy_n(rows + b * stride, out.cols, out.row(range.first + b));
        }
    }

private:
    void take(const kernels::KernelTable<T>& kernel, const Features<T>& x, Range range) {
        input.expect(x, range.size());
        if (pointers.size() < range.size()) pointers.resize(range.size());
        const auto sample_of = [&](std::size_t b) { return range.first + b; };
        input.take_all(kernel, x, {0, range.size()}, sample_of, 0);
    }

    template <class Weights>
    void normalize_inputs(const InferenceLayers<T, Weights>& net, std::size_t rows) {
        const DenseView<const T> weights = input_view(net.weights(0));
        const MatrixView<T> x = input.read(rows, weights.n);
        normalize_for_prediction(net.kernel, net.layers[0].input_normalization, weights,
                                 net.running.of_inputs(), x.data, x.stride, rows,
                                 room(scratch, rows));
    }

    template <class Weights>
    void forward_layer(const InferenceLayers<T, Weights>& net, std::size_t i,
                       const DenseView<const T>& weights, std::size_t rows, Scores<T> out,
                       Poll* poll) {
        const LayerTraits layer(net.layers, i, net.loss);
        const Activation h = layer.activation;
        const bool normalized_first = layer.is_normalized && !layer.normalized_after;
        const Activation first = normalized_first ? Activation::kIdentity : h;
        if (i == 0 && input.is_sparse) {
            sparse_forward(net.kernel, weights, first, input.sparse.data(), {0, rows}, out.rows,
                           out.stride, poll);
        } else {
            const T* const* a = i == 0 ? input.dense.data() : pointers.data();
            dense_forward(net.kernel, weights, first, a, {0, rows}, {0, padded(weights.n)},
                          out.rows, out.stride, scratch, poll);
        }
        if (!layer.is_normalized) return;
        normalize_for_prediction(net.kernel, net.layers[i].normalization, weights, net.running[i],
                                 out.rows, out.stride, rows, room(scratch, rows));
        if (!normalized_first) return;
        activate(net.kernel, h, out.rows, out.stride, out.rows, out.stride, rows, weights.n);
    }
};

}  // namespace fastmlp
