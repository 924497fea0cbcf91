/// Learning-rate schedules: plain data and a function of the step.
#pragma once

#include <cstddef>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// The factor of a step's learning rate.
///
///   kConstant     1
///   kStep         factor^(epoch / every), an integer quotient
///   kExponential  factor^epoch
///   kCosine       from 1 to `final` along half a cosine over all steps
///                 (Loshchilov and Hutter 2017); 1 if there is one step only
///   kOneCycle     from `initial` up to 1 along half a cosine in the first `rise` of all steps,
///                 then down to `final` likewise (Smith and Topin 2018); `final` if there is one
///   kInverse      1 / (step + 1)^power
///
/// During the first `warm_up` steps the factor rises linearly: it is multiplied by
/// (step + 1) / warm_up. With `shift` the schedule itself begins after them: its step 0, which they
/// rise to, is step `warm_up`, and schedules over all steps cover the remaining ones.
struct Schedule {
    enum class Kind { kConstant, kStep, kExponential, kCosine, kOneCycle, kInverse };

    Kind kind = Kind::kConstant;
    double factor = 1;
    std::size_t every = 1;  ///< epochs
    double final = 0, initial = 0, rise = 0.3;
    double power = 0.5;
    std::size_t warm_up = 0;       ///< steps
    bool shift = false;            ///< whether the schedule begins after the warm-up
    std::size_t total_epochs = 0;  ///< covered by kCosine and kOneCycle; 0: those trained
};

/// The position in a training.
struct Progress {
    std::size_t step;             ///< from 0, over all epochs
    std::size_t steps_per_epoch;  ///< at least 1
    std::size_t epochs;           ///< to be trained
};

/// The factor of a step. The order of operations is fixed: the same bits on every platform. Throws
/// std::invalid_argument if a number of the schedule is out of its range, or steps_per_epoch is 0.
FASTMLP_API double schedule_factor(const Schedule& schedule, const Progress& at);

/// Throws std::invalid_argument if a number is out of its range.
FASTMLP_API void check_schedule(const Schedule& schedule);

}  // namespace fastmlp
