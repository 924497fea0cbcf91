/// The paper's passes over all layers, for some rows of a batch: what training, the step-by-step
/// interface and derivatives share.
///
/// Over 400 lines, as each pass is a few lines over the same state of one thread.
#pragma once

#include <algorithm>
#include <limits>

#include "fastmlp/network.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/dense.hpp"
#include "propagation/dropout.hpp"
#include "propagation/heads.hpp"
#include "propagation/loss.hpp"
#include "propagation/normalization.hpp"
#include "propagation/sparse.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// Properties of a layer that the passes need often.
struct LayerTraits {
    LayerTraits(const std::vector<Layer>& layers, std::size_t i, Loss loss)
        : activation(layers[i].activation) {
        if (i + 1 == layers.size()) activation = score_activation(loss, activation);
        keeps_z = fastmlp::keeps_z(activation);
        is_normalized = layers[i].normalization != Normalization::kNone;
        has_dropout = layers[i].dropout > 0;
        trainable = layers[i].trainable;
        normalized_after = is_normalized && layers[i].normalization.after_activation;
        at_once = (!is_normalized || normalized_after) && !keeps_z;
    }

    Activation activation;  ///< from z to nodes, or to scores
    bool keeps_z, is_normalized, has_dropout, trainable;
    bool normalized_after;  ///< the activation
    bool at_once;           ///< whether the product applies the activation
};

inline std::vector<LayerTraits> traits_of(const std::vector<Layer>& layers, Loss loss) {
    std::vector<LayerTraits> traits;
    for (std::size_t i = 0; i < layers.size(); ++i) traits.emplace_back(layers, i, loss);
    return traits;
}

/// One thread's passes.
template <class T>
struct Propagation {
    static constexpr T kUnlimited = std::numeric_limits<T>::infinity();

    /// Uses `its_parameters`, and the running averages of `network`, which only `move_averages`
    /// changes.
    Propagation(const Network<T>& network, const PackedParameters<T>& its_parameters,
                Workspace<T>& workspace)
        : kernel(kernels::active_table<T>()), layers(network.layers()),
          traits(traits_of(layers, network.loss())), loss(network.loss()), seed(network.seed()),
          running{&network.layout(), network.statistics()->data()}, parameters(its_parameters),
          work(workspace), output_scaling(network.output_scaling().get()),
          loss_weights(network.loss_weights() ? network.loss_weights()->data() : nullptr),
          heads(network.heads()),
          has_column_settings(heads.empty() && (output_scaling || loss_weights)),
          normalizes_inputs(fastmlp::normalizes_inputs(layers)) {
        work.scaled.expect(heads.empty() ? output_scaling : ColumnScaling<T>(), work.capacity,
                           work.scores.cols);
        while (work.head_losses.size() < heads.size()) work.head_losses.emplace_back(work.capacity);
        while (lowest_trainable < layers.size() && !traits[lowest_trainable].trainable) {
            ++lowest_trainable;
        }
    }

    const kernels::KernelTable<T>& kernel;
    const std::vector<Layer>& layers;
    std::vector<LayerTraits> traits;
    std::size_t lowest_trainable = 0;  ///< no delta below it is needed to train
    Loss loss;
    std::uint64_t seed;
    RunningStatistics<T> running;
    const PackedParameters<T>& parameters;
    Workspace<T>& work;
    ColumnScaling<T> output_scaling;  ///< of the network's outputs
    const T* loss_weights;            ///< of each output, or null
    const std::vector<Head>& heads;   ///< if the outputs have several
    bool has_column_settings;         ///< scaling or weights, without heads
    bool normalizes_inputs;           ///< of the first layer
    bool reports_in_units = false;    ///< losses are in units of the targets, not scaled
    BatchContext context{};
    Poll* poll = nullptr;            ///< counts the work, and throws to interrupt it
    Portions* portions = nullptr;    ///< of gradients, if threads take those of slower ones
    BatchSums<T>* others = nullptr;  ///< if other processes have samples of the batch
    T loss_limit = kUnlimited;       ///< see Conventions
    mutable Scratch<T> scratch;      ///< for the kernels' copies
    mutable Scratch<T> unit_factors;
    mutable LossesInUnits<T> losses_in_units;
    mutable HeadRows<T> head_rows;
    mutable SparseBatchByColumn<T> sparse_columns;  ///< of a sparse batch, this thread's share

    DenseView<const T> weights(std::size_t i) const { return read_only(parameters[i]); }

    /// The same for the batch `its_context`.
    Propagation in(const BatchContext& its_context) const {
        Propagation result(*this);
        result.context = its_context;
        return result;
    }

    /// (1.1), (1.2): nodes of the hidden layers and the output's scores.
    void forward(Range rows) const {
        if (normalizes_inputs) normalize_inputs(rows);
        for (std::size_t i = 0; i < layers.size(); ++i) forward_layer(i, rows);
    }

    /// The rows of the batch, in place: they are copies.
    void normalize_inputs(Range rows) const {
        normalize(kernel, layers[0].input_normalization, input_view(weights(0)),
                  running.of_inputs(), context_of(0), rows,
                  work.input.read(work.capacity, parameters[0].k), *work.normalized_inputs, others);
    }

    void forward_layer(std::size_t i, Range rows) const {
        begin(i, rows);
        if (traits[i].is_normalized) normalize_layer(i, rows);
        finish(i, rows);
    }

    /// Whether outputs of layer i, and deltas of layer i, can be computed without the others of
    /// their row.
    bool divides_columns(std::size_t i) const {
        const Activation h = activation(i);
        return (h == Activation::kRelu || h == Activation::kIdentity) && !traits[i].is_normalized &&
               !traits[i].has_dropout;
    }
    /// Of such a layer that is not narrow: some outputs of some rows.
    void forward_block(std::size_t i, const OutputBlock& block) const {
        Rows<T>& out = output(i);
        dense_forward(kernel, weights(i), activation(i), inputs(i), block.rows, block.columns,
                      out.row(0), out.stride, scratch);
    }
    /// Some deltas of layer i - 1, if that is such a layer.
    void backward_block(std::size_t i, const OutputBlock& block) const {
        dense_backward(kernel, weights(i), work.deltas[i], block.rows, block.columns,
                       activation(i - 1), output(i - 1), work.deltas[i - 1], scratch);
    }

    /// Everything before normalization.
    void begin(std::size_t i, Range rows) const {
        multiply(i, rows);
        if (!traits[i].normalized_after) return;
        if (!traits[i].at_once) activate_rows(i, rows);
        Rows<T>&from = activated(i), &to = output(i);
        activate(kernel, Activation::kIdentity, from.row(rows.first), from.stride,
                 to.row(rows.first), to.stride, rows.size(), to.cols);
    }

    /// z, or h(z) if the product applies the activation.
    void multiply(std::size_t i, Range rows) const {
        const LayerTraits& layer = traits[i];
        const Activation first = layer.at_once ? layer.activation : Activation::kIdentity;
        Rows<T>& from = z(i);
        if (is_sparse(i)) {
            sparse_forward(kernel, weights(i), first, work.input.sparse.data(), rows, from.row(0),
                           from.stride, poll);
        } else {
            dense_forward(kernel, weights(i), first, inputs(i), rows, {0, padded(parameters[i].n)},
                          from.row(0), from.stride, scratch, poll);
        }
    }

    /// Normalizes the result of `begin` in place.
    void normalize_layer(std::size_t i, Range rows) const {
        Rows<T>& at = traits[i].normalized_after ? output(i) : z(i);
        normalize(kernel, layers[i].normalization, weights(i), running[i], context_of(i), rows,
                  at.view(), *work.normalized[i], others);
    }

    /// Everything after normalization: the activation, unless it was applied before, and dropout.
    void finish(std::size_t i, Range rows) const {
        const bool after = traits[i].normalized_after;
        if (!traits[i].at_once && !after) activate_rows(i, rows);
        if (drops(i)) {
            drop(kernel, mask(i), layers[i].dropout, rows, context.places,
                 after ? output(i) : activated(i), output(i));
        }
    }

    /// h(z), in place, or in another buffer if z is needed later.
    void activate_rows(std::size_t i, Range rows) const {
        Rows<T>&from = z(i), &out = activated(i);
        activate(kernel, activation(i), from.row(rows.first), from.stride, out.row(rows.first),
                 out.stride, rows.size(), out.cols);
    }

    /// The outputs of the network for rows whose scores are computed.
    void outputs(Range rows) const {
        if (rows.size() == 0) return;
        Rows<T>&from = work.scores, &to = work.nodes.back();
        if (!heads.empty()) {
            head_pass().outputs(from.row(rows.first), from.stride, to.row(rows.first), to.stride,
                                rows.size());
        } else {
            scores_to_nodes(kernel, loss, layers.back().activation, from.row(rows.first),
                            from.stride, to.row(rows.first), to.stride, rows.size(), to.cols);
        }
        if (output_scaling) {
            output_scaling.apply(kernel, to.row(rows.first), to.stride, to.row(rows.first),
                                 to.stride, rows.size(), to.cols);
        }
    }

    /// (2.8), (2.9): losses and deltas of the output layer for the targets and weights of `y`.
    void output_delta(const Targets<T>& y, Range rows) const {
        if (y.custom) ask(*y.custom);
        if (rows.size() == 0) return;
        if (y.is_gradient) return take_gradient(rows);
        const std::size_t last = layers.size() - 1;
        Rows<T>&delta = work.deltas[last], &from = z(last);
        if (!y.custom) {
            loss_gradient(y, rows);
        } else if (activation(last) == Activation::kSoftmax) {
            softmax_backward(work.scores, delta, rows);
        }
        if (activation(last) != Activation::kIdentity) {
            activate_backward(kernel, activation(last), from.row(rows.first), from.stride,
                              delta.row(rows.first), delta.stride, rows.size(), delta.cols);
        }
        if (has_column_settings) {
            if (loss_weights) weigh_columns(delta, rows, loss_weights);
            if (reports_in_units && !y.custom && output_scaling &&
                output_scaling.has_constant(work.scores.cols)) {
                report_in_units(rows);  // the scaled loss cannot compare an offset with targets
            }
        }
        if (loss_limit < kUnlimited) limit_losses(work, rows, loss_limit);
        if (y.weights) weigh(work, rows);
    }

    /// Losses, and their derivatives by the scores in place of the last deltas, not yet times the
    /// weights of the outputs.
    void loss_gradient(const Targets<T>& y, Range rows) const {
        Rows<T>& delta = work.deltas.back();
        const OutputRows<T> at{rows.size(),
                               work.scores.cols,
                               work.scores.row(rows.first),
                               work.scores.stride,
                               y.labels ? work.labels.data() + rows.first : nullptr,
                               work.targets.data() + rows.first,
                               delta.row(rows.first),
                               delta.stride,
                               work.losses.data() + rows.first,
                               heads.empty() ? weights_of_losses() : nullptr};
        if (heads.empty()) return apply_loss(kernel, loss, at);
        head_pass().weighted({y.values.cols, delta.cols}, at, [&](std::size_t i) {
            return work.head_losses[i].data() + rows.first;
        });
    }

    /// The factor of each output's loss: its weight, and its unit if losses are reported in those
    /// of the targets.
    const T* weights_of_losses() const {
        if (!output_scaling || !reports_in_units) return loss_weights;
        const std::size_t n = work.scores.cols;
        T* const factors = room(unit_factors, n);
        for (std::size_t j = 0; j < n; ++j) {
            factors[j] = unit_of(loss, output_scaling.scales[j]);
            if (loss_weights) factors[j] *= loss_weights[j];
        }
        return factors;
    }

    /// Deltas of the output layer for dL/dh of a loss that only the caller knows: the Jacobian of
    /// its activation, which no loss holds here.
    void take_gradient(Range rows) const {
        const std::size_t last = layers.size() - 1;
        Rows<T>&delta = work.deltas[last], &h = work.nodes[last];
        outputs(rows);
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            std::copy_n(work.targets[b], delta.cols, delta.row(b));
            work.losses[b] = 0;
        }
        if (output_scaling) multiply_columns(delta, rows, output_scaling.scales);
        if (!heads.empty()) return pass_back_heads(rows);
        if (layers[last].activation == Activation::kSoftmax) softmax_backward(h, delta, rows);
        Rows<T>& from = traits[last].keeps_z ? z(last) : h;
        activate_backward(kernel, layers[last].activation, from.row(rows.first), from.stride,
                          delta.row(rows.first), delta.stride, rows.size(), delta.cols);
    }

    /// dL/dz of the outputs of heads for the dL/dh in its place.
    void pass_back_heads(Range rows) const {
        Rows<T>&from = work.scores, &delta = work.deltas.back();
        head_pass().pass_back(from.row(rows.first), from.stride, delta.row(rows.first),
                              delta.stride, rows.size());
    }
    HeadPass<T> head_pass() const {
        return {kernel, heads, head_rows, output_scaling,
                reports_in_units ? HeadLosses::kReported : HeadLosses::kScaled};
    }

    /// Calls a custom loss once for all rows. It receives the outputs of the network; the deltas
    /// are those of the outputs before they are scaled.
    void ask(const CustomLoss<T>& custom) const {
        context.meet();
        if (context.share.rank == 0 && work.batch > 0) {
            Rows<T>& delta = work.deltas.back();
            Rows<T>& seen = output_scaling ? work.nodes.back() : work.scores;
            const std::size_t n = delta.cols;
            if (output_scaling) outputs({0, work.batch});
            custom({{seen.row(0), work.batch, n, seen.stride},
                    work.samples.data(),
                    {delta.row(0), work.batch, n, delta.stride},
                    work.losses.data()});
            if (output_scaling) multiply_columns(delta, {0, work.batch}, output_scaling.scales);
        }
        context.meet();
    }

    /// Replaces the losses of `rows` by those in units of the targets.
    void report_in_units(Range rows) const {
        Rows<T>& scores = work.scores;
        losses_in_units.compute(kernel, loss, output_scaling,
                                {rows.size(), scores.cols, scores.row(rows.first), scores.stride,
                                 nullptr, work.scaled.in_units.data() + rows.first, nullptr, 0,
                                 work.losses.data() + rows.first, loss_weights});
    }

    /// (2.4), (2.5), (2.12): deltas of the layers from the output down to `lowest`.
    void backward(Range rows, std::size_t lowest = 0) const {
        for (std::size_t i = layers.size() - 1; i > lowest; --i) backward_layer(i, rows);
        if (normalizes_inputs && lowest == 0) multiply_back_to_inputs(rows);
    }

    /// dL/d(scale x + shift) of normalised features.
    void multiply_back_to_inputs(Range rows) const {
        multiply_back_to_features(rows, work.normalized_inputs->delta);
    }

    /// Deltas of layer i - 1 from those of layer i.
    void backward_layer(std::size_t i, Range rows) const {
        multiply_back(i, rows);
        if (traits[i - 1].is_normalized) normalize_layer_back(i - 1, rows);
    }

    /// dL/dz of layer i - 1, or dL/d(scale x + shift) where it is normalised.
    void multiply_back(std::size_t i, Range rows) const {
        const std::size_t to = i - 1;
        Rows<T>& delta = traits[to].is_normalized ? work.normalized[to]->delta : work.deltas[to];
        const Activation h = traits[to].normalized_after ? Activation::kIdentity : activation(to);
        dense_backward(kernel, weights(i), work.deltas[i], rows, {0, padded(parameters[i].k)}, h,
                       z(to), delta, scratch, poll);
        if (drops(to)) {
            drop(kernel, mask(to), layers[to].dropout, rows, context.places, delta, delta);
        }
    }

    void normalize_layer_back(std::size_t i, Range rows) const {
        normalize_backward(kernel, layers[i].normalization, weights(i), running[i], context_of(i),
                           rows, *work.normalized[i], work.deltas[i], others);
        if (traits[i].normalized_after) {
            Rows<T>&from = z(i), &delta = work.deltas[i];
            activate_backward(kernel, activation(i), from.row(rows.first), from.stride,
                              delta.row(rows.first), delta.stride, rows.size(), delta.cols);
        }
    }

    /// After `backward`, (2.4) for the features, which have no activation, into `out`.
    void feature_gradients(Range rows, Rows<T>& out) const {
        if (!normalizes_inputs) return multiply_back_to_features(rows, out);
        normalize_backward(kernel, layers[0].input_normalization, input_view(weights(0)),
                           running.of_inputs(), context_of(0), rows, *work.normalized_inputs, out,
                           others);
    }

    /// (2.6), (2.7): this thread's share of the gradients of all trainable layers goes to `targets`
    /// as `use` says. A frozen layer has none.
    void gradients(const std::vector<UpdateTarget<T>>& targets, GradientUse<T> use,
                   RowPrefetcher* prefetch = nullptr) const {
        const Share share = context.share;
        if (share.size == 1) return gradients_of({share, 0}, targets, use, prefetch);
        const double all = divided_weights(), mine = all / static_cast<double>(share.size);
        if (!portions || !worth_portions(mine, work.batch)) {
            return gradients_of(UpdateParts(share, all), targets, use, prefetch);
        }
        for (std::size_t i = 0; i < share.size; ++i) {
            const Share owner{(share.rank + i) % share.size, share.size};
            portions->take(owner.rank, {0, Halves::kCount}, [&](std::size_t k) {
                const Portion portion{owner, Halves::place(k), Halves::place(k + 1)};
                gradients_of({portion, all}, targets, use, i == 0 ? prefetch : nullptr);
            });
        }
    }

    /// Those of a thread's part, or of a portion of it.
    void gradients_of(UpdateParts parts, const std::vector<UpdateTarget<T>>& targets,
                      GradientUse<T> use, RowPrefetcher* prefetch) const {
        for (std::size_t i = lowest_trainable; i < layers.size(); ++i) {
            if (!traits[i].trainable) continue;
            gradients_of_layer(i, targets[i], use.of_layer(i), parts.next(divided_weights(i)),
                               i == lowest_trainable ? prefetch : nullptr);
        }
    }

    /// The weights that `gradients` divides among the threads, of one layer and of all. Those of
    /// sparse features are divided separately.
    double divided_weights(std::size_t i) const {
        return is_sparse(i) ? 0 : static_cast<double>(parameters[i].k * parameters[i].n);
    }
    double divided_weights() const {
        double sum = 0;
        for (std::size_t i = lowest_trainable; i < layers.size(); ++i) {
            if (traits[i].trainable) sum += divided_weights(i);
        }
        return sum;
    }

    void gradients_of_layer(std::size_t i, const UpdateTarget<T>& target, GradientUse<T> use,
                            const UpdatePart& mine, RowPrefetcher* prefetch = nullptr) const {
        if (is_sparse(i)) {  // whole parts only: sparse samples have no portions
            sparse_update(kernel, target, work.input.sparse.data(), work.deltas[i], work.batch, use,
                          mine.share, sparse_columns, scratch);
        } else {
            dense_update(kernel, target, inputs(i), work.deltas[i], {0, work.batch}, use, mine,
                         scratch, prefetch, poll);
        }
        if (!mine.with_vectors) return;
        if (traits[i].is_normalized) {
            normalization_update(kernel, target, work.batch, *work.normalized[i], use, mine.share);
        }
        if (i == 0 && normalizes_inputs) {
            normalization_update(kernel, inputs_of(target), work.batch, *work.normalized_inputs,
                                 use, mine.share);
        }
    }

    /// This thread's share of the running averages, after a forward in training.
    void move_averages() const {
        const Normalization of_inputs = layers[0].input_normalization;
        const std::size_t batch = others ? others->batch() : work.batch;
        if (of_inputs == Normalization::kBatch && traits[0].trainable) {
            fastmlp::move_averages(of_inputs.momentum, parameters[0].k, *work.normalized_inputs,
                                   batch, context.share, running.of_inputs());
        }
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (layers[i].normalization != Normalization::kBatch || !traits[i].trainable) continue;
            fastmlp::move_averages(layers[i].normalization.momentum, parameters[i].n,
                                   *work.normalized[i], batch, context.share, running[i]);
        }
    }

    /// What layer i reads, writes and applies in the forward pass.
    const T* const* inputs(std::size_t i) const {
        return i == 0 ? work.input.dense.data() : work.nodes[i - 1].pointers.data();
    }
    Rows<T>& output(std::size_t i) const {
        return i + 1 == layers.size() ? work.scores : work.nodes[i];
    }
    Activation activation(std::size_t i) const { return traits[i].activation; }
    /// What h' of layer i is computed from: z if its activation needs that, else h(z). Separate
    /// from the nodes if dropout or normalization changes them afterwards.
    Rows<T>& z(std::size_t i) const {
        const LayerTraits& layer = traits[i];
        return layer.keeps_z || layer.normalized_after || drops(i) ? work.z[i] : output(i);
    }
    /// h(z), before normalization and dropout.
    Rows<T>& activated(std::size_t i) const { return traits[i].keeps_z ? output(i) : z(i); }

    bool is_sparse(std::size_t i) const { return i == 0 && work.input.is_sparse; }
    bool drops(std::size_t i) const { return traits[i].has_dropout && context.training; }

private:
    void multiply_back_to_features(Range rows, Rows<T>& out) const {
        dense_backward(kernel, weights(0), work.deltas[0], rows, {0, padded(parameters[0].k)},
                       Activation::kIdentity, out, out, scratch, poll);
    }

    /// What normalises the inputs of a layer, with the optimizer's state.
    static UpdateTarget<T> inputs_of(const UpdateTarget<T>& layer) {
        return {input_view(layer.parameters), input_view(layer.first_moment),
                input_view(layer.second_moment), input_view(layer.sums)};
    }

    /// A frozen layer normalizes as in prediction.
    BatchContext context_of(std::size_t i) const {
        BatchContext result = context;
        result.training = context.training && traits[i].trainable;
        return result;
    }
    kernels::Mask mask(std::size_t i) const {
        return dropout_mask(seed, i, layers[i].dropout, context);
    }
};

}  // namespace fastmlp
