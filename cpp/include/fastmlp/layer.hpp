/// What a network is made of: dense layers with an activation, and a loss at the end.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "fastmlp/export.h"

namespace fastmlp {

/// h in nodes = h(z). Softmax stands at the output only.
enum class Activation { kIdentity, kRelu, kSigmoid, kTanh, kSoftmax };

/// Means over the batch; squared error and binary cross-entropy also over the outputs.
enum class Loss { kCrossEntropy, kBinaryCrossEntropy, kMeanSquaredError };

struct Layer {
    std::size_t nodes;
    Activation activation;

    bool operator==(const Layer&) const = default;
};

/// The names Python uses ("relu", "cross_entropy"). Unknown: std::invalid_argument.
FASTMLP_API Activation activation_from_name(std::string_view name);
FASTMLP_API Loss loss_from_name(std::string_view name);

FASTMLP_API std::string_view name_of(Activation activation);
FASTMLP_API std::string_view name_of(Loss loss);

/// The loss that belongs to an output: cross-entropy with softmax, binary cross-entropy with
/// sigmoid, mean squared error with the rest.
FASTMLP_API Loss default_loss(Activation output);

}  // namespace fastmlp
