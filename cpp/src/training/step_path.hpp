/// The ways of computing a step, and when each is taken. They differ in what they read and write
/// when, and in nothing else: a step has the same bits whichever it is.
#pragma once

#include "fastmlp/trainer.hpp"
#include "propagation/hidden_update.hpp"
#include "propagation/samples.hpp"
#include "propagation/update_rule.hpp"
#include "training/step_by_columns.hpp"
#include "training/step_of_one_row.hpp"

namespace fastmlp {

/// What a training does otherwise than the plain step: forward, backward and update, split by rows.
struct StepPath {
    bool by_columns = false;    ///< forward and backward: see step_by_columns.hpp
    bool small_hidden = false;  ///< the first two layers' update: see hidden_update.hpp
    bool single_row = false;    ///< all of it, for blocks without weights: see step_of_one_row.hpp
};

/// Whether nothing looks at a step's loss, its gradient or its rows but SGD itself.
template <class T>
bool is_plain_sgd(const TrainOptions& options) {
    const Optimizer& optimizer = options.optimizer;
    return !options.on_step && !options.report_squares && options.gradient_scale == 1 &&
           options.loss_limit == TrainOptions::kUnlimited &&
           optimizer.clip_norm == Optimizer::kUnlimited &&
           step_rules<T>(optimizer, {}).weights.plain();
}

/// The path of a training in batches of so many samples, on so many threads.
template <class T>
StepPath choose_step_path(const Propagation<T>& pass, const Samples<T>& samples,
                          const TrainOptions& options, std::size_t batch, int threads) {
    if (samples.x.is_sparse) return {};
    const bool custom = pass.loss.kind == Loss::kCustom;  // asks for the batch, from its first row
    return {.by_columns = threads > 1 && WidePass<T>::serves(pass),
            .small_hidden = updates_hidden(pass.layers, pass.image),
            .single_row = batch == 1 && threads == 1 && !custom && !samples.y.weights &&
                          SingleRow<T>::serves(pass.layers) && is_plain_sgd<T>(options)};
}

}  // namespace fastmlp
