/// The output layer's end: from scores to per-sample losses and deltas, (2.8), (2.9). The formula
/// of each loss is in `kernels/losses-inl.hpp`.
///
/// "Scores" are what the loss reads: z for losses that include the output's activation (softmax and
/// sigmoid in the cross-entropies, exp in Poisson), which is then not computed separately; the
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

/// nodes = the outputs of the network for `rows` rows of `scores`, which may be the same array.
template <class T>
void scores_to_nodes(const kernels::KernelTable<T>& kernel, Loss loss, Activation output,
                     const T* scores, std::size_t lds, T* nodes, std::size_t ldn, std::size_t rows,
                     std::size_t n) {
    activate(kernel, node_activation(loss, output), scores, lds, nodes, ldn, rows, n);
}

/// Some rows at the output: their scores, and labels or else target rows.
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
    const T* weights = nullptr;  ///< of the outputs, in the losses but not in the deltas
};

/// The kernel of a loss that is a mean over the outputs, in the kernel table or for lanes.
template <class Kernels>
typename Kernels::MeanLoss mean_loss(const Kernels& kernel, Loss loss) {
    switch (loss.kind) {
        case Loss::kBinaryCrossEntropy: return kernel.binary_cross_entropy;
        case Loss::kMeanSquaredError: return kernel.mean_squared_error;
        case Loss::kMeanAbsoluteError: return kernel.mean_absolute_error;
        case Loss::kHuber: return kernel.huber;
        case Loss::kQuantile: return kernel.quantile;
        case Loss::kPoisson: return kernel.poisson;
        case Loss::kCrossEntropy:
        case Loss::kCustom:
        case Loss::kHeads: break;
    }
    throw std::logic_error("this loss is no mean over the outputs");
}

/// Per-sample losses, and deltas: dL/dz for the losses that hold their activation (2.9), dL/dh for
/// the others.
template <class Kernels, class T>
void apply_loss_of(const Kernels& kernel, Loss loss, const OutputRows<T>& at) {
    const T parameter = static_cast<T>(loss.parameter);
    if (at.labels != nullptr) {
        if (parameter == 0) {
            kernel.cross_entropy_labels(at.scores, at.lds, at.labels, at.rows, at.n, at.delta,
                                        at.ldd, at.losses);
        } else {
            kernel.cross_entropy_smoothed(at.scores, at.lds, at.labels, at.rows, at.n, parameter,
                                          at.delta, at.ldd, at.losses);
        }
    } else if (loss.kind == Loss::kCrossEntropy) {
        kernel.cross_entropy_targets(at.scores, at.lds, at.targets, at.rows, at.n, parameter,
                                     at.delta, at.ldd, at.losses);
    } else {
        mean_loss(kernel, loss)(at.scores, at.lds, at.targets, at.weights, at.rows, at.n, parameter,
                                at.delta, at.ldd, at.losses);
    }
}

template <class T>
void apply_loss(const kernels::KernelTable<T>& kernel, Loss loss, const OutputRows<T>& at) {
    apply_loss_of(kernel, loss, at);
}
template <class T>
void apply_loss(const kernels::LaneKernels<T>& kernel, Loss loss, const OutputRows<T>& at) {
    apply_loss_of(kernel, loss, at);
}

/// The power of a target's unit that the loss has: 2 for squares, else 1.
inline int unit_power(Loss loss) {
    return loss.kind == Loss::kMeanSquaredError || loss.kind == Loss::kHuber ? 2 : 1;
}

/// The unit of the loss of an output with this scale.
template <class T>
T unit_of(Loss loss, T scale) {
    return unit_power(loss) == 2 ? scale * scale : scale;
}

/// Losses of scaled outputs in units of the targets. The memory grows as needed.
template <class T>
class LossesInUnits {
public:
    /// Per-sample losses of the scores of `at`, scaled `by` something: of each output |scale|^p
    /// times the loss before scaling. That is the loss itself, except for Huber's, whose width is
    /// in units of the scale. Writes no deltas.
    void compute(const kernels::KernelTable<T>& kernel, Loss loss, const ColumnScaling<T>& by,
                 OutputRows<T> at) {
        const std::size_t stride = activation_stride(at.n), size = at.rows * stride;
        T* const outputs = room(outputs_, size);
        by.apply(kernel, at.scores, at.lds, outputs, stride, at.rows, at.n);
        at.scores = outputs;
        at.delta = room(deltas_, size);
        at.lds = at.ldd = stride;
        if (loss.kind != Loss::kHuber) return apply_loss(kernel, loss, at);
        add_columns(kernel, static_cast<T>(loss.parameter), by.scales, at);
    }

private:
    /// Each column in rows of its own: kernels read whole vectors, which from the middle of the
    /// last row would reach beyond it.
    void add_columns(const kernels::KernelTable<T>& kernel, T width, const T* scales,
                     const OutputRows<T>& at) {
        constexpr std::size_t kStride = kernels::kPad;
        T* const column = room(column_, at.rows * kStride);
        T* const losses = room(losses_, at.rows);
        if (targets_.size() < at.rows) targets_.resize(at.rows);
        std::fill_n(at.losses, at.rows, T(0));
        for (std::size_t j = 0; j < at.n; ++j) {
            for (std::size_t b = 0; b < at.rows; ++b) {
                column[b * kStride] = at.scores[b * at.lds + j];
                targets_[b] = at.targets[b] + j;
            }
            const T* const weight = at.weights == nullptr ? nullptr : at.weights + j;
            kernel.huber(column, kStride, targets_.data(), weight, at.rows, 1, width * scales[j],
                         at.delta, at.ldd, losses);
            for (std::size_t b = 0; b < at.rows; ++b) at.losses[b] += losses[b];
        }
        for (std::size_t b = 0; b < at.rows; ++b) at.losses[b] /= static_cast<T>(at.n);
    }

    Scratch<T> outputs_, deltas_, column_, losses_;
    std::vector<const T*> targets_;
};

/// Multiplies each column of some rows by a factor.
template <class T>
void multiply_columns(Rows<T>& values, Range range, const T* factors) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        T* const row = values.row(b);
        for (std::size_t j = 0; j < values.cols; ++j) row[j] *= factors[j];
    }
}

/// The same with weights: those of weight 0 become +0, whatever they were.
template <class T>
void weigh_columns(Rows<T>& values, Range range, const T* weights) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        T* const row = values.row(b);
        for (std::size_t j = 0; j < values.cols; ++j) {
            row[j] = weights[j] > 0 ? row[j] * weights[j] : T(0);
        }
    }
}

/// Limits the losses of rows `range`; NaN stays.
template <class T>
void limit_losses(Workspace<T>& work, Range range, T limit) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        if (work.losses[b] > limit) work.losses[b] = limit;
    }
}

/// delta = h (d - sum(h d)) for d = dL/dh in its place: the Jacobian of softmax, where a loss does
/// not hold it already. The sum is in the order of the outputs.
template <class T>
void softmax_backward(const T* nodes, std::size_t ldn, T* delta, std::size_t ldd, std::size_t rows,
                      std::size_t n) {
    for (std::size_t b = 0; b < rows; ++b) {
        const T* h = nodes + b * ldn;
        T* d = delta + b * ldd;
        T sum = 0;
        for (std::size_t j = 0; j < n; ++j) sum += h[j] * d[j];
        for (std::size_t j = 0; j < n; ++j) d[j] = h[j] * (d[j] - sum);
    }
}
template <class T>
void softmax_backward(Rows<T>& nodes, Rows<T>& delta, Range range) {
    softmax_backward(nodes.row(range.first), nodes.stride, delta.row(range.first), delta.stride,
                     range.size(), delta.cols);
}

/// Multiplies losses and deltas of rows `range` by the weights of their samples.
template <class T>
void weigh(Workspace<T>& work, Range range) {
    Rows<T>& delta = work.deltas.back();
    for (std::size_t b = range.first; b < range.last; ++b) {
        const T weight = work.weights[b];
        work.losses[b] *= weight;
        for (Buffer<T>& losses : work.head_losses) losses[b] *= weight;
        for (std::size_t j = 0; j < delta.cols; ++j) delta.row(b)[j] *= weight;
    }
}

/// The divisor of a mean over the batch: its number of rows, or the sum of their weights, added to
/// those of its earlier rows, `before`; 1 if the caller computed the gradient.
template <class T>
double weight_sum(const Targets<T>& y, const Workspace<T>& work, double before = 0) {
    if (y.is_gradient) return 1;
    if (!y.weights) return before + static_cast<double>(work.batch);
    double sum = before;
    for (std::size_t b = 0; b < work.batch; ++b) sum += static_cast<double>(work.weights[b]);
    return sum;
}

/// 0 if the sum of the weights is 0.
inline double weighted_mean(double sum, double weight) {
    return weight > 0 ? sum / weight : 0;
}

/// The losses of `rows` samples added to `sum`, in order, in double precision.
template <class T>
double add_losses(double sum, const Buffer<T>& losses, std::size_t rows) {
    for (std::size_t b = 0; b < rows; ++b) sum += static_cast<double>(losses[b]);
    return sum;
}
template <class T>
double add_losses(double sum, const Workspace<T>& work) {
    return add_losses(sum, work.losses, work.batch);
}

}  // namespace fastmlp
