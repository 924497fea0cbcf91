/// Forward passes over any number of rows, in blocks that stay in cache.
#pragma once

#include "fastmlp/network.hpp"

namespace fastmlp {

/// std::invalid_argument unless x has the network's features.
template <class T>
void check_features(const Network<T>& network, const MatrixView<const T>& x);

/// std::invalid_argument unless y has `rows` rows of what the loss takes, labels in range.
template <class T>
void check_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows);

}  // namespace fastmlp
