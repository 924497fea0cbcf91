/// An optimizer's settings, turned into the scalars of one step.
#pragma once

#include "fastmlp/optimizer.hpp"
#include "kernels/table.hpp"

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

/// The rule for weights, and that for all other parameters.
template <class T>
struct StepRules {
    kernels::UpdateRule<T> weights, others;
};

/// Rounded to T at the very end: all of it is computed in double precision.
template <class T>
StepRules<T> step_rules(const Optimizer& optimizer, const StepFacts& facts,
                        const UpdateConventions& conventions = {});

}  // namespace fastmlp
