/// What `train` is told, checked before it starts.
#pragma once

#include "fastmlp/trainer.hpp"

namespace fastmlp {

/// std::invalid_argument where options make no sense, also for an epoch of `rows` samples; 0 is a
/// number not known.
void check_options(std::size_t rows, const TrainOptions& options);

/// std::invalid_argument where a batch-normalised network would get batches of one row only, which
/// has no variance. `weights` (rows,) may be null; rows of weight 0 do not count.
template <class T>
void check_batches(const Network<T>& network, std::size_t rows, const T* weights,
                   const TrainOptions& options);

}  // namespace fastmlp
