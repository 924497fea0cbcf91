/// The paper's passes over all layers, for some rows of a batch: what training and the step-by-step
/// interface share.
#pragma once

#include "dense.hpp"
#include "fastmlp/network.hpp"
#include "loss.hpp"

namespace fastmlp {

template <class T>
struct Propagation {
    const kernels::KernelTable<T>& kernel;
    const std::vector<Layer>& layers;
    Loss loss;
    const Image<T>& image;
    Workspace<T>& work;

    /// (1.1), (1.2): nodes of the hidden layers and the output's scores.
    void forward(Range rows, Scratch<T>& scratch) const {
        for (std::size_t i = 0; i < layers.size(); ++i) forward_layer(i, rows, scratch);
    }

    void forward_layer(std::size_t i, Range rows, Scratch<T>& scratch) const {
        Rows<T>& out = output(i);
        dense_forward(kernel, weights(i), activation(i), inputs(i), rows, out.row(0), out.stride,
                      scratch);
    }

    /// (2.8), (2.9), then (2.4), (2.5), (2.12) from the output down: losses and deltas.
    void backward(bool labels, Range rows, Scratch<T>& scratch) const {
        output_delta(kernel, loss, layers.back().activation, labels, work, rows);
        for (std::size_t i = layers.size() - 1; i > 0; --i) backward_layer(i, rows, scratch);
    }

    void backward_layer(std::size_t i, Range rows, Scratch<T>& scratch) const {
        dense_backward(kernel, weights(i), work.deltas[i], rows, layers[i - 1].activation,
                       work.nodes[i - 1], work.deltas[i - 1], scratch);
    }

    /// (2.6), (2.7) into `target`: the weights themselves, or a buffer of gradients.
    void gradients(const Image<T>& target, GradientUse<T> use, Share share,
                   RowPrefetcher<T>* prefetch = nullptr) const {
        for (std::size_t i = 0; i < layers.size(); ++i) {
            dense_update(kernel, target[i], inputs(i), work.deltas[i], {0, work.batch}, use, share,
                         i == 0 ? prefetch : nullptr);
        }
    }

    /// What layer i reads, writes and applies on the way forward.
    const T* const* inputs(std::size_t i) const {
        return i == 0 ? work.input.data() : work.nodes[i - 1].pointers.data();
    }
    Rows<T>& output(std::size_t i) const {
        return i + 1 == layers.size() ? work.scores : work.nodes[i];
    }
    Activation activation(std::size_t i) const {
        const Activation h = layers[i].activation;
        return i + 1 == layers.size() ? score_activation(loss, h) : h;
    }

private:
    DenseView<const T> weights(std::size_t i) const {
        const DenseView<T>& view = image[i];
        return {view.k, view.n, view.w, view.ldw, view.biases, view.transposed};
    }
};

}  // namespace fastmlp
