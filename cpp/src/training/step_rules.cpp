#include "training/step_rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "training/power.hpp"

namespace fastmlp {
namespace {

using kernels::RuleKind;
using kernels::UpdateRule;

RuleKind kind_of(const Optimizer& optimizer) {
    const bool moves = optimizer.momentum != 0;
    switch (optimizer.kind) {
        case Optimizer::Kind::kAdam: return RuleKind::kAdam;
        case Optimizer::Kind::kRmsprop:
            return moves ? RuleKind::kRmspropMomentum : RuleKind::kRmsprop;
        case Optimizer::Kind::kSgd: break;
    }
    if (!moves) return RuleKind::kDescend;
    return optimizer.nesterov ? RuleKind::kNesterov : RuleKind::kMomentum;
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
    rule.kind = kind_of(optimizer);
    rule.momentum = static_cast<T>(optimizer.momentum);
    rule.rate = static_cast<T>(facts.rate);
    if (conventions.velocity_holds_rate && rule.kind != RuleKind::kDescend) {
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

template <class T>
StepRules<T> step_rules(const Optimizer& optimizer, const StepFacts& facts,
                        const UpdateConventions& conventions) {
    StepRules<T> rules;
    rules.weights = rules.others = base_rule<T>(optimizer, facts, conventions);
    add_penalties(optimizer, facts, conventions, rules.weights);
    if (optimizer.decay_biases) rules.others = rules.weights;
    return rules;
}

template <class T>
const StepRules<T>* layer_rules(const Optimizer& optimizer, const StepFacts& facts,
                                const UpdateConventions& conventions,
                                const std::vector<Layer>& layers, std::vector<StepRules<T>>& room) {
    for (std::size_t i = 0; i < room.size(); ++i) {
        StepFacts own = facts;
        own.rate *= layers[i].rate_factor;
        room[i] = step_rules<T>(optimizer, own, conventions);
    }
    return room.empty() ? nullptr : room.data();
}

template StepRules<float> step_rules(const Optimizer&, const StepFacts&, const UpdateConventions&);
template StepRules<double> step_rules(const Optimizer&, const StepFacts&, const UpdateConventions&);
template const StepRules<float>* layer_rules(const Optimizer&, const StepFacts&,
                                             const UpdateConventions&, const std::vector<Layer>&,
                                             std::vector<StepRules<float>>&);
template const StepRules<double>* layer_rules(const Optimizer&, const StepFacts&,
                                              const UpdateConventions&, const std::vector<Layer>&,
                                              std::vector<StepRules<double>>&);

}  // namespace fastmlp
