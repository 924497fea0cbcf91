/// The way of a block of rows through all layers, for inference.
#pragma once

#include <algorithm>
#include <vector>

#include "fastmlp/layer.hpp"
#include "propagation/conversion.hpp"
#include "propagation/dense.hpp"
#include "propagation/features.hpp"
#include "propagation/loss.hpp"
#include "propagation/normalization.hpp"
#include "propagation/padding.hpp"
#include "propagation/sparse.hpp"

namespace fastmlp {

/// Rows that go through all layers together: enough to reuse a weight panel from cache, few enough
/// that their activations stay there.
inline constexpr std::size_t kBlock = 128;

/// Room for the nodes of two layers, which write them in turn. It grows to what is asked of it and
/// is then used again.
template <class T>
struct Lane {
    std::vector<T> values[2];
    std::vector<const T*> pointers;
    std::vector<SparseRow<T>> sparse;
    Scratch<T> scratch;

    /// Scores of rows `range` of x, `stride` apart. `weights(i)` is the view of layer i; `poll`
    /// (may be null) counts the work.
    template <class Weights>
    T* scores(const kernels::KernelTable<T>& kernel, const std::vector<Layer>& layers, Loss loss,
              const Weights& weights, RunningStatistics<const T> running, const Features<T>& x,
              Range range, std::size_t& stride, Poll* poll = nullptr) {
        const std::size_t rows = range.size();
        take(kernel, x, range);
        T* out = nullptr;
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const DenseView<const T> layer = weights(i);
            const Activation h = layers[i].activation;
            const Activation activation = i + 1 == layers.size() ? score_activation(loss, h) : h;
            stride = activation_stride(layer.n);
            if (values[i % 2].size() < rows * stride) values[i % 2].resize(rows * stride);
            out = values[i % 2].data();
            const Normalization normalization = layers[i].normalization;
            const bool plain = normalization == Normalization::kNone;
            const Activation at_once = plain ? activation : Activation::kIdentity;
            if (i == 0 && x.is_sparse) {
                sparse_forward(kernel, layer, at_once, sparse.data(), {0, rows}, out, stride, poll);
            } else {
                dense_forward(kernel, layer, at_once, pointers.data(), {0, rows},
                              {0, padded(layer.n)}, out, stride, scratch, poll);
            }
            if (!plain) {
                if (scratch.size() < rows) scratch.resize(rows);
                normalize_for_prediction(kernel, normalization, layer, running[i], out, stride,
                                         rows, scratch.data());
                activate(kernel, activation, out, stride, out, stride, rows, layer.n);
            }
            for (std::size_t b = 0; b < rows; ++b) pointers[b] = out + b * stride;
        }
        return out;
    }

    /// Looks where rows `range` of x are. Those of another type are read to where the nodes of the
    /// second layer will be.
    void take(const kernels::KernelTable<T>& kernel, const Features<T>& x, Range range) {
        const std::size_t rows = range.size();
        if (x.is_raw && values[1].size() < rows * x.cols) values[1].resize(rows * x.cols);
        if (pointers.size() < rows) pointers.resize(rows);
        if (x.is_sparse && sparse.size() < rows) sparse.resize(rows);
        for (std::size_t b = 0; b < rows; ++b) {
            if (x.is_sparse) {
                sparse[b] = x.sparse.row(range.first + b);
            } else if (x.is_raw) {
                T* row = values[1].data() + b * x.cols;
                read_row(kernel, x.raw, range.first + b, row);
                pointers[b] = row;
            } else {
                pointers[b] = x.dense.row(range.first + b);
            }
        }
    }

    /// Outputs of rows `range` of x into those rows of `out`.
    template <class Weights>
    void predict(const kernels::KernelTable<T>& kernel, const std::vector<Layer>& layers, Loss loss,
                 const Weights& weights, RunningStatistics<const T> running, const Features<T>& x,
                 Range range, MatrixView<T> out, Poll* poll = nullptr) {
        std::size_t stride = 0;
        T* nodes = scores(kernel, layers, loss, weights, running, x, range, stride, poll);
        activate(kernel, node_activation(loss, layers.back().activation), nodes, stride, nodes,
                 stride, range.size(), out.cols);
        for (std::size_t b = 0; b < range.size(); ++b) {
            std::copy_n(nodes + b * stride, out.cols, out.row(range.first + b));
        }
    }
};

}  // namespace fastmlp
