/// The update with gradients that are stored first, instead of being applied as they are computed:
/// their norm is known only when all of them are, and those of other ranks are added to them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "fastmlp/network.hpp"
#include "fastmlp/ranks.hpp"
#include "fastmlp/trainer.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "threads/thread_pool.hpp"
#include "training/shared_sums.hpp"

namespace fastmlp {

template <class T>
class StoredUpdate {
public:
    /// Gradients are stored in the network's gradient buffer; those of several ranks in the memory
    /// that they share, if they do, or in both if the batches are `in_blocks`.
    StoredUpdate(const Network<T>& network, const TrainOptions& options, bool in_blocks)
        : flat_(network.gradients()->data()), count_(network.layout().size()),
          gradients_(network.layout(), flat_), stores_(targets(gradients_)),
          squares_(network.layout(), true) {
        const Ranks* ranks = options.ranks;
        if (!ranks || !ranks->shared) return;
        shared_.emplace(*ranks, count_, most_sums(network));
        plan(network, options.optimizer.clip_norm != Optimizer::kUnlimited);
        if (in_blocks) return;
        for (const std::uint64_t step : {0, 1}) {
            slots_.emplace_back(network.layout(), shared_->slot_of(ranks->rank, step));
            stores_of_slots_.push_back(targets(slots_.back()));
        }
    }

    /// The bytes of memory that ranks share for this.
    static std::size_t shared_bytes(const Network<T>& network, const Ranks& ranks) {
        return SharedSums<T>(ranks, network.layout().size(), most_sums(network)).bytes();
    }

    /// Where `Propagation::gradients` stores them.
    const std::vector<UpdateTarget<T>>& stores() const {
        return slots_.empty() ? stores_ : stores_of_slots_[shared_->step() % 2];
    }

    /// Replaces the gradients of this rank, which are stored and not divided yet, or 0 if it
    /// `is_empty`, and its sums of losses and weights by those of all ranks of `options`; then
    /// divides by the sum of the weights. For all threads, after a barrier.
    void add(const TrainOptions& options, bool is_empty, std::vector<double>& sums,
             const BatchContext& context) {
        if (context.share.rank == 0) exchange(options, is_empty, sums);
        context.meet();
        const T scale = scale_of(sums[kWeight]);
        if (shared_) {
            for (const Range range : added_) shared_->add(flat_, range, scale, context.share);
        } else {
            const Range mine = context.share.of(count_, kernels::kPad);
            for (std::size_t i = mine.first; i < mine.last; ++i) {
                flat_[i] = flat_[i] * scale + T(0);  // never -0
            }
        }
        context.meet();
        if (context.share.rank == 0) gradients_.load();
        context.meet();
    }

    /// This thread's share of (2.13), (2.14) with the stored gradients.
    void apply(const Propagation<T>& pass, const Optimizer& optimizer,
               const UpdateConventions& conventions, StepFacts facts,
               const std::vector<UpdateTarget<T>>& targets, std::vector<StepRules<T>>& room) {
        if (optimizer.clip_norm != Optimizer::kUnlimited) facts.norm = norm(pass);
        const StepRules<T> rules = step_rules<T>(optimizer, facts, conventions);
        const GradientUse<T> use{T(1), &rules,
                                 layer_rules(optimizer, facts, conventions, pass.layers, room)};
        for (std::size_t i = 0; i < gradients_.size(); ++i) {
            if (!pass.traits[i].trainable) continue;
            const GradientUse<T> of_layer = use.of_layer(i);
            if (adds_late(i)) {
                apply_sums(pass, targets[i], late_[i], of_layer, scale_of(facts.weight_sum));
                apply_vectors(pass.kernel, targets[i], gradients_[i], of_layer, pass.context.share);
            } else {
                apply_gradients(pass.kernel, targets[i], gradients_[i], of_layer,
                                pass.context.share);
            }
        }
    }

    /// The places in `sums`; the losses of heads follow.
    static constexpr std::size_t kLoss = 0, kWeight = 1, kHeads = 2;

private:
    static T scale_of(double weight) { return static_cast<T>(weight > 0 ? 1 / weight : 0); }

    /// Decides which gradients are added where they are applied, block by block in the L1 cache:
    /// the weights of layers that are computed in place, unless the norm is needed before.
    void plan(const Network<T>& network, bool norm_is_needed) {
        const Layout& layout = network.layout();
        late_.resize(layout.layer_count());
        std::size_t first = 0;
        for (std::size_t i = 0; i < layout.layer_count() && !norm_is_needed; ++i) {
            const Parameter& weights = layout[i].weights;
            const bool in_place = gradients_[i].w == flat_ + weights.offset;
            if (!in_place || !network.layers()[i].trainable) continue;
            late_[i] = {weights.offset, weights.offset + weights.size()};
            added_.push_back({first, late_[i].first});
            first = late_[i].last;
        }
        added_.push_back({first, count_});
    }
    bool adds_late(std::size_t i) const { return !late_.empty() && late_[i].size() > 0; }

    /// This thread's share of the update of a layer's weights with the sums of `flat` over ranks.
    void apply_sums(const Propagation<T>& pass, const UpdateTarget<T>& target, Range flat,
                    GradientUse<T> use, T scale) const {
        shared_->for_each_block(flat, scale, pass.context.share,
                                [&](std::size_t first, std::size_t n, const T* sums) {
                                    use_gradients(pass.kernel, target, &DenseView<T>::w,
                                                  first - flat.first, {1, n}, sums, use, n);
                                });
    }

    static std::vector<UpdateTarget<T>> targets(const PackedParameters<T>& gradients) {
        std::vector<UpdateTarget<T>> result;
        for (std::size_t i = 0; i < gradients.size(); ++i) result.push_back({gradients[i]});
        return result;
    }

    /// How many sums of losses and weights a rank has at most.
    static std::size_t most_sums(const Network<T>& network) { return kHeads + network.outputs(); }

    /// The messages, or the meeting in shared memory.
    void exchange(const TrainOptions& options, bool is_empty, std::vector<double>& sums) {
        PackedParameters<T>& stored = slots_.empty() ? gradients_ : slots_[shared_->step() % 2];
        stored.store();
        T* const flat = slots_.empty() ? flat_ : shared_->slot();
        if (is_empty) std::fill_n(flat, count_, T(0));
        if (!shared_) return options.ranks->add(flat, count_, sums);
        if (slots_.empty()) std::copy_n(flat, count_, shared_->slot());
        shared_->meet(sums, options.interrupted);
    }

    double norm(const Propagation<T>& pass) {
        pass.context.meet();
        for (std::size_t i = 0; i < gradients_.size(); ++i) {
            if (pass.traits[i].trainable) squares_.add(i, gradients_[i], pass.context.share);
        }
        pass.context.meet();
        return std::sqrt(squares_.total());
    }

    T* flat_;
    std::size_t count_;
    PackedParameters<T> gradients_;
    std::vector<UpdateTarget<T>> stores_;
    std::optional<SharedSums<T>> shared_;
    std::deque<PackedParameters<T>> slots_;  ///< this rank's; empty: `gradients_` is copied there
    std::vector<std::vector<UpdateTarget<T>>> stores_of_slots_;
    std::vector<Range> added_;  ///< elements whose sums over ranks are stored
    std::vector<Range> late_;   ///< of each layer, if ranks share memory: those that never are
    SumOfSquares<T> squares_;
};

}  // namespace fastmlp
