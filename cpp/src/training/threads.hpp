/// How many threads a training is worth.
#pragma once

#include <cstddef>

#include "fastmlp/layout.hpp"

namespace fastmlp {

/// As many threads as pay for the work of a step, at most `n_threads` (0: the process's limit). Of
/// the features a share of `density` is stored.
int threads_worth(const Layout& layout, std::size_t batch_size, double density, int n_threads);

}  // namespace fastmlp
