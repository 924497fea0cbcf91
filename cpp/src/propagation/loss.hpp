/// The output layer's end: from scores to per-sample losses and deltas, (2.8), (2.9). The formula
/// of each loss is in `kernels/losses-inl.hpp`.
///
/// "Scores" is what the loss reads: z for the losses that hold their activation (the
/// cross-entropies softmax and sigmoid, Poisson exp), which is never computed apart from them; the
/// nodes h(z) for the others.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "fastmlp/layer.hpp"
#include "propagation/activation.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// Whether the output's activation is a part of the loss.
inline bool holds_activation(Loss loss) {
    return loss.kind == Loss::kCrossEntropy || loss.kind == Loss::kBinaryCrossEntropy ||
           loss.kind == Loss::kPoisson;
}

/// The activation that turns z into scores.
inline Activation score_activation(Loss loss, Activation output) {
    return holds_activation(loss) ? Activation::kIdentity : output;
}

/// The activation that turns scores into nodes.
inline Activation node_activation(Loss loss, Activation output) {
    return holds_activation(loss) ? output : Activation::kIdentity;
}

/// nodes = what the network puts out for `rows` rows of `scores`; both may be one.
template <class T>
void scores_to_nodes(const kernels::KernelTable<T>& kernel, Loss loss, Activation output,
                     const T* scores, std::size_t lds, T* nodes, std::size_t ldn, std::size_t rows,
                     std::size_t n) {
    activate(kernel, node_activation(loss, output), scores, lds, nodes, ldn, rows, n);
}

/// Some rows at the output: labels, or else target rows, against scores.
template <class T>
struct OutputRows {
    std::size_t rows, n;
    const T* scores;
    std::size_t lds;
    const std::int32_t* labels;
    const T* const* targets;
    T* delta;
    std::size_t ldd;
    T* losses;
};

/// The kernel of a loss against target rows.
template <class T>
typename kernels::KernelTable<T>::TargetLoss target_loss(const kernels::KernelTable<T>& kernel,
                                                         Loss loss) {
    switch (loss.kind) {
        case Loss::kCrossEntropy: return kernel.cross_entropy_targets;
        case Loss::kBinaryCrossEntropy: return kernel.binary_cross_entropy;
        case Loss::kMeanSquaredError: return kernel.mean_squared_error;
        case Loss::kMeanAbsoluteError: return kernel.mean_absolute_error;
        case Loss::kHuber: return kernel.huber;
        case Loss::kQuantile: return kernel.quantile;
        case Loss::kPoisson: return kernel.poisson;
        case Loss::kCustom: break;
    }
    throw std::logic_error("a custom loss has no kernel");
}

/// Per-sample losses, and deltas: dL/dz for the losses that hold their activation (2.9), dL/dh for
/// the others.
template <class T>
void apply_loss(const kernels::KernelTable<T>& kernel, Loss loss, const OutputRows<T>& at) {
    const T parameter = static_cast<T>(loss.parameter);
    if (at.labels == nullptr) {
        target_loss(kernel, loss)(at.scores, at.lds, at.targets, at.rows, at.n, parameter, at.delta,
                                  at.ldd, at.losses);
    } else if (parameter == 0) {
        kernel.cross_entropy_labels(at.scores, at.lds, at.labels, at.rows, at.n, at.delta, at.ldd,
                                    at.losses);
    } else {
        kernel.cross_entropy_smoothed(at.scores, at.lds, at.labels, at.rows, at.n, parameter,
                                      at.delta, at.ldd, at.losses);
    }
}

/// How the loss of an output changes with the unit of what is measured: by this power of it.
inline int unit_power(Loss loss) {
    return loss.kind == Loss::kMeanSquaredError || loss.kind == Loss::kHuber ? 2 : 1;
}

/// Per-sample losses of outputs that are scaled, against targets in their units: of each output
/// |scale|^p times the loss of what is scaled. That is the loss itself, but for Huber's, whose
/// delta is in units of the scale. `at.delta` is overwritten.
template <class T>
void apply_loss_in_units(const kernels::KernelTable<T>& kernel, Loss loss,
                         const ColumnScaling<T>& by, const OutputRows<T>& at) {
    if (loss.kind != Loss::kHuber) return apply_loss(kernel, loss, at);
    std::vector<const T*> target(at.rows);
    std::vector<T> losses(at.rows);
    std::fill_n(at.losses, at.rows, T(0));
    for (std::size_t j = 0; j < at.n; ++j) {
        for (std::size_t b = 0; b < at.rows; ++b) target[b] = at.targets[b] + j;
        const T delta = static_cast<T>(loss.parameter) * by.scales[j];
        kernel.huber(at.scores + j, at.lds, target.data(), at.rows, 1, delta, at.delta, at.ldd,
                     losses.data());
        for (std::size_t b = 0; b < at.rows; ++b) at.losses[b] += losses[b];
    }
    for (std::size_t b = 0; b < at.rows; ++b) at.losses[b] /= static_cast<T>(at.n);
}

/// Columns of some rows times a factor each.
template <class T>
void multiply_columns(Rows<T>& values, Range range, const T* factors) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        T* const row = values.row(b);
        for (std::size_t j = 0; j < values.cols; ++j) row[j] *= factors[j];
    }
}

/// Losses of rows `range`, none above `limit`; NaN stays.
template <class T>
void limit_losses(Workspace<T>& work, Range range, T limit) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        if (work.losses[b] > limit) work.losses[b] = limit;
    }
}

/// delta = h (d - sum(h d)) for d = dL/dh in its place: the Jacobian of softmax, where a loss does
/// not hold it already. The sum is in the order of the outputs.
template <class T>
void softmax_backward(Rows<T>& nodes, Rows<T>& delta, Range range) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        const T* h = nodes.row(b);
        T* d = delta.row(b);
        T sum = 0;
        for (std::size_t j = 0; j < delta.cols; ++j) sum += h[j] * d[j];
        for (std::size_t j = 0; j < delta.cols; ++j) d[j] = h[j] * (d[j] - sum);
    }
}

/// Losses and deltas of rows `range`, each times its sample's weight.
template <class T>
void weigh(Workspace<T>& work, Range range) {
    Rows<T>& delta = work.deltas.back();
    for (std::size_t b = range.first; b < range.last; ++b) {
        const T weight = work.weights[b];
        work.losses[b] *= weight;
        for (std::size_t j = 0; j < delta.cols; ++j) delta.row(b)[j] *= weight;
    }
}

/// What a mean over the batch divides by: its rows, or the sum of their weights. A gradient that
/// the caller computed stays as it is.
template <class T>
double weight_sum(const Targets<T>& y, const Workspace<T>& work) {
    if (y.is_gradient) return 1;
    if (!y.weights) return static_cast<double>(work.batch);
    double sum = 0;
    for (std::size_t b = 0; b < work.batch; ++b) sum += static_cast<double>(work.weights[b]);
    return sum;
}

/// 0 where nothing counts.
inline double weighted_mean(double sum, double weight) {
    return weight > 0 ? sum / weight : 0;
}

/// The batch's losses added to `sum`, in order, in double precision.
template <class T>
double add_losses(double sum, const Workspace<T>& work) {
    for (std::size_t b = 0; b < work.batch; ++b) sum += static_cast<double>(work.losses[b]);
    return sum;
}

}  // namespace fastmlp
