/// One training step, shared by the threads of a team. The forward and backward passes are split by
/// rows, the update by weights; no sum is ever split.
///
/// `run` is the plain step. `step_path.hpp` decides when parts of it are computed another way.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"
#include "training/state.hpp"
#include "training/step_by_blocks.hpp"
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
        if (!begin(part, first, count, team, share)) return false;
        do {
            gather(part, first);
            forward(part);                             // (1.1), (1.2)
            part.output_delta(samples_.y, part.rows);  // (2.8), (2.9)
            backward(part);                            // (2.4), (2.5), (2.12)
        } while (add_block(part, first));  // until nothing is left of the batch
        if (weight_squares_) weight_squares_->add_all(parameters_, share);
        team.barrier(static_cast<int>(share.rank));
        // Nothing throws from here on, so the step is applied as a whole.
        part.move_averages();
        RowPrefetcher prefetch = samples_.next_rows(first + count, part.rows);
        update(part, {rate, number, weight(part)}, prefetch);
        return true;
    }

    /// Sums over the rows of the last step: of losses, and of weights.
    double loss() const { return add_losses(parts_[0].loss_before, parts_[0].work); }
    double weight() const { return weight(parts_[0]); }
    /// The sum of the losses of head i, not times its weight.
    double head_loss(std::size_t i) const { return head_loss(parts_[0], i); }

    /// The sum of squares of all weights before the step; 0 if not requested.
    double squares() const { return weight_squares_ ? weight_squares_->total() : 0; }

private:
    using Passes = StepPath::Passes;

    /// One thread's part, on separate cache lines.
    struct alignas(kCacheLine) Part : Propagation<T> {
        explicit Part(const Propagation<T>& pass)
            : Propagation<T>(pass), head_losses_before(pass.heads.size()),
              layer_rules(room_for_layer_rules<T>(pass.layers)) {}
        std::size_t batch = 0;                      ///< rows of the whole batch that count,
        std::vector<std::uint32_t> places;          ///< their positions in it, if it has weights
        Range block{};                              ///< of the batch: what is in the workspace now,
        Range rows{};                               ///< and this thread's part of that
        double loss_before = 0, weight_before = 0;  ///< of the blocks before
        std::vector<double> head_losses_before;     ///< and of each head, if there are several
        std::vector<StepRules<T>> layer_rules;      ///< if layers have different rates
    };

    /// False if all weights of the batch are 0.
    bool begin(Part& part, std::size_t first, std::size_t count, ThreadTeam& team,
               Share share) const {
        part.batch = count;
        if (samples_.y.weights) {
            const auto weight_of = [&](std::size_t place) {
                return samples_.y.weights[samples_[first + place]];
            };
            find_counting(count, weight_of, part.places);
            part.batch = part.places.size();
            if (part.batch == 0) return false;
        }
        part.block = {};
        part.loss_before = part.weight_before = 0;
        std::fill(part.head_losses_before.begin(), part.head_losses_before.end(), 0.0);
        part.context = {.training = true, .epoch = samples_.epoch, .share = share, .team = &team};
        return true;
    }

    /// Gathers this thread's rows of the batch, or of its next block.
    void gather(Part& part, std::size_t first) const {
        part.block = {part.block.last, std::min(part.batch, part.block.last + part.work.capacity)};
        const bool has_places = samples_.y.weights != nullptr;
        if (has_places) {
            part.context.places = part.places.data() + part.block.first;
        } else {
            first += part.block.first;
        }
        part.context.batch = part.block.size();
        part.context.position = samples_.before + first;
        part.rows = part.context.rows();
        if (part.context.share.rank == 0) part.work.batch = part.block.size();
        samples_.gather(part.kernel, first, 0, part.rows, part.work, part.context.places);
    }

    /// Whether there are more blocks after this one, which then is added to the sums.
    bool add_block(Part& part, std::size_t first) const {
        if (part.block.last == part.batch) return false;
        part.context.meet();
        part.loss_before = add_losses(part.loss_before, part.work);
        for (std::size_t i = 0; i < part.heads.size(); ++i) {
            part.head_losses_before[i] = head_loss(part, i);
        }
        part.weight_before = weight(part);
        RowPrefetcher prefetch = samples_.next_rows(first + part.block.last, part.rows);
        sums_->add(part, part.block.first == 0, prefetch);
        part.context.meet();
        return true;
    }

    static double head_loss(const Part& part, std::size_t i) {
        return add_losses(part.head_losses_before[i], part.work.head_losses[i], part.work.batch);
    }

    double weight(const Part& part) const {
        return weight_sum(samples_.y, part.work, part.weight_before);
    }

    /// What the gradients of a batch are used for, and those of its last block.
    const std::vector<UpdateTarget<T>>& whole_targets() const {
        return clipped_ ? clipped_->stores() : targets_;
    }
    const std::vector<UpdateTarget<T>>& targets(const Part& part) const {
        return part.block.first > 0 ? sums_->of_last() : whole_targets();
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
