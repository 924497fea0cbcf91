/// Forward passes over any number of rows, in blocks that stay in cache.
#pragma once

#include "fastmlp/network.hpp"
#include "features.hpp"

namespace fastmlp {

/// std::invalid_argument unless x has so many features.
template <class T>
void check_features(std::size_t features, const MatrixView<const T>& x);
/// The same, and of sparse rows whether they are sound.
template <class T>
void check_features(std::size_t features, const Features<T>& x);

/// The first, and unless `out` has room for the outputs of every row of x.
template <class T>
void check_shapes(std::size_t features, std::size_t outputs, const MatrixView<const T>& x,
                  const MatrixView<T>& out);

/// std::invalid_argument unless y has `rows` rows of what the loss takes, labels in range.
template <class T>
void check_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows);

}  // namespace fastmlp
