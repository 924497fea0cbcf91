/// The learning rate of a step.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "checks/checks.hpp"
#include "fastmlp/trainer.hpp"

namespace fastmlp {

/// That of step `number`, times `factor`; std::invalid_argument unless it is at least 0 and finite.
template <class T>
double rate_of_step(const TrainOptions& options, std::size_t number, std::size_t steps_per_epoch,
                    double factor) {
    double rate = 0;
    if (options.learning_rate) {
        rate = options.learning_rate(number) * factor;
    } else {
        const double scheduled = schedule_factor(
            options.schedule, {number, std::max<std::size_t>(1, steps_per_epoch), options.epochs});
        rate = options.optimizer.learning_rate * scheduled * factor;
    }
    if (rate >= 0 && std::isfinite(static_cast<T>(rate))) return rate;
    throw std::invalid_argument("the learning rate of step " + std::to_string(number) +
                                " must be at least 0 and finite, got " + shortest(rate));
}

}  // namespace fastmlp
