#include "fastmlp/layer.hpp"

#include <cmath>
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

constexpr std::pair<std::string_view, Activation::Kind> kActivationNames[] = {
    {"identity", Activation::kIdentity},
    {"relu", Activation::kRelu},
    {"leaky_relu", Activation::kLeakyRelu},
    {"elu", Activation::kElu},
    {"selu", Activation::kSelu},
    {"gelu", Activation::kGelu},
    {"gelu_tanh", Activation::kGeluTanh},
    {"silu", Activation::kSilu},
    {"mish", Activation::kMish},
    {"relu6", Activation::kRelu6},
    {"hardswish", Activation::kHardswish},
    {"sigmoid", Activation::kSigmoid},
    {"tanh", Activation::kTanh},
    {"softplus", Activation::kSoftplus},
    {"exp", Activation::kExp},
    {"softmax", Activation::kSoftmax},
};

constexpr std::pair<std::string_view, Normalization::Kind> kNormalizationNames[] = {
    {"none", Normalization::kNone},
    {"batch", Normalization::kBatch},
    {"layer", Normalization::kLayer},
};

constexpr std::pair<std::string_view, Loss::Kind> kLossNames[] = {
    {"cross_entropy", Loss::kCrossEntropy},
    {"binary_cross_entropy", Loss::kBinaryCrossEntropy},
    {"mean_squared_error", Loss::kMeanSquaredError},
    {"mean_absolute_error", Loss::kMeanAbsoluteError},
    {"huber", Loss::kHuber},
    {"quantile", Loss::kQuantile},
    {"poisson", Loss::kPoisson},
    {"custom", Loss::kCustom},
    {"heads", Loss::kHeads},
};

}  // namespace

Activation activation_from_name(std::string_view name) {
    return from_name(kActivationNames, "activation", name);
}

Normalization normalization_from_name(std::string_view name) {
    return from_name(kNormalizationNames, "normalization", name);
}

Loss::Kind loss_from_name(std::string_view name) {
    return from_name(kLossNames, "loss", name);
}

std::string_view name_of(Activation activation) {
    return to_name(kActivationNames, activation.kind);
}

std::string_view name_of(Normalization normalization) {
    return to_name(kNormalizationNames, normalization.kind);
}

std::string_view name_of(Loss::Kind loss) {
    return to_name(kLossNames, loss);
}

double initial_limit(Activation activation, std::size_t k, std::size_t n) {
    const auto inputs = static_cast<double>(k), outputs = static_cast<double>(n);
    switch (activation.kind) {
        case Activation::kRelu:
        case Activation::kLeakyRelu:
        case Activation::kElu:
        case Activation::kGelu:
        case Activation::kGeluTanh:
        case Activation::kSilu:
        case Activation::kMish:
        case Activation::kRelu6:
        case Activation::kHardswish: return std::sqrt(6.0 / inputs);
        case Activation::kSelu: return std::sqrt(3.0 / inputs);
        default: return std::sqrt(6.0 / (inputs + outputs));
    }
}

bool keeps_z(Activation activation) {
    switch (activation.kind) {
        case Activation::kGelu:
        case Activation::kGeluTanh:
        case Activation::kSilu:
        case Activation::kMish:
        case Activation::kHardswish: return true;
        default: return false;
    }
}

std::size_t target_count(const std::vector<Head>& heads, bool labelled) {
    std::size_t count = 0;
    for (const Head& head : heads) count += head.targets(labelled);
    return count;
}

std::size_t class_count(const Layer& output) {
    if (output.activation == Activation::kSoftmax) return output.nodes;
    if (output.activation != Activation::kSigmoid) return 0;
    return output.nodes == 1 ? 2 : output.nodes;
}

Loss default_loss(Activation output) {
    switch (output.kind) {
        case Activation::kSoftmax: return Loss::kCrossEntropy;
        case Activation::kSigmoid: return Loss::kBinaryCrossEntropy;
        case Activation::kExp: return Loss::kPoisson;
        default: return Loss::kMeanSquaredError;
    }
}

bool fits(Loss loss, Activation output) {
    switch (loss.kind) {
        case Loss::kCrossEntropy:
        case Loss::kBinaryCrossEntropy:
        case Loss::kPoisson: return loss.kind == default_loss(output).kind;
        case Loss::kCustom: return true;
        case Loss::kHeads: return false;  // which have activations of their own
        default: return output != Activation::kSoftmax;
    }
}

}  // namespace fastmlp
