#include "fastmlp/layer.hpp"

#include <stdexcept>
#include <string>

namespace fastmlp {
namespace {

template <class Enum, std::size_t kCount>
Enum from_name(const std::pair<std::string_view, Enum> (&table)[kCount], std::string_view what,
               std::string_view name) {
    std::string allowed;
    for (const auto& [known, value] : table) {
        if (known == name) return value;
        allowed += (allowed.empty() ? "" : ", ") + std::string(known);
    }
    throw std::invalid_argument("unknown " + std::string(what) + " '" + std::string(name) +
                                "'; allowed: " + allowed);
}

}  // namespace

Activation activation_from_name(std::string_view name) {
    static constexpr std::pair<std::string_view, Activation> kNames[] = {
        {"identity", Activation::kIdentity}, {"relu", Activation::kRelu},
        {"sigmoid", Activation::kSigmoid},   {"tanh", Activation::kTanh},
        {"softmax", Activation::kSoftmax},
    };
    return from_name(kNames, "activation", name);
}

Loss loss_from_name(std::string_view name) {
    static constexpr std::pair<std::string_view, Loss> kNames[] = {
        {"cross_entropy", Loss::kCrossEntropy},
        {"binary_cross_entropy", Loss::kBinaryCrossEntropy},
        {"mean_squared_error", Loss::kMeanSquaredError},
    };
    return from_name(kNames, "loss", name);
}

Loss default_loss(Activation output) {
    switch (output) {
        case Activation::kSoftmax: return Loss::kCrossEntropy;
        case Activation::kSigmoid: return Loss::kBinaryCrossEntropy;
        default: return Loss::kMeanSquaredError;
    }
}

}  // namespace fastmlp
