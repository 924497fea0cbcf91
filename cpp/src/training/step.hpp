/// One step of training, shared by the threads of a team: rows are split going forward and
/// backward, weights in the update; no sum is ever split.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "threads/thread_pool.hpp"
#include "training/state.hpp"
#include "training/step_path.hpp"

namespace fastmlp {

template <class T>
class TrainingStep {
public:
    TrainingStep(const Network<T>& network, const Propagation<T>& pass, const Samples<T>& samples,
                 const TrainedState<T>& state, const TrainOptions& options, StepPath path,
                 int threads)
        : network_(network), passes_(static_cast<std::size_t>(threads), Pass{pass}),
          work_(pass.work), samples_(samples), state_(state), options_(options),
          by_columns_(path.by_columns), has_averages_(network.layout().statistics_size() > 0) {
        for (Pass& own : passes_) {
            own.loss_limit = static_cast<T>(options.loss_limit);
            own.skips_first_delta = path.small_hidden;
        }
        if (options.report_squares) weight_squares_.emplace(network.layout(), false);
        if (options.optimizer.clip_norm == Optimizer::kUnlimited) return;
        gradient_squares_.emplace(network.layout(), true);
        gradients_.emplace(network.layout(), network.gradients()->data());
        for (std::size_t i = 0; i < gradients_->size(); ++i) {
            gradient_targets_.push_back({(*gradients_)[i]});
        }
    }

    /// The step over those of the next `count` samples from `first` on that count, this thread's
    /// share; false, and nothing is done, if none does. Losses and weights of the batch stay in the
    /// workspace. `rate` is read after the first barrier only.
    bool run(std::size_t first, std::size_t count, const double& rate, std::uint64_t number,
             ThreadTeam& team, Share share, Scratch<T>& scratch) {
        const int rank = static_cast<int>(share.rank);
        Pass& pass = passes_[share.rank];
        const std::uint32_t* places = nullptr;
        std::size_t batch = count;
        if (samples_.y.weights) {
            samples_.find_counting(first, count, pass.places);
            places = pass.places.data();
            batch = pass.places.size();
            if (batch == 0) return false;
        }
        const Range rows = share.of(batch, batch >= kernels::kPad * share.size ? kernels::kPad : 1);
        if (share.rank == 0) work_.batch = batch;
        samples_.gather(first, 0, rows, work_, places);
        pass.context = {.batch = batch,
                        .training = true,
                        .epoch = network_.epoch(),
                        .position = samples_.before + first,
                        .places = places,
                        .share = share,
                        .team = &team};
        if (by_columns_ && share.size > 1) {
            WidePass<T>{pass, team, share, {0, batch}, rows, scratch}.run(samples_.y);
        } else {
            pass.forward(rows, scratch);
            pass.backward(samples_.y, rows, scratch);
        }
        if (weight_squares_) sum_squares(*weight_squares_, state_.parameters(), share);
        team.barrier(rank);
        // Nothing throws from here on: the step takes place.
        if (has_averages_) pass.move_averages(share);
        const StepFacts facts{rate, number, weight_sum(samples_.y, work_)};
        const double scale = facts.weight_sum > 0 ? options_.gradient_scale / facts.weight_sum : 0;
        RowPrefetcher prefetch = samples_.next_rows(first + count, rows);
        if (gradients_) {
            pass.gradients(gradient_targets_, {static_cast<T>(scale)}, share, scratch, &prefetch);
            team.barrier(rank);
            clip_and_apply(facts, team, share);
        } else {
            const StepRules<T> rules = step_rules<T>(options_.optimizer, facts);
            pass.gradients(state_.targets(), {static_cast<T>(scale), &rules}, share, scratch,
                           &prefetch);
        }
        return true;
    }

    /// The squares of all weights before the step; 0 where nobody asked.
    double squares() const { return weight_squares_ ? weight_squares_->total() : 0; }

private:
    /// One thread's, on cache lines of its own: it writes the context.
    struct alignas(kCacheLine) Pass : Propagation<T> {
        explicit Pass(const Propagation<T>& pass) : Propagation<T>(pass) {}
        std::vector<std::uint32_t> places;  ///< in the batch, of the rows that count
    };

    static void sum_squares(Squares<T>& squares, const Image<T>& image, Share share) {
        for (std::size_t i = 0; i < image.size(); ++i) squares.add(i, image[i], share);
    }

    void clip_and_apply(StepFacts facts, ThreadTeam& team, Share share) {
        sum_squares(*gradient_squares_, *gradients_, share);
        team.barrier(static_cast<int>(share.rank));
        facts.norm = std::sqrt(gradient_squares_->total());
        const StepRules<T> rules = step_rules<T>(options_.optimizer, facts);
        for (std::size_t i = 0; i < gradients_->size(); ++i) {
            apply_gradients(passes_[share.rank].kernel, state_.targets()[i], (*gradients_)[i],
                            rules, share);
        }
    }

    const Network<T>& network_;
    std::vector<Pass> passes_;  ///< of each thread
    Workspace<T>& work_;
    const Samples<T>& samples_;
    const TrainedState<T>& state_;
    const TrainOptions& options_;
    bool by_columns_;    ///< how a team of several goes forward and backward
    bool has_averages_;  ///< of batch normalisation
    std::optional<Squares<T>> weight_squares_, gradient_squares_;
    std::optional<Image<T>> gradients_;  ///< where they are stored to be clipped by their norm
    std::vector<UpdateTarget<T>> gradient_targets_;
};

}  // namespace fastmlp
