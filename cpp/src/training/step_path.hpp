/// Which way a step is computed, and why. The plain step is in `step.hpp`; each other way is in a
/// file of its own and replaces a part of it. They differ in what they read and write when, and in
/// nothing else: a step has the same bits whichever it is.
#pragma once

#include <algorithm>

#include "fastmlp/trainer.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "propagation/update_rule.hpp"
#include "training/options.hpp"

namespace fastmlp {

struct StepPath {
    enum class Passes {
        kPlain,
        kByColumns,    ///< forward and backward: see step_by_columns.hpp
        kSmallHidden,  ///< and gradients, too: see step_of_small_hidden.hpp
    };

    Passes passes = Passes::kPlain;
    bool clipped = false;  ///< the update: see step_clipped.hpp
    bool one_row = false;  ///< all of it: see step_of_one_row.hpp
};

/// Whether the outputs of a layer are split over threads rather than the rows of the batch: from
/// 1 MB of float32 on, half of a usual second-level cache or more. Outputs of a narrow layer are
/// computed together.
template <class T>
bool is_wide(const DenseView<T>& layer) {
    constexpr std::size_t kWide = std::size_t{1} << 18;
    return layer.n > kernels::kNarrow && layer.k * layer.n >= kWide;
}

/// By columns only with several threads and a wide layer, for the barriers cost; and only if every
/// node can be had without the others of its layer, or its row.
template <class T>
bool goes_by_columns(const Propagation<T>& pass, int threads) {
    if (threads == 1) return false;
    bool any_wide = false;
    for (std::size_t i = 0; i < pass.layers.size(); ++i) {
        const Activation h = pass.activation(i);
        if (h != Activation::kRelu && h != Activation::kIdentity) return false;
        if (pass.traits[i].is_normalized || pass.traits[i].has_dropout) return false;
        any_wide = any_wide || is_wide(pass.image[i]);
    }
    return any_wide;
}

/// Whether all layers take the same step.
inline bool all_alike(const std::vector<Layer>& layers) {
    return std::all_of(layers.begin(), layers.end(), [](const Layer& layer) {
        return layer.trainable && layer.rate_factor == 1;
    });
}

/// The kernel takes few inputs and outputs, and makes deltas again from the nodes of a relu that
/// nothing stands between. Blocks of rows go forward one after another, which a layer that looks at
/// the whole batch forbids.
template <class T>
bool has_small_hidden(const Propagation<T>& pass) {
    const std::vector<Layer>& layers = pass.layers;
    if (layers.size() < 2 || !all_alike(layers)) return false;
    const DenseView<T>&hidden = pass.image[0], &next = pass.image[1];
    return layers[0].activation == Activation::kRelu && layers[0].dropout == 0 &&
           layers[0].normalization == Normalization::kNone &&
           layers[1].normalization == Normalization::kNone && !hidden.transposed &&
           hidden.k <= kernels::kFewInputs && next.n <= kernels::kFewOutputs &&
           std::none_of(layers.begin(), layers.end(), [](const Layer& layer) {
               return layer.normalization == Normalization::kBatch;
           });
}

/// Row by row an update may wait for the next forward pass only if nothing else needs it: no other
/// row of a batch or thread, no optimizer but plain SGD, no callback after each step.
template <class T>
bool goes_row_by_row(const Propagation<T>& pass, const TrainOptions& options,
                     const Conventions& conventions, std::size_t batch, int threads) {
    const bool plain_layers =
        all_alike(pass.layers) &&
        std::all_of(pass.traits.begin(), pass.traits.end(), [](const LayerTraits& layer) {
            return !layer.is_normalized && !layer.has_dropout;  // as they look beyond the row
        });
    const bool plain_loss = pass.loss.kind != Loss::kCustom &&  // asks for a batch from its row 0
                            conventions.gradient_scale == 1 &&
                            conventions.loss_limit == Conventions::kUnlimited;
    const bool plain_sgd = options.optimizer.clip_norm == Optimizer::kUnlimited &&
                           step_rules<T>(options.optimizer, {}, conventions).weights.plain();
    const bool unobserved = !options.on_step && !conventions.report_squares && options.ema == 0;
    return batch == 1 && threads == 1 && plain_layers && plain_loss && plain_sgd && unobserved;
}

/// The path of a training in batches of `batch` samples, on `threads` threads.
template <class T>
StepPath choose_step_path(const Propagation<T>& pass, const Samples<T>& samples,
                          const TrainOptions& options, const Conventions& conventions,
                          std::size_t batch, int threads) {
    StepPath path;
    path.clipped = options.optimizer.clip_norm != Optimizer::kUnlimited;
    if (samples.x.is_sparse) return path;  // all other ways read dense rows
    path.one_row = goes_row_by_row(pass, options, conventions, batch, threads);
    if (has_small_hidden(pass)) {
        path.passes = StepPath::Passes::kSmallHidden;
    } else if (goes_by_columns(pass, threads)) {
        path.passes = StepPath::Passes::kByColumns;
    }
    return path;
}

/// Whether the samples at hand go row by row: a block of a stream may have weights, which that way
/// does not look at, though those before it had none.
template <class T>
bool takes_one_row(const StepPath& path, const Samples<T>& samples) {
    return path.one_row && samples.y.weights == nullptr;
}

}  // namespace fastmlp
