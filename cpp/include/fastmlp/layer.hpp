/// What a network is made of: dense layers with an activation, and a loss at the end.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "fastmlp/export.h"

namespace fastmlp {

/// h in nodes = h(z). Softmax stands at the output only.
struct Activation {
    enum Kind {
        kIdentity,
        kRelu,
        kLeakyRelu,  ///< parameter: the negative slope, at least 0
        kElu,        ///< parameter: alpha, at least 0; far below 0 it is -alpha
        kSelu,
        kGelu,      ///< z Phi(z), the form with erf
        kGeluTanh,  ///< its approximation with tanh
        kSilu,
        kMish,
        kRelu6,
        kHardswish,
        kSigmoid,
        kTanh,
        kSoftplus,
        kExp,
        kSoftmax,
    };

    /// With the usual parameter: a slope of 0.01, an alpha of 1.
    constexpr Activation(Kind its_kind)
        : Activation(its_kind, its_kind == kLeakyRelu ? 0.01
                               : its_kind == kElu     ? 1.0
                                                      : 0.0) {}
    constexpr Activation(Kind its_kind, double its_parameter)
        : kind(its_kind), parameter(its_parameter) {}

    constexpr bool operator==(const Activation&) const = default;
    /// Whatever the parameter is.
    constexpr bool operator==(Kind other) const { return kind == other; }

    Kind kind;
    double parameter;  ///< 0 where there is none
};

/// (z - mean) / sqrt(variance + epsilon), times a scale plus a shift that are learned: over the
/// rows of a batch or over the nodes of a layer.
struct Normalization {
    enum Kind { kNone, kBatch, kLayer };

    constexpr Normalization(Kind its_kind) : kind(its_kind) {}

    constexpr bool operator==(const Normalization&) const = default;
    /// Whatever its numbers are.
    constexpr bool operator==(Kind other) const { return kind == other; }

    Kind kind;
    double epsilon = 1e-5;
    double momentum = 0.1;          ///< of kBatch: the weight of a batch in the running averages
    bool after_activation = false;  ///< of h(z) instead of z
};

/// In this order: z = x W + b, normalization, activation (or these two the other way round),
/// dropout.
struct Layer {
    std::size_t nodes;
    Activation activation;
    Normalization normalization = Normalization::kNone;
    double dropout = 0;      ///< share of the nodes that training leaves out
    bool trainable = true;   ///< whether training changes the layer
    double rate_factor = 1;  ///< of the learning rate, for this layer

    bool operator==(const Layer&) const = default;
};

/// Whether two layers of the same parameters predict the same: they may differ in how they train.
constexpr bool predict_alike(const Layer& a, const Layer& b) {
    return a.nodes == b.nodes && a.activation == b.activation && a.normalization == b.normalization;
}

/// Means over the batch; all but the cross-entropy also over the outputs.
struct Loss {
    enum Kind {
        kCrossEntropy,  ///< parameter: label smoothing, in [0, 1]
        kBinaryCrossEntropy,
        kMeanSquaredError,
        kMeanAbsoluteError,
        kHuber,     ///< parameter: delta, above 0
        kQuantile,  ///< parameter: the quantile, between 0 and 1
        kPoisson,
        kCustom,
    };

    /// With the usual parameter: no label smoothing, delta 1, the median.
    constexpr Loss(Kind its_kind)
        : Loss(its_kind, its_kind == kHuber      ? 1.0
                         : its_kind == kQuantile ? 0.5
                                                 : 0.0) {}
    constexpr Loss(Kind its_kind, double its_parameter)
        : kind(its_kind), parameter(its_parameter) {}

    Kind kind;
    double parameter;
};

/// The names Python uses ("relu", "cross_entropy"). Unknown: std::invalid_argument.
FASTMLP_API Activation activation_from_name(std::string_view name);
FASTMLP_API Normalization normalization_from_name(std::string_view name);
FASTMLP_API Loss::Kind loss_from_name(std::string_view name);

/// Weights of K inputs and N outputs before `activation` are drawn uniformly from +-this: as by He
/// et al. 2015 before rectifiers, which are about 0 below 0, by Klambauer et al. 2017 before selu,
/// by Glorot and Bengio 2010 before the others.
FASTMLP_API double initial_limit(Activation activation, std::size_t k, std::size_t n);
/// Whether h'(z) is computed from z; for all others from h(z).
FASTMLP_API bool keeps_z(Activation activation);

FASTMLP_API std::string_view name_of(Activation activation);
FASTMLP_API std::string_view name_of(Normalization normalization);
FASTMLP_API std::string_view name_of(Loss::Kind loss);

/// How many classes the outputs decide between, two for a single one; 0 where they are numbers.
FASTMLP_API std::size_t class_count(const Layer& output);
/// The loss that belongs to an output: cross-entropy with softmax, binary cross-entropy with
/// sigmoid, Poisson with exp, mean squared error with the rest.
FASTMLP_API Loss default_loss(Activation output);
/// Whether `loss` goes with `output`: the cross-entropies and Poisson with theirs only, the others
/// with any but softmax.
FASTMLP_API bool fits(Loss loss, Activation output);

}  // namespace fastmlp
