/// `train_many` as scikit-learn trains. Used by `fastmlp.sklearn` only.
#pragma once

#include <functional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "lanes/manner.hpp"

namespace fastmlp {

/// `train_many` with the manner of each job, which may end it.
template <class T>
std::vector<TrainOutcome> train_many_by(std::vector<Manner>& manners,
                                        const std::vector<TrainJob<T>>& jobs, int n_threads,
                                        const std::function<bool()>& interrupted);

}  // namespace fastmlp
