#include "fastmlp/optimizer.hpp"

#include <cmath>

#include "checks/checks.hpp"

namespace fastmlp {

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

void check_step_optimizer(Optimizer optimizer) {
    if (optimizer.learning_rate == 0) optimizer.learning_rate = 1;
    check_optimizer(optimizer);
}

}  // namespace fastmlp
