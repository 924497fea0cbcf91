/// The update with a bounded norm of the gradients. The norm is known only when all gradients are,
/// so they are stored first instead of being applied as they are computed.
#pragma once

#include <cmath>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

template <class T>
class ClippedUpdate {
public:
    /// Gradients are stored in the network's gradient buffer.
    explicit ClippedUpdate(const Network<T>& network)
        : gradients_(network.layout(), network.gradients()->data()),
          squares_(network.layout(), true) {
        for (std::size_t i = 0; i < gradients_.size(); ++i) stores_.push_back({gradients_[i]});
    }

    /// Where `Propagation::gradients` stores them.
    const std::vector<UpdateTarget<T>>& stores() const { return stores_; }

    /// This thread's share of (2.13), (2.14) with the stored gradients.
    void apply(const Propagation<T>& pass, const Optimizer& optimizer,
               const UpdateConventions& conventions, StepFacts facts,
               const std::vector<UpdateTarget<T>>& targets, std::vector<StepRules<T>>& room) {
        const Share share = pass.context.share;
        pass.context.meet();
        for (std::size_t i = 0; i < gradients_.size(); ++i) {
            if (pass.traits[i].trainable) squares_.add(i, gradients_[i], share);
        }
        pass.context.meet();
        facts.norm = std::sqrt(squares_.total());
        const StepRules<T> rules = step_rules<T>(optimizer, facts, conventions);
        const GradientUse<T> use{T(1), &rules,
                                 layer_rules(optimizer, facts, conventions, pass.layers, room)};
        for (std::size_t i = 0; i < gradients_.size(); ++i) {
            if (!pass.traits[i].trainable) continue;
            apply_gradients(pass.kernel, targets[i], gradients_[i], *use.of_layer(i).rules, share);
        }
    }

private:
    PackedParameters<T> gradients_;
    std::vector<UpdateTarget<T>> stores_;
    SumOfSquares<T> squares_;
};

}  // namespace fastmlp
