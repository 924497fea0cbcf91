/// `train_many` as scikit-learn trains, or with work on jobs that have ended while others train.
/// Used by the Python package only.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "lanes/manner.hpp"

namespace fastmlp {

/// Is called in the caller's thread with the numbers of jobs that have ended, and all outcomes.
using JobsEnded =
    std::function<void(const std::vector<std::size_t>& jobs, std::vector<TrainOutcome>& outcomes)>;

/// `train_many` with the manner of each job, which may end it. `ended`, which may be empty,
/// receives each job, unless the training is interrupted; an exception that it throws stops all.
template <class T>
std::vector<TrainOutcome> train_many_by(std::vector<Manner>& manners,
                                        const std::vector<TrainJob<T>>& jobs, int n_threads,
                                        const std::function<bool()>& interrupted,
                                        const JobsEnded& ended = {});

}  // namespace fastmlp
