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
#include "training/step_in_portions.hpp"
#include "training/step_of_small_hidden.hpp"
#include "training/step_path.hpp"
#include "training/step_rows.hpp"
#include "training/step_stored.hpp"
#include "training/sums_of_ranks.hpp"

namespace fastmlp {

template <class T>
class TrainingStep {
public:
    TrainingStep(const Network<T>& network, const Propagation<T>& pass, const Samples<T>& samples,
                 const PackedState<T>& state, const TrainOptions& options,
                 const Conventions& conventions, StepPath path, int threads)
        : parts_(static_cast<std::size_t>(threads), Part{pass}), samples_(samples),
          parameters_(state.parameters()), targets_(state.targets()), options_(options),
          conventions_(conventions), path_(path), pass_portions_(parts_.size()),
          update_portions_(parts_.size()) {
        for (Part& part : parts_) {
            part.loss_limit = static_cast<T>(conventions.loss_limit);
            if (path.in_portions) part.portions = &update_portions_;
        }
        if (path.stored) stored_.emplace(network, options, path.in_blocks);
        if (options.ranks) sums_.resize(Stored::kHeads + pass.heads.size());
        if (couples_ranks(network)) {
            batch_sums_.emplace(options, network.layout(),
                                Stored::shared_bytes(network, *options.ranks));
            for (Part& part : parts_) part.others = &*batch_sums_;
        }
        if (path.in_blocks) blocks_.emplace(network, whole_targets());
        if (conventions.report_squares) weight_squares_.emplace(network.layout(), false);
    }

    /// This thread's share of the step over `samples`, of which those of weight 0 are left out, and
    /// `ahead` of other ranks come before them. Returns false and does nothing if none remains.
    /// `rate` is read after the first barrier only.
    bool run(Range samples, std::size_t ahead, const double& rate, std::uint64_t number,
             ThreadTeam& team, Share share) {
        Part& part = parts_[share.rank];
        const std::size_t first = samples.first, count = samples.size();
        const BatchContext context{
            .training = true, .epoch = samples_.epoch, .share = share, .team = &team};
        part.ahead = ahead;
        const bool is_empty = !part.begin(samples_, first, count, context);
        if (is_empty && !options_.ranks) return false;
        if (is_empty && share.rank == 0) part.work.batch = 0;
        while (!is_empty || batch_sums_) {  // other ranks wait for the sums of no samples, too
            passes(part, first);
            if (!add_block(part, first)) break;  // nothing is left of the batch
        }
        if (weight_squares_) weight_squares_->add_all(parameters_, share);
        team.barrier(static_cast<int>(share.rank));
        pass_portions_.renew(share.rank);
        RowPrefetcher prefetch = samples_.next_rows(first + count, part.rows);
        if (options_.ranks) return update_from_ranks(part, {rate, number}, prefetch, is_empty);
        // Nothing throws from here on, so the step is applied as a whole.
        part.move_averages();
        update(part, {rate, number, part.weight(samples_.y)}, prefetch);
        return true;
    }

    /// Sums over the rows of the last step: of losses, and of weights.
    double loss() const { return options_.ranks ? sums_[Stored::kLoss] : parts_[0].loss(); }
    double weight() const {
        return options_.ranks ? sums_[Stored::kWeight] : parts_[0].weight(samples_.y);
    }
    /// The sum of the losses of head i, not times its weight.
    double head_loss(std::size_t i) const {
        return options_.ranks ? sums_[Stored::kHeads + i] : parts_[0].head_loss(i);
    }

    /// The sum of squares of all weights before the step; 0 if not requested.
    double squares() const { return weight_squares_ ? weight_squares_->total() : 0; }

private:
    using Passes = StepPath::Passes;
    using Stored = StoredUpdate<T>;

    /// One thread's part, on separate cache lines.
    struct alignas(kCacheLine) Part : BlockPass<T> {
        explicit Part(const Propagation<T>& pass)
            : BlockPass<T>(pass), layer_rules(room_for_layer_rules<T>(pass.layers)) {}
        std::vector<StepRules<T>> layer_rules;  ///< if layers have different rates
    };

    /// Whether ranks need the sums of others before they have gradients.
    bool couples_ranks(const Network<T>& network) const {
        return options_.ranks && options_.ranks->rows.size() > 1 &&
               any_batch_normalization(network.layers());
    }

    /// Whether there are more blocks after this one, which then is added to the sums.
    bool add_block(Part& part, std::size_t first) {
        if (part.is_last()) return false;
        part.context.meet();
        pass_portions_.renew(part.context.share.rank);
        part.add_losses_of_block(samples_.y);
        RowPrefetcher prefetch = samples_.next_rows(first + part.block.last, part.rows);
        part.gradients(blocks_->of_block(part.is_first()), {T(1)}, &prefetch);
        part.context.meet();
        return true;
    }

    /// What the gradients of a batch are used for, and those of its last block.
    const std::vector<UpdateTarget<T>>& whole_targets() const {
        return stored_ ? stored_->stores() : targets_;
    }
    const std::vector<UpdateTarget<T>>& targets(const Part& part) const {
        return part.is_first() ? whole_targets() : blocks_->of_last();
    }

    void passes(Part& part, std::size_t first) {
        const bool in_portions = path_.in_portions && part.context.share.size > 1;
        if (in_portions) update_portions_.renew(part.context.share.rank);
        part.next_block(samples_, first);
        switch (path_.passes) {
            case Passes::kByColumns: {
                StepByColumns<T> by_columns{part, part.rows,
                                            in_portions ? &pass_portions_ : nullptr};
                return in_order(
                    part, first, [&] { by_columns.forward(); }, [&] { by_columns.backward(); });
            }
            case Passes::kSmallHidden: {
                const StepOfSmallHidden<T> small_hidden{part};
                return in_order(
                    part, first, [&] { small_hidden.forward(part.rows); },
                    [&] { small_hidden.backward(part.rows); });
            }
            case Passes::kPlain:
                if (in_portions) {
                    return StepInPortions<T>{part, samples_, first, pass_portions_}.run();
                }
                return in_order(
                    part, first, [&] { part.forward(part.rows); },
                    [&] { part.backward(part.rows, part.lowest_trainable); });
        }
    }

    template <class Forward, class Backward>
    void in_order(const Part& part, std::size_t first, Forward forward, Backward backward) const {
        part.gather(samples_, first, part.rows);
        forward();                                 // (1.1), (1.2)
        part.output_delta(samples_.y, part.rows);  // (2.8), (2.9)
        backward();                                // (2.4), (2.5), (2.12)
    }

    /// (2.6), (2.7) and (2.13), (2.14) in one: the update of a weight needs only its own gradient.
    void update(Part& part, const StepFacts& facts, RowPrefetcher& prefetch) {
        const double sum = facts.weight_sum;
        const T scale = static_cast<T>(sum > 0 ? conventions_.gradient_scale / sum : 0);
        if (stored_) {
            gradients(part, {scale}, prefetch);
            stored_->apply(part, options_.optimizer, conventions_, facts, targets_,
                           part.layer_rules);
        } else {
            const StepRules<T> rules = step_rules<T>(options_.optimizer, facts, conventions_);
            const StepRules<T>* of_layers =
                layer_rules(options_.optimizer, facts, conventions_, part.layers, part.layer_rules);
            gradients(part, {scale, &rules, of_layers}, prefetch);
        }
    }

    /// The same with the gradients of all ranks; false if none of their samples counts.
    bool update_from_ranks(Part& part, StepFacts facts, RowPrefetcher& prefetch, bool is_empty) {
        if (!is_empty) gradients(part, {T(1)}, prefetch);
        part.context.meet();
        if (part.context.share.rank == 0) {
            sums_[Stored::kLoss] = part.loss();
            sums_[Stored::kWeight] = part.weight(samples_.y);
            for (std::size_t i = Stored::kHeads; i < sums_.size(); ++i) {
                sums_[i] = part.head_loss(i - Stored::kHeads);
            }
        }
        stored_->add(options_, is_empty, sums_, part.context);
        facts.weight_sum = sums_[Stored::kWeight];
        if (!(facts.weight_sum > 0)) return false;
        part.move_averages();
        stored_->apply(part, options_.optimizer, conventions_, facts, targets_, part.layer_rules);
        return true;
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
    Portions pass_portions_, update_portions_;
    std::optional<Stored> stored_;
    std::optional<SumsOfRanks<T>> batch_sums_;
    std::optional<GradientSums<T>> blocks_;  ///< if a batch is divided into blocks
    std::optional<SumOfSquares<T>> weight_squares_;
    std::vector<double> sums_;  ///< of losses and weights of all ranks, if there are ranks
};

}  // namespace fastmlp
