/// The update of a first layer of few inputs and of the layer of few outputs behind it, as a single
/// hidden layer has in a small regression. Deltas of the hidden layer are never stored.
#pragma once

#include <algorithm>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/dense_update.hpp"

namespace fastmlp {

/// Whether the first two of `layers` are updated so. The network then also goes forward by blocks
/// of rows, which a layer that looks at the whole batch forbids.
template <class T>
bool updates_hidden(const std::vector<Layer>& layers, const Image<T>& image) {
    if (layers.size() < 2) return false;
    const Layer &hidden = layers[0], &next = layers[1];
    return hidden.activation == Activation::kRelu && hidden.dropout == 0 &&
           hidden.normalization == Normalization::kNone && image[0].k <= kernels::kFewInputs &&
           !image[0].transposed && next.normalization == Normalization::kNone &&
           image[1].n <= kernels::kFewOutputs &&
           std::none_of(layers.begin(), layers.end(), [](const Layer& layer) {
               return layer.normalization == Normalization::kBatch;
           });
}

/// (2.4) to (2.7) for both over the rows `batch`, this thread's share of the hidden nodes: `a` is
/// what the first layer reads, `nodes` what it makes of it, `next_layer` the other's weights and
/// `delta` that of its outputs.
template <class T>
void hidden_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const UpdateTarget<T>& next, const DenseView<const T>& next_layer,
                   const T* const* a, const Rows<T>& nodes, Rows<T>& delta, Range batch,
                   GradientUse<T> use, Share share, Scratch<T>& scratch,
                   RowPrefetcher* prefetch = nullptr);

}  // namespace fastmlp
