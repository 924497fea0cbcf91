/// The paper's passes over all layers, for some rows of a batch: what training and the step-by-step
/// interface share.
#pragma once

#include <limits>

#include "fastmlp/network.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/batch_context.hpp"
#include "propagation/dense.hpp"
#include "propagation/dense_update.hpp"
#include "propagation/dropout.hpp"
#include "propagation/hidden_update.hpp"
#include "propagation/loss.hpp"
#include "propagation/normalization.hpp"
#include "propagation/sparse.hpp"

namespace fastmlp {

/// What the passes ask of a layer again and again.
struct LayerTraits {
    LayerTraits(const Layer& layer, Activation its_activation)
        : activation(its_activation), keeps_z(fastmlp::keeps_z(activation)),
          is_normalized(layer.normalization != Normalization::kNone),
          has_dropout(layer.dropout > 0), at_once(!is_normalized && !keeps_z) {}

    Activation activation;  ///< from z to nodes, or to scores
    bool keeps_z, is_normalized, has_dropout;
    bool at_once;  ///< whether the activation goes along with the product
};

template <class T>
struct Propagation {
    static constexpr T kUnlimited = std::numeric_limits<T>::infinity();

    /// Of the parameters that `image` holds. Running averages of `network` are read, and written
    /// by `move_averages`.
    Propagation(const Network<T>& network, const Image<T>& its_image, Workspace<T>& workspace)
        : kernel(kernels::active_table<T>()), layers(network.layers()), loss(network.loss()),
          seed(network.seed()), running{&network.layout(), network.statistics()->data()},
          image(its_image), work(workspace) {
        for (const Layer& layer : layers) {
            const bool is_last = traits.size() + 1 == layers.size();
            const Activation h = layer.activation;
            traits.emplace_back(layer, is_last ? score_activation(loss, h) : h);
        }
    }

    const kernels::KernelTable<T>& kernel;
    const std::vector<Layer>& layers;
    std::vector<LayerTraits> traits;
    Loss loss;
    std::uint64_t seed;
    RunningStatistics<T> running;
    const Image<T>& image;
    Workspace<T>& work;
    BatchContext context{};
    Poll* poll = nullptr;            ///< counts the work, and may throw in the middle of it
    T loss_limit = kUnlimited;       ///< see TrainOptions
    bool skips_first_delta = false;  ///< as `gradients` makes it again: see hidden_update.hpp

    DenseView<const T> weights(std::size_t i) const { return read_only(image[i]); }

    /// The same for the batch `its_context`.
    Propagation in(const BatchContext& its_context) const {
        Propagation result(*this);
        result.context = its_context;
        return result;
    }

    /// (1.1), (1.2): nodes of the hidden layers and the output's scores.
    void forward(Range rows, Scratch<T>& scratch) const {
        if (!skips_first_delta) return forward_rows(rows, scratch);
        const std::size_t step = rows_in_cache();
        for (std::size_t first = rows.first; first < rows.last; first += step) {
            forward_rows({first, std::min(rows.last, first + step)}, scratch);
        }
    }

    void forward_layer(std::size_t i, Range rows, Scratch<T>& scratch) const {
        multiply(i, rows, scratch);
        if (traits[i].is_normalized) normalize_layer(i, rows);
        finish(i, rows);
    }

    /// z, with its activation where that goes along.
    void multiply(std::size_t i, Range rows, Scratch<T>& scratch) const {
        const LayerTraits& layer = traits[i];
        const Activation first = layer.at_once ? layer.activation : Activation::kIdentity;
        Rows<T>& from = z(i);
        if (is_sparse(i)) {
            sparse_forward(kernel, weights(i), first, work.sparse.data(), rows, from.row(0),
                           from.stride, poll);
        } else {
            dense_forward(kernel, weights(i), first, inputs(i), rows, {0, padded(image[i].n)},
                          from.row(0), from.stride, scratch, poll);
        }
    }

    void normalize_layer(std::size_t i, Range rows) const {
        normalize(kernel, layers[i].normalization, weights(i), running[i], context, rows, z(i),
                  work.normalized[i]);
    }

    /// What is left to do where the activation did not go along, and dropout.
    void finish(std::size_t i, Range rows) const {
        if (!traits[i].at_once) activate_rows(i, rows);
        if (drops(i)) {
            drop(kernel, mask(i), layers[i].dropout, rows, context.places, activated(i), output(i));
        }
    }

    /// h(z), in place or beside the z that is kept.
    void activate_rows(std::size_t i, Range rows) const {
        Rows<T>&from = z(i), &out = activated(i);
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
        if (y.custom) ask(*y.custom);
        if (rows.size() == 0) return;
        const std::size_t last = layers.size() - 1;
        Rows<T>&delta = work.deltas[last], &from = z(last);
        if (!y.custom) {
            apply_loss(kernel, loss,
                       {rows.size(), work.scores.cols, work.scores.row(rows.first),
                        work.scores.stride, y.labels ? work.labels.data() + rows.first : nullptr,
                        work.targets.data() + rows.first, delta.row(rows.first), delta.stride,
                        work.losses.data() + rows.first});
        } else if (activation(last) == Activation::kSoftmax) {
            softmax_backward(work.scores, delta, rows);
        }
        activate_backward(kernel, activation(last), from.row(rows.first), from.stride,
                          delta.row(rows.first), delta.stride, rows.size(), delta.cols);
        if (loss_limit < kUnlimited) limit_losses(work, rows, loss_limit);
        if (y.weights) weigh(work, rows);
    }

    /// A loss of the user's own, once for all rows.
    void ask(const CustomLoss<T>& custom) const {
        context.meet();
        if (context.share.rank == 0) {
            Rows<T>& delta = work.deltas.back();
            const std::size_t n = delta.cols;
            custom({{work.scores.row(0), work.batch, n, work.scores.stride},
                    work.samples.data(),
                    {delta.row(0), work.batch, n, delta.stride},
                    work.losses.data()});
        }
        context.meet();
    }

    /// Deltas of layer i - 1 from those of layer i.
    void backward_layer(std::size_t i, Range rows, Scratch<T>& scratch) const {
        if (i == 1 && skips_first_delta) return;
        multiply_back(i, rows, scratch);
        if (traits[i - 1].is_normalized) normalize_layer_back(i - 1, rows);
    }

    /// dL/dz of layer i - 1, or dL/d(scale x + shift) where it is normalised.
    void multiply_back(std::size_t i, Range rows, Scratch<T>& scratch) const {
        const std::size_t to = i - 1;
        Rows<T>& delta = traits[to].is_normalized ? work.normalized[to].delta : work.deltas[to];
        dense_backward(kernel, weights(i), work.deltas[i], rows, {0, padded(image[i].k)},
                       activation(to), z(to), delta, scratch, poll);
        if (drops(to)) {
            drop(kernel, mask(to), layers[to].dropout, rows, context.places, delta, delta);
        }
    }

    void normalize_layer_back(std::size_t i, Range rows) const {
        normalize_backward(kernel, layers[i].normalization, weights(i), running[i], context, rows,
                           work.normalized[i], work.deltas[i]);
    }

    /// Columns of the nodes of layer i, and of the deltas before it, where layers are plain:
    /// `dense_forward` says which.
    void forward_block(std::size_t i, Range rows, Range columns, Scratch<T>& scratch) const {
        Rows<T>& out = output(i);
        dense_forward(kernel, weights(i), activation(i), inputs(i), rows, columns, out.row(0),
                      out.stride, scratch);
    }
    void backward_block(std::size_t i, Range rows, Range columns, Scratch<T>& scratch) const {
        dense_backward(kernel, weights(i), work.deltas[i], rows, columns, activation(i - 1),
                       output(i - 1), work.deltas[i - 1], scratch);
    }

    /// (2.6), (2.7): this thread's share of all gradients goes to `targets` as `use` says.
    void gradients(const std::vector<UpdateTarget<T>>& targets, GradientUse<T> use, Share share,
                   Scratch<T>& scratch, RowPrefetcher* prefetch = nullptr) const {
        std::size_t i = 0;
        if (skips_first_delta) {
            hidden_update(kernel, targets[0], targets[1], weights(1), inputs(0), work.nodes[0],
                          work.deltas[1], {0, work.batch}, use, share, scratch, prefetch);
            i = 2;
        }
        for (; i < layers.size(); ++i) {
            if (is_sparse(i)) {
                sparse_update(kernel, targets[i], work.sparse.data(), work.deltas[i], work.batch,
                              use, share, work.columns[share.rank], scratch);
            } else {
                dense_update(kernel, targets[i], inputs(i), work.deltas[i], {0, work.batch}, use,
                             share, scratch, i == 0 ? prefetch : nullptr, poll);
            }
            if (traits[i].is_normalized) {
                normalization_update(kernel, targets[i], work.batch, work.normalized[i], use,
                                     share);
            }
        }
    }

    /// This thread's share of the running averages, after a forward in training.
    void move_averages(Share share) const {
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (layers[i].normalization != Normalization::kBatch) continue;
            fastmlp::move_averages(image[i].n, work.normalized[i], work.batch, share, running[i]);
        }
    }

    /// What layer i reads, writes and applies on the way forward.
    const T* const* inputs(std::size_t i) const {
        return i == 0 ? work.input.data() : work.nodes[i - 1].pointers.data();
    }
    Rows<T>& output(std::size_t i) const {
        return i + 1 == layers.size() ? work.scores : work.nodes[i];
    }
    Activation activation(std::size_t i) const { return traits[i].activation; }
    /// What h' of layer i is told from: z where its activation keeps it, else h(z), apart from the
    /// nodes where dropout makes them something else.
    Rows<T>& z(std::size_t i) const {
        return traits[i].keeps_z || drops(i) ? work.z[i] : output(i);
    }
    /// h(z), before dropout.
    Rows<T>& activated(std::size_t i) const { return traits[i].keeps_z ? output(i) : z(i); }

    bool is_sparse(std::size_t i) const { return i == 0 && !work.sparse.empty(); }
    bool drops(std::size_t i) const { return traits[i].has_dropout && context.training; }

private:
    void forward_rows(Range rows, Scratch<T>& scratch) const {
        for (std::size_t i = 0; i < layers.size(); ++i) forward_layer(i, rows, scratch);
    }

    /// Rows of a hidden layer that are still in the first-level cache when the next reads them: its
    /// nodes are most of what is touched (4-500-1: 4 to 6 % faster).
    std::size_t rows_in_cache() const {
        constexpr std::size_t kBytes = std::size_t{40} << 10, kUnit = 16;
        const std::size_t rows = kBytes / (work.nodes[0].stride * sizeof(T));
        return std::max(kUnit, rows / kUnit * kUnit);
    }

    kernels::Mask mask(std::size_t i) const {
        return dropout_mask(seed, i, layers[i].dropout, context);
    }
};

}  // namespace fastmlp
