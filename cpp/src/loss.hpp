/// The output layer's end: from scores to per-sample losses and deltas, (2.8), (2.9).
///
/// "Scores" is what the loss reads: z for the cross-entropies, whose softmax or sigmoid is part of
/// the loss and never computed apart from it; the nodes h(z) for the squared error.
#pragma once

#include "dense.hpp"
#include "fastmlp/layer.hpp"
#include "workspace.hpp"

namespace fastmlp {

/// The activation that turns z into scores.
inline Activation score_activation(Loss loss, Activation output) {
    return loss == Loss::kMeanSquaredError ? output : Activation::kIdentity;
}

/// The activation that turns scores into nodes.
inline Activation node_activation(Loss loss, Activation output) {
    return loss == Loss::kMeanSquaredError ? Activation::kIdentity : output;
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

/// Per-sample losses, and deltas: dL/dz for the cross-entropies (2.9), dL/dh for the squared error.
template <class T>
void apply_loss(const kernels::KernelTable<T>& kernel, Loss loss, const OutputRows<T>& at) {
    switch (loss) {
        case Loss::kCrossEntropy:
            if (at.labels) {
                kernel.cross_entropy_labels(at.scores, at.lds, at.labels, at.rows, at.n, at.delta,
                                            at.ldd, at.losses);
            } else {
                kernel.cross_entropy_targets(at.scores, at.lds, at.targets, at.rows, at.n, at.delta,
                                             at.ldd, at.losses);
            }
            break;
        case Loss::kBinaryCrossEntropy:
            kernel.binary_cross_entropy(at.scores, at.lds, at.targets, at.rows, at.n, at.delta,
                                        at.ldd, at.losses);
            break;
        case Loss::kMeanSquaredError:
            kernel.mean_squared_error(at.scores, at.lds, at.targets, at.rows, at.n, at.delta,
                                      at.ldd, at.losses);
            break;
    }
}

/// Losses and output deltas of `work` for rows `range`.
template <class T>
void output_delta(const kernels::KernelTable<T>& kernel, Loss loss, Activation output, bool labels,
                  Workspace<T>& work, Range range) {
    if (range.size() == 0) return;
    Rows<T>& delta = work.deltas.back();
    const OutputRows<T> at{range.size(),
                           work.scores.cols,
                           work.scores.row(range.first),
                           work.scores.stride,
                           labels ? work.labels.data() + range.first : nullptr,
                           work.targets.data() + range.first,
                           delta.row(range.first),
                           delta.stride,
                           work.losses.data() + range.first};
    apply_loss(kernel, loss, at);
    if (loss == Loss::kMeanSquaredError) {
        activate_backward(kernel, output, at.scores, at.lds, at.delta, at.ldd, at.rows, at.n);
    }
}

/// The batch's losses added to `sum`, in order, in double precision.
template <class T>
double add_losses(double sum, const Workspace<T>& work) {
    for (std::size_t b = 0; b < work.batch; ++b) sum += static_cast<double>(work.losses[b]);
    return sum;
}

}  // namespace fastmlp
