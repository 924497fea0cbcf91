/// The update with gradients that are stored first, instead of being applied as they are computed:
/// their norm is known only when all of them are, and those of other ranks are added to them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "fastmlp/network.hpp"
#include "fastmlp/ranks.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

template <class T>
class StoredUpdate {
public:
    /// Gradients are stored in the network's gradient buffer.
    explicit StoredUpdate(const Network<T>& network)
        : flat_(network.gradients()->data()), count_(network.layout().size()),
          gradients_(network.layout(), flat_), squares_(network.layout(), true) {
        for (std::size_t i = 0; i < gradients_.size(); ++i) stores_.push_back({gradients_[i]});
    }

    /// Where `Propagation::gradients` stores them.
    const std::vector<UpdateTarget<T>>& stores() const { return stores_; }

    /// Replaces the gradients of this rank, which are stored and not divided yet, or 0 if it
    /// `is_empty`, and its sums of losses and weights by those of all `ranks`; then divides by the
    /// sum of the weights. For one thread, between two barriers.
    void add(const Ranks& ranks, bool is_empty, std::vector<double>& sums) {
        gradients_.store();
        if (is_empty) std::fill_n(flat_, count_, T(0));
        ranks.add(flat_, count_, sums);
        const T scale = static_cast<T>(sums[kWeight] > 0 ? 1 / sums[kWeight] : 0);
        for (std::size_t i = 0; i < count_; ++i) flat_[i] = flat_[i] * scale + T(0);  // never -0
        gradients_.load();
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
            apply_gradients(pass.kernel, targets[i], gradients_[i], *use.of_layer(i).rules,
                            pass.context.share);
        }
    }

    /// The places in `sums`; the losses of heads follow.
    static constexpr std::size_t kLoss = 0, kWeight = 1, kHeads = 2;

private:
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
    SumOfSquares<T> squares_;
};

}  // namespace fastmlp
