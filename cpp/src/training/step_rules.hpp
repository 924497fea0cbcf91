/// An optimizer's settings, turned into the scalars of one step.
#pragma once

#include <algorithm>
#include <vector>

#include "fastmlp/layer.hpp"
#include "fastmlp/optimizer.hpp"
#include "propagation/dense.hpp"

namespace fastmlp {

/// scikit-learn's way of updating, where it differs.
struct UpdateConventions {
    bool penalty_per_sample = false;   ///< l1 and l2 are divided by the batch's sum of weights
    bool velocity_holds_rate = false;  ///< u = momentum u + rate g, w -= u
    bool uncorrected_epsilon = false;  ///< Adam's epsilon beside the uncorrected sqrt(s)
};

/// What one step needs to know beside the optimizer's settings.
struct StepFacts {
    double rate = 0;           ///< of this step
    std::uint64_t number = 1;  ///< of this step since the state was 0, from 1
    double weight_sum = 1;     ///< of the batch: its rows, or the sum of their weights
    double norm = 0;           ///< of all gradients; asked for by clip_norm only
};

/// std::invalid_argument as by `check_optimizer`; but the learning rate of a single step may be 0,
/// where a schedule came to that.
void check_step_optimizer(Optimizer optimizer);

/// Rounded to T at the very end: all of it is computed in double precision.
template <class T>
StepRules<T> step_rules(const Optimizer& optimizer, const StepFacts& facts,
                        const UpdateConventions& conventions = {});

/// The same for each of `layers` by its own rate, in `room`, which has an element for each; null
/// where it is empty, for all layers have the common rate.
template <class T>
const StepRules<T>* layer_rules(const Optimizer& optimizer, const StepFacts& facts,
                                const UpdateConventions& conventions,
                                const std::vector<Layer>& layers, std::vector<StepRules<T>>& room);

/// The room for that.
template <class T>
std::vector<StepRules<T>> room_for_layer_rules(const std::vector<Layer>& layers) {
    const bool differ = std::any_of(layers.begin(), layers.end(),
                                    [](const Layer& layer) { return layer.rate_factor != 1; });
    return std::vector<StepRules<T>>(differ ? layers.size() : 0);
}

}  // namespace fastmlp
