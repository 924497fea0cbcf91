/// What `train` is told, checked before it starts.
#pragma once

#include "fastmlp/trainer.hpp"

namespace fastmlp {

/// std::invalid_argument where options make no sense, also for an epoch of `rows` samples; 0 is a
/// number not known.
void check_options(std::size_t rows, const TrainOptions& options);

}  // namespace fastmlp
