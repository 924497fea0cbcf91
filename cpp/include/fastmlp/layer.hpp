/// The parts of a network: dense layers with activations, and a loss, or several for its heads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// h in nodes = h(z). Softmax is for the output layer only.
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

    /// With the default parameter: a slope of 0.01, an alpha of 1.
    constexpr Activation(Kind its_kind)
        : Activation(its_kind, its_kind == kLeakyRelu ? 0.01
                               : its_kind == kElu     ? 1.0
                                                      : 0.0) {}
    constexpr Activation(Kind its_kind, double its_parameter)
        : kind(its_kind), parameter(its_parameter) {}

    constexpr bool operator==(const Activation&) const = default;
    /// Compares the kind only.
    constexpr bool operator==(Kind other) const { return kind == other; }

    Kind kind;
    double parameter;  ///< 0 if there is none
};

/// (z - mean) / sqrt(variance + epsilon), times a learned scale plus a learned shift. The moments
/// are over the rows of a batch or over the nodes of a layer.
struct Normalization {
    enum Kind { kNone, kBatch, kLayer };

    constexpr Normalization(Kind its_kind) : kind(its_kind) {}

    constexpr bool operator==(const Normalization&) const = default;
    /// Compares the kind only.
    constexpr bool operator==(Kind other) const { return kind == other; }

    Kind kind;
    double epsilon = 1e-5;
    double momentum = 0.1;          ///< of kBatch: the weight of a batch in the running averages
    bool after_activation = false;  ///< of h(z) instead of z
};

/// In this order: z = x W + b, normalization, activation (or these two swapped), dropout.
struct Layer {
    std::size_t nodes;
    Activation activation;
    Normalization normalization = Normalization::kNone;
    double dropout = 0;      ///< share of the nodes that training drops
    bool trainable = true;   ///< whether training changes the layer
    double rate_factor = 1;  ///< of the learning rate, for this layer
    /// Of the features, before the product: of the first layer only, never `after_activation`, and
    /// not of sparse rows. What it learns is trained as the layer is.
    Normalization input_normalization = Normalization::kNone;

    bool operator==(const Layer&) const = default;
};

/// Whether layers with equal parameters predict the same; they may differ in how they train.
constexpr bool predict_alike(const Layer& a, const Layer& b) {
    return a.nodes == b.nodes && a.activation == b.activation &&
           a.normalization == b.normalization && a.input_normalization == b.input_normalization;
}

/// Losses are means over the batch; all but the cross-entropy also over the outputs.
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
        kHeads,  ///< the sum of the losses of a network's heads
    };

    /// With the default parameter: no label smoothing, delta 1, the median.
    constexpr Loss(Kind its_kind)
        : Loss(its_kind, its_kind == kHuber      ? 1.0
                         : its_kind == kQuantile ? 0.5
                                                 : 0.0) {}
    constexpr Loss(Kind its_kind, double its_parameter)
        : kind(its_kind), parameter(its_parameter) {}

    constexpr bool operator==(const Loss&) const = default;

    Kind kind;
    double parameter;
};

/// Some of the outputs, next to each other, with an activation and a loss of their own. The loss of
/// a network with heads is the sum of theirs, each times its weight.
struct Head {
    std::string name;  ///< UTF-8 without NUL, unique in its network
    std::size_t nodes;
    Activation activation;
    Loss loss;          ///< any but kCustom and kHeads
    double weight = 1;  ///< above 0

    /// Columns of its targets: one for each node, or, `labelled`, one label for cross-entropy.
    std::size_t targets(bool labelled) const {
        return labelled && loss.kind == Loss::kCrossEntropy ? 1 : nodes;
    }

    bool operator==(const Head&) const = default;
};

/// The names used in Python ("relu", "cross_entropy"). Throws std::invalid_argument if unknown.
FASTMLP_API Activation activation_from_name(std::string_view name);
FASTMLP_API Normalization normalization_from_name(std::string_view name);
FASTMLP_API Loss::Kind loss_from_name(std::string_view name);

/// Initial weights of K inputs and N outputs are uniform in +-this: He et al. 2015 before
/// rectifiers (activations that are about 0 below 0), Klambauer et al. 2017 before selu, Glorot and
/// Bengio 2010 before all others.
FASTMLP_API double initial_limit(Activation activation, std::size_t k, std::size_t n);
/// Whether h'(z) is computed from z; otherwise it is computed from h(z).
FASTMLP_API bool keeps_z(Activation activation);

FASTMLP_API std::string_view name_of(Activation activation);
FASTMLP_API std::string_view name_of(Normalization normalization);
FASTMLP_API std::string_view name_of(Loss::Kind loss);

/// The columns of the targets of all heads.
FASTMLP_API std::size_t target_count(const std::vector<Head>& heads, bool labelled);

/// The number of classes, two for a single output; 0 for regression.
FASTMLP_API std::size_t class_count(const Layer& output);
/// The default loss of an output layer: cross-entropy for softmax, binary cross-entropy for
/// sigmoid, Poisson for exp, mean squared error for all others.
FASTMLP_API Loss default_loss(Activation output);
/// Whether `loss` can be used with `output`: the cross-entropies and Poisson only with the
/// activation above, all others with any but softmax.
FASTMLP_API bool fits(Loss loss, Activation output);

}  // namespace fastmlp
