#include "fastmlp/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checks/require.hpp"
#include "propagation/update_rule.hpp"
#include "training/power.hpp"

namespace fastmlp {
namespace {

using kernels::Step;
using kernels::UpdateRule;

Step step_of(const Optimizer& optimizer) {
    const bool moves = optimizer.momentum != 0;
    switch (optimizer.kind) {
        case Optimizer::Kind::kAdam: return Step::kAdam;
        case Optimizer::Kind::kRmsprop: return moves ? Step::kRmspropMomentum : Step::kRmsprop;
        case Optimizer::Kind::kSgd: break;
    }
    if (!moves) return Step::kDescend;
    return optimizer.nesterov ? Step::kNesterov : Step::kMomentum;
}

/// epsilon in T, never 0: a gradient that was always 0 would otherwise give a step of 0 / 0.
template <class T>
T rounded_epsilon(double epsilon) {
    return std::max(static_cast<T>(epsilon), std::numeric_limits<T>::denorm_min());
}

/// Adam's bias correction 1 / (1 - beta^n), folded into the rate and epsilon so that the stored
/// moments stay uncorrected (Kingma and Ba 2015, end of section 2).
template <class T>
void correct_adam(const Optimizer& optimizer, const StepFacts& facts,
                  const UpdateConventions& conventions, UpdateRule<T>& rule) {
    const double first = 1 - power(optimizer.beta_1, facts.number);
    const double second = std::sqrt(1 - power(optimizer.beta_2, facts.number));
    rule.rate = static_cast<T>(facts.rate * second / first);
    const double epsilon = optimizer.epsilon;
    rule.epsilon = rounded_epsilon<T>(conventions.uncorrected_epsilon ? epsilon : epsilon * second);
}

template <class T>
UpdateRule<T> base_rule(const Optimizer& optimizer, const StepFacts& facts,
                        const UpdateConventions& conventions) {
    UpdateRule<T> rule;
    rule.step = step_of(optimizer);
    rule.momentum = static_cast<T>(optimizer.momentum);
    rule.rate = static_cast<T>(facts.rate);
    if (conventions.velocity_holds_rate && rule.step != Step::kDescend) {
        rule.gain = rule.rate;
        rule.rate = T(1);
    }
    const bool adam = optimizer.kind == Optimizer::Kind::kAdam;
    const double decay = adam ? optimizer.beta_2 : optimizer.rho;
    rule.square_decay = static_cast<T>(decay);
    rule.square_gain = static_cast<T>(1 - decay);
    rule.mean_gain = static_cast<T>(1 - optimizer.beta_1);
    rule.epsilon = rounded_epsilon<T>(optimizer.epsilon);
    if (adam) correct_adam(optimizer, facts, conventions, rule);
    const double shrink = optimizer.clip_norm / (facts.norm + 1e-6);  // as in PyTorch
    const bool shrinks = shrink < 1;
    rule.shrink = shrinks ? static_cast<T>(shrink) : T(1);
    rule.limit = static_cast<T>(optimizer.clip_value);
    rule.adjusted = shrinks || optimizer.clip_value < Optimizer::kUnlimited;
    return rule;
}

template <class T>
void add_penalties(const Optimizer& optimizer, const StepFacts& facts,
                   const UpdateConventions& conventions, UpdateRule<T>& rule) {
    const double samples = facts.weight_sum;
    const double part = conventions.penalty_per_sample ? (samples > 0 ? 1 / samples : 0) : 1;
    rule.l1 = static_cast<T>(optimizer.l1 * part);
    rule.l2 = static_cast<T>(optimizer.l2 * part);
    rule.keep = static_cast<T>(1 - facts.rate * optimizer.weight_decay);
    rule.adjusted =
        rule.adjusted || optimizer.l1 != 0 || optimizer.l2 != 0 || optimizer.weight_decay != 0;
}

}  // namespace

void check_optimizer(const Optimizer& o) {
    const auto finite_from_0 = [](double x) { return x >= 0 && std::isfinite(x); };
    const auto decay = [](double x) { return x >= 0 && x < 1; };
    require(o.learning_rate > 0 && std::isfinite(o.learning_rate), "learning_rate",
            "positive and finite", o.learning_rate);
    require(o.momentum >= 0 && o.momentum <= 1, "momentum", "at least 0 and at most 1", o.momentum);
    require(!o.nesterov || o.momentum > 0, "momentum", "above 0 for nesterov", o.momentum);
    require(decay(o.beta_1), "beta_1", "at least 0 and below 1", o.beta_1);
    require(decay(o.beta_2), "beta_2", "at least 0 and below 1", o.beta_2);
    require(decay(o.rho), "rho", "at least 0 and below 1", o.rho);
    require(o.epsilon > 0 && std::isfinite(o.epsilon), "epsilon", "positive and finite", o.epsilon);
    require(finite_from_0(o.l1), "l1", "at least 0 and finite", o.l1);
    require(finite_from_0(o.l2), "l2", "at least 0 and finite", o.l2);
    require(finite_from_0(o.weight_decay), "weight_decay", "at least 0 and finite", o.weight_decay);
    require(o.clip_value > 0, "clip_value", "above 0", o.clip_value);
    require(o.clip_norm > 0, "clip_norm", "above 0", o.clip_norm);
}

template <class T>
StepRules<T> step_rules(const Optimizer& optimizer, const StepFacts& facts,
                        const UpdateConventions& conventions) {
    StepRules<T> rules;
    rules.weights = rules.others = base_rule<T>(optimizer, facts, conventions);
    add_penalties(optimizer, facts, conventions, rules.weights);
    if (optimizer.decay_biases) rules.others = rules.weights;
    return rules;
}

template StepRules<float> step_rules(const Optimizer&, const StepFacts&, const UpdateConventions&);
template StepRules<double> step_rules(const Optimizer&, const StepFacts&, const UpdateConventions&);

}  // namespace fastmlp
