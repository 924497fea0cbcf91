/// Whether two networks are the same function of their parameters.
#pragma once

#include "fastmlp/network.hpp"

namespace fastmlp {

/// Throws std::invalid_argument that names the first difference, unless `source` computes what
/// `network` computes from the same parameters, and by the same loss: sizes, activations,
/// normalizations with all that prediction reads of them, loss and scaling. Names, and how the
/// networks are trained (dropout, momentum, trainable, rate factors), may differ.
template <class T>
void check_same_function(const Network<T>& network, const Network<T>& source);

}  // namespace fastmlp
