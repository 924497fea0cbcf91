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
        const Activation h = activation(i);
        Rows<T>& from = z(i);
        dense_forward(kernel, weights(i), keeps_z(h) ? Activation::kIdentity : h, inputs(i), rows,
                      from.row(0), from.stride, scratch);
        if (keeps_z(h)) activate_rows(i, rows);
    }

    /// The nodes from the z that was kept.
    void activate_rows(std::size_t i, Range rows) const {
        Rows<T>&from = z(i), &out = output(i);
        activate(kernel, activation(i), from.row(rows.first), from.stride, out.row(rows.first),
                 out.stride, rows.size(), out.cols);
    }

    /// (2.8), (2.9), then (2.4), (2.5), (2.12) from the output down: losses and deltas.
    void backward(const Targets<T>& y, Range rows, Scratch<T>& scratch) const {
        output_delta(y, rows);
        for (std::size_t i = layers.size() - 1; i > 0; --i) backward_layer(i, rows, scratch);
    }

    /// Losses and deltas of the output layer, as `y` has labels and weights.
    void output_delta(const Targets<T>& y, Range rows) const {
        if (rows.size() == 0) return;
        const std::size_t last = layers.size() - 1;
        Rows<T>&delta = work.deltas[last], &from = z(last);
        apply_loss(
            kernel, loss,
            {rows.size(), work.scores.cols, work.scores.row(rows.first), work.scores.stride,
             y.labels ? work.labels.data() + rows.first : nullptr, work.targets.data() + rows.first,
             delta.row(rows.first), delta.stride, work.losses.data() + rows.first});
        activate_backward(kernel, activation(last), from.row(rows.first), from.stride,
                          delta.row(rows.first), delta.stride, rows.size(), delta.cols);
        if (y.weights) weigh(work, rows);
    }

    void backward_layer(std::size_t i, Range rows, Scratch<T>& scratch) const {
        dense_backward(kernel, weights(i), work.deltas[i], rows, activation(i - 1), z(i - 1),
                       work.deltas[i - 1], scratch);
    }

    /// (2.6), (2.7): this thread's share of all gradients goes to `targets` as `use` says.
    void gradients(const std::vector<UpdateTarget<T>>& targets, GradientUse<T> use, Share share,
                   Scratch<T>& scratch, RowPrefetcher<T>* prefetch = nullptr) const {
        for (std::size_t i = 0; i < layers.size(); ++i) {
            dense_update(kernel, targets[i], inputs(i), work.deltas[i], {0, work.batch}, use, share,
                         scratch, i == 0 ? prefetch : nullptr);
        }
    }

    /// What layer i reads, writes and applies on the way forward.
    const T* const* inputs(std::size_t i) const {
        return i == 0 ? work.input.data() : work.nodes[i - 1].pointers.data();
    }
    Rows<T>& output(std::size_t i) const {
        return i + 1 == layers.size() ? work.scores : work.nodes[i];
    }
    /// What h' of layer i is told from: z where it is kept, else the nodes that took its place.
    Rows<T>& z(std::size_t i) const { return keeps_z(activation(i)) ? work.z[i] : output(i); }
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
