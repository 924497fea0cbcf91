/// Layer normalisation (Ba, Kiros, Hinton 2016) and batch normalisation (Ioffe, Szegedy 2015):
/// x = (z - mean) / sqrt(variance + epsilon), and scale x + shift takes the place of z.
#pragma once

#include "propagation/batch_context.hpp"
#include "propagation/dense_update.hpp"

namespace fastmlp {

inline constexpr double kNormalizationEpsilon = 1e-5;
/// The weight of a batch in the running averages.
inline constexpr double kStatisticsMomentum = 0.1;

/// Mean and variance of each node.
template <class T>
struct Moments {
    T *means, *variances;
};

/// The running averages of a network's batch-normalised layers.
template <class T>
struct RunningStatistics {
    const Layout* layout;
    T* values;

    Moments<T> operator[](std::size_t i) const {
        return {values + (*layout)[i].running_means.offset,
                values + (*layout)[i].running_variances.offset};
    }
};

/// z to scale x + shift, in place, and x; `running` is null unless it normalises by batches.
template <class T>
void normalize(const kernels::KernelTable<T>& kernel, Normalization kind,
               const DenseView<const T>& layer, Moments<T> running, const BatchContext& context,
               Range rows, Rows<T>& z, Normalized<T>& to);

/// running = (1 - momentum) running + momentum batch, the variance without its bias, for this
/// thread's share of `n` nodes, whose moments over `batch` rows `at` has. Apart from `normalize`,
/// for it belongs to the update: a loss that throws must leave the averages alone. A batch of one
/// row moves nothing.
template <class T>
void move_averages(std::size_t n, const Normalized<T>& at, std::size_t batch, Share share,
                   Moments<T> running);

/// `normalize` for prediction, by running averages, in place; room for `rows` elements in
/// `scratch`.
template <class T>
void normalize_for_prediction(const kernels::KernelTable<T>& kernel, Normalization kind,
                              const DenseView<const T>& layer, Moments<const T> running, T* z,
                              std::size_t ldz, std::size_t rows, T* scratch);

/// delta = dL/dz from `at.delta`.
template <class T>
void normalize_backward(const kernels::KernelTable<T>& kernel, Normalization kind,
                        const DenseView<const T>& layer, Moments<T> running,
                        const BatchContext& context, Range rows, Normalized<T>& at, Rows<T>& delta);

/// Gradients of scales and shifts over the first `batch` rows, this thread's share of the nodes.
template <class T>
void normalization_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                          std::size_t batch, Normalized<T>& at, GradientUse<T> use, Share share);

}  // namespace fastmlp
