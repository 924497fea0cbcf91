/// Which way a step is computed, and why. The plain step is in `step.hpp`; each alternative is in a
/// separate file and replaces a part of it. They differ only in the order of memory accesses: the
/// bits of a step are always the same.
#pragma once

#include <algorithm>

#include "fastmlp/trainer.hpp"
#include "propagation/blocks_of_batch.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "training/options.hpp"
#include "training/step_rules.hpp"

namespace fastmlp {

struct StepPath {
    enum class Passes {
        kPlain,
        kByColumns,    ///< replaces forward and backward: see step_by_columns.hpp
        kSmallHidden,  ///< and the gradients: see step_of_small_hidden.hpp
    };

    Passes passes = Passes::kPlain;
    bool in_blocks = false;    ///< repeats the passes: see blocks_of_batch.hpp
    bool in_portions = false;  ///< that free threads take: see threads/portions.hpp
    bool stored = false;       ///< replaces the update: see step_stored.hpp
    bool one_row = false;      ///< replaces all of it: see step_of_one_row.hpp
};

/// Whether the outputs of a layer, rather than the rows of the batch, are split over threads: from
/// as many float32 weights on as fill an L2 cache. The outputs of a narrow layer are computed
/// together.
inline bool is_wide(const LayerLayout& layer) {
    return layer.n > kernels::kNarrow && layer.k * layer.n >= cache_sizes().l2 / sizeof(float);
}

/// By columns only with several threads and a wide layer, because of the cost of the barriers; and
/// only if each node can be computed independently of the other nodes of its layer or row.
inline bool goes_by_columns(const std::vector<LayerTraits>& layers, const Layout& layout,
                            int threads) {
    if (threads == 1) return false;
    bool any_wide = false;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const Activation h = layers[i].activation;
        if (h != Activation::kRelu && h != Activation::kIdentity) return false;
        if (layers[i].is_normalized || layers[i].has_dropout) return false;
        any_wide = any_wide || is_wide(layout[i]);
    }
    return any_wide;
}

/// Whether all layers have the same update rule.
inline bool all_alike(const std::vector<Layer>& layers) {
    return std::all_of(layers.begin(), layers.end(), [](const Layer& layer) {
        return layer.trainable && layer.rate_factor == 1;
    });
}

/// The kernel takes few inputs and outputs, and recomputes deltas from the nodes of a relu, so no
/// normalisation or dropout may come between. The forward pass runs block by block, so no layer may
/// need the whole batch.
inline bool has_small_hidden(const std::vector<Layer>& layers, const Layout& layout) {
    if (layers.size() < 2 || !all_alike(layers)) return false;
    return layers[0].activation == Activation::kRelu && layers[0].dropout == 0 &&
           layers[0].normalization == Normalization::kNone &&
           layers[1].normalization == Normalization::kNone && layout[0].n > kernels::kNarrow &&
           layout[0].k <= kernels::kFewInputs && layout[1].n <= kernels::kFewOutputs &&
           std::none_of(layers.begin(), layers.end(), [](const Layer& layer) {
               return layer.normalization == Normalization::kBatch;
           });
}

/// How many rows of a batch are propagated together: all if a layer or the loss needs the whole
/// batch, if the features are sparse, or for the kernel of a small hidden layer, which stores no
/// deltas (4-500-1, batch 1024: dividing the batch would take 1.6 times as long).
template <class T>
std::size_t rows_at_once(const Network<T>& network, bool is_sparse, std::size_t batch,
                         int threads) {
    const std::vector<Layer>& layers = network.layers();
    const bool normalizes = normalizes_inputs(layers) ||
                            std::any_of(layers.begin(), layers.end(), [](const Layer& layer) {
                                return layer.normalization == Normalization::kBatch;
                            });
    const bool needs_all = normalizes || network.loss().kind == Loss::kCustom;
    if (is_sparse || needs_all || has_small_hidden(layers, network.layout())) return batch;
    return rows_of_block<T>(layers, network.layout(), batch, threads);
}

/// An update may be deferred to the next row's forward pass only if nothing reads the weights in
/// between: batches of one row, one thread, no callback after each step.
template <class T>
bool goes_row_by_row(const Propagation<T>& pass, const TrainOptions& options,
                     const Conventions& conventions, std::size_t batch, int threads) {
    const bool plain_layers =
        all_alike(pass.layers) &&
        std::all_of(pass.traits.begin(), pass.traits.end(), [](const LayerTraits& layer) {
            return !layer.is_normalized && !layer.has_dropout;  // which read other rows
        });
    const bool plain_loss = pass.loss.kind != Loss::kCustom &&  // called once per batch
                            conventions.gradient_scale == 1 &&
                            conventions.loss_limit == Conventions::kUnlimited;
    const bool by_element = options.optimizer.clip_norm == Optimizer::kUnlimited;
    const bool unobserved =
        !options.on_step && !conventions.report_squares && options.ema == 0 && !options.ranks;
    return batch == 1 && threads == 1 && plain_layers && plain_loss && by_element && unobserved;
}

/// Whether threads take portions of the passes of others: if each has enough work between two
/// barriers, and no layer or loss needs the whole batch. Of dense samples.
template <class T>
bool goes_in_portions(const Propagation<T>& pass, int threads, std::size_t batch) {
    constexpr double kLeastFlops = 16 * kPortionFlops;
    const std::size_t rows = std::min(batch, pass.work.capacity);
    const double flops = 4.0 * static_cast<double>(pass.running.layout->size() * rows);
    const bool any_batch = std::any_of(
        pass.layers.begin(), pass.layers.end(),
        [](const Layer& layer) { return layer.normalization == Normalization::kBatch; });
    return threads > 1 && flops / threads >= kLeastFlops && pass.loss.kind != Loss::kCustom &&
           !any_batch;
}

/// The path of a training in batches of `batch` samples, on `threads` threads.
template <class T>
StepPath choose_step_path(const Propagation<T>& pass, const Samples<T>& samples,
                          const TrainOptions& options, const Conventions& conventions,
                          std::size_t batch, int threads) {
    StepPath path;
    path.in_blocks = batch > pass.work.capacity;
    path.stored = options.optimizer.clip_norm != Optimizer::kUnlimited || options.ranks;
    if (samples.x.is_sparse) return path;     // all alternatives need dense rows
    if (pass.normalizes_inputs) return path;  // and read them as they are gathered
    path.one_row = goes_row_by_row(pass, options, conventions, batch, threads);
    if (has_small_hidden(pass.layers, *pass.running.layout)) {
        path.passes = StepPath::Passes::kSmallHidden;
    } else if (goes_by_columns(pass.traits, *pass.running.layout, threads)) {
        path.passes = StepPath::Passes::kByColumns;
    }
    path.in_portions =
        path.passes != StepPath::Passes::kSmallHidden && goes_in_portions(pass, threads, batch);
    return path;
}

/// Whether steps on this path may have sparse features, too, though it was chosen for dense ones.
inline bool takes_sparse(const StepPath& path) {
    return path.passes == StepPath::Passes::kPlain && !path.in_blocks && !path.in_portions;
}

/// Whether the current samples are trained row by row: any block of a stream may have weights,
/// which that path ignores.
template <class T>
bool takes_one_row(const StepPath& path, const Samples<T>& samples) {
    return path.one_row && samples.y.weights == nullptr;
}

}  // namespace fastmlp
