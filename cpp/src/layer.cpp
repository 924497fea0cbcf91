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

template <class Enum, std::size_t kCount>
std::string_view to_name(const std::pair<std::string_view, Enum> (&table)[kCount], Enum value) {
    for (const auto& [name, known] : table) {
        if (known == value) return name;
    }
    throw std::logic_error("a value without a name");
}

constexpr std::pair<std::string_view, Activation> kActivationNames[] = {
    {"identity", Activation::kIdentity}, {"relu", Activation::kRelu},
    {"sigmoid", Activation::kSigmoid},   {"tanh", Activation::kTanh},
    {"softmax", Activation::kSoftmax},
};

constexpr std::pair<std::string_view, Loss> kLossNames[] = {
    {"cross_entropy", Loss::kCrossEntropy},
    {"binary_cross_entropy", Loss::kBinaryCrossEntropy},
    {"mean_squared_error", Loss::kMeanSquaredError},
};

}  // namespace

Activation activation_from_name(std::string_view name) {
    return from_name(kActivationNames, "activation", name);
}

Loss loss_from_name(std::string_view name) {
    return from_name(kLossNames, "loss", name);
}

std::string_view name_of(Activation activation) {
    return to_name(kActivationNames, activation);
}

std::string_view name_of(Loss loss) {
    return to_name(kLossNames, loss);
}

Loss default_loss(Activation output) {
    switch (output) {
        case Activation::kSoftmax: return Loss::kCrossEntropy;
        case Activation::kSigmoid: return Loss::kBinaryCrossEntropy;
        default: return Loss::kMeanSquaredError;
    }
}

}  // namespace fastmlp
