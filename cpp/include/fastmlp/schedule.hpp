/// Learning-rate schedules: plain data, and one function of the step.
#pragma once

#include <cstddef>

#include "fastmlp/export.h"

namespace fastmlp {

/// What the learning rate of a step is multiplied with.
///
///   kConstant     1
///   kStep         factor^(epoch / every), a whole quotient
///   kExponential  factor^epoch
///   kCosine       from 1 to `final` along half a cosine over all steps
///                 (Loshchilov and Hutter 2017); 1 if there is one step only
///   kOneCycle     from `initial` up to 1 along half a cosine in the first `rise` of all steps,
///                 then down to `final` likewise (Smith and Topin 2018); `final` if there is one
///   kInverse      1 / (step + 1)^power
///
/// `warm_up` steps at the start rise linearly: times (step + 1) / warm_up. With `shift` the rest
/// begins after them: its step 0, which they rise to, is step `warm_up`, and what is spread over
/// the epochs trained is spread over the steps that are left.
struct Schedule {
    enum class Kind { kConstant, kStep, kExponential, kCosine, kOneCycle, kInverse };

    Kind kind = Kind::kConstant;
    double factor = 1;
    std::size_t every = 1;  ///< epochs
    double final = 0, initial = 0, rise = 0.3;
    double power = 0.5;
    std::size_t warm_up = 0;       ///< steps
    bool shift = false;            ///< whether the rest begins after the warm-up
    std::size_t total_epochs = 0;  ///< that kCosine and kOneCycle are spread over; 0: those trained
};

/// Where training stands.
struct Progress {
    std::size_t step;             ///< from 0, over all epochs
    std::size_t steps_per_epoch;  ///< at least 1
    std::size_t epochs;           ///< to be trained
};

/// The factor of a step. A fixed order of operations: the same bits on every platform.
FASTMLP_API double schedule_factor(const Schedule& schedule, const Progress& at);

/// std::invalid_argument if a number is out of its range.
FASTMLP_API void check_schedule(const Schedule& schedule);

}  // namespace fastmlp
