/// One training step, shared by the threads of a team. The forward and backward passes are split by
/// rows, the update by weights; no sum is ever split.
///
/// `run` is the plain step. `step_path.hpp` decides when parts of it are computed another way.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "propagation/blocks_of_batch.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"
#include "training/state.hpp"
#include "training/step_by_columns.hpp"
#include "training/step_clipped.hpp"
#include "training/step_of_small_hidden.hpp"
#include "training/step_path.hpp"

namespace fastmlp {

template <class T>
class TrainingStep {
public:
    TrainingStep(const Network<T>& network, const Propagation<T>& pass, const Samples<T>& samples,
                 const PackedState<T>& state, const TrainOptions& options,
                 const Conventions& conventions, StepPath path, int threads)
        : parts_(static_cast<std::size_t>(threads), Part{pass}), samples_(samples),
          parameters_(state.parameters()), targets_(state.targets()), options_(options),
          conventions_(conventions), path_(path) {
        for (Part& part : parts_) part.loss_limit = static_cast<T>(conventions.loss_limit);
        if (path.clipped) clipped_.emplace(network);
        if (path.in_blocks) sums_.emplace(network, whole_targets());
        if (conventions.report_squares) weight_squares_.emplace(network.layout(), false);
    }

    /// This thread's share of the step over samples `first` to `first` + `count` - 1, without those
    /// of weight 0. Returns false and does nothing if none remains. `rate` is read after the first
    /// barrier only.
    bool run(std::size_t first, std::size_t count, const double& rate, std::uint64_t number,
             ThreadTeam& team, Share share) {
        Part& part = parts_[share.rank];
        const BatchContext context{
            .training = true, .epoch = samples_.epoch, .share = share, .team = &team};
        if (!part.begin(samples_, first, count, context)) return false;
        do {
            part.gather(samples_, first);
            forward(part);                             // (1.1), (1.2)
            part.output_delta(samples_.y, part.rows);  // (2.8), (2.9)
            backward(part);                            // (2.4), (2.5), (2.12)
        } while (add_block(part, first));  // until nothing is left of the batch
        if (weight_squares_) weight_squares_->add_all(parameters_, share);
        team.barrier(static_cast<int>(share.rank));
        // Nothing throws from here on, so the step is applied as a whole.
        part.move_averages();
        RowPrefetcher prefetch = samples_.next_rows(first + count, part.rows);
        update(part, {rate, number, part.weight(samples_.y)}, prefetch);
        return true;
    }

    /// Sums over the rows of the last step: of losses, and of weights.
    double loss() const { return parts_[0].loss(); }
    double weight() const { return parts_[0].weight(samples_.y); }
    /// The sum of the losses of head i, not times its weight.
    double head_loss(std::size_t i) const { return parts_[0].head_loss(i); }

    /// The sum of squares of all weights before the step; 0 if not requested.
    double squares() const { return weight_squares_ ? weight_squares_->total() : 0; }

private:
    using Passes = StepPath::Passes;

    /// One thread's part, on separate cache lines.
    struct alignas(kCacheLine) Part : BlockPass<T> {
        explicit Part(const Propagation<T>& pass)
            : BlockPass<T>(pass), layer_rules(room_for_layer_rules<T>(pass.layers)) {}
        std::vector<StepRules<T>> layer_rules;  ///< if layers have different rates
    };

    /// Whether there are more blocks after this one, which then is added to the sums.
    bool add_block(Part& part, std::size_t first) const {
        if (part.is_last()) return false;
        part.context.meet();
        part.add_losses_of_block(samples_.y);
        RowPrefetcher prefetch = samples_.next_rows(first + part.block.last, part.rows);
        part.gradients(sums_->of_block(part.is_first()), {T(1)}, &prefetch);
        part.context.meet();
        return true;
    }

    /// What the gradients of a batch are used for, and those of its last block.
    const std::vector<UpdateTarget<T>>& whole_targets() const {
        return clipped_ ? clipped_->stores() : targets_;
    }
    const std::vector<UpdateTarget<T>>& targets(const Part& part) const {
        return part.is_first() ? whole_targets() : sums_->of_last();
    }

    void forward(const Part& part) const {
        switch (path_.passes) {
            case Passes::kPlain: return part.forward(part.rows);
            case Passes::kByColumns: return StepByColumns<T>{part, part.rows}.forward();
            case Passes::kSmallHidden: return StepOfSmallHidden<T>{part}.forward(part.rows);
        }
    }

    void backward(const Part& part) const {
        switch (path_.passes) {
            case Passes::kPlain: return part.backward(part.rows, part.lowest_trainable);
            case Passes::kByColumns: return StepByColumns<T>{part, part.rows}.backward();
            case Passes::kSmallHidden: return StepOfSmallHidden<T>{part}.backward(part.rows);
        }
    }

    /// (2.6), (2.7) and (2.13), (2.14) in one: the update of a weight needs only its own gradient.
    void update(Part& part, const StepFacts& facts, RowPrefetcher& prefetch) {
        const double sum = facts.weight_sum;
        const T scale = static_cast<T>(sum > 0 ? conventions_.gradient_scale / sum : 0);
        if (clipped_) {
            gradients(part, {scale}, prefetch);
            clipped_->apply(part, options_.optimizer, conventions_, facts, targets_,
                            part.layer_rules);
        } else {
            const StepRules<T> rules = step_rules<T>(options_.optimizer, facts, conventions_);
            const StepRules<T>* of_layers =
                layer_rules(options_.optimizer, facts, conventions_, part.layers, part.layer_rules);
            gradients(part, {scale, &rules, of_layers}, prefetch);
        }
    }

    void gradients(const Part& part, GradientUse<T> use, RowPrefetcher& prefetch) const {
        if (path_.passes == Passes::kSmallHidden) {
            StepOfSmallHidden<T>{part}.gradients(targets(part), use, &prefetch);
        } else {
            part.gradients(targets(part), use, &prefetch);
        }
    }

    std::vector<Part> parts_;  ///< of each thread
    const Samples<T>& samples_;
    const PackedParameters<T>& parameters_;
    const std::vector<UpdateTarget<T>>& targets_;
    const TrainOptions& options_;
    const Conventions& conventions_;
    StepPath path_;
    std::optional<ClippedUpdate<T>> clipped_;
    std::optional<GradientSums<T>> sums_;  ///< if a batch is divided into blocks
    std::optional<SumOfSquares<T>> weight_squares_;
};

}  // namespace fastmlp
