/// Layer normalisation (Ba, Kiros, Hinton 2016) and batch normalisation (Ioffe, Szegedy 2015):
/// x = (z - mean) / sqrt(variance + epsilon), and z is replaced by scale x + shift.
#pragma once

#include "propagation/batch_sums.hpp"
#include "propagation/dense.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// The mean and variance of each node.
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
    /// Those of the features.
    Moments<T> of_inputs() const {
        return {values + (*layout)[0].input_running_means.offset,
                values + (*layout)[0].input_running_variances.offset};
    }
};

/// Computes x, and replaces z by scale x + shift; `running` is null unless the normalisation is by
/// batch, and `others` unless other processes have samples of the batch.
template <class T>
void normalize(const kernels::KernelTable<T>& kernel, Normalization normalization,
               const DenseView<const T>& layer, Moments<T> running, const BatchContext& context,
               Range rows, MatrixView<T> z, Normalized<T>& to, BatchSums<T>* others);

/// running = (1 - momentum) running + momentum batch, with the unbiased variance, for this thread's
/// share of `n` nodes; `at` holds their moments over `batch` rows. Not part of `normalize` because
/// it belongs to the update: a loss that throws must not change the averages. A batch of one row
/// changes nothing.
template <class T>
void move_averages(double momentum, std::size_t n, const Normalized<T>& at, std::size_t batch,
                   Share share, Moments<T> running);

/// `normalize` for prediction, in place, with the running averages; `scratch` has room for `rows`
/// elements.
template <class T>
void normalize_for_prediction(const kernels::KernelTable<T>& kernel, Normalization normalization,
                              const DenseView<const T>& layer, Moments<const T> running, T* z,
                              std::size_t ldz, std::size_t rows, T* scratch);

/// Computes delta = dL/dz from `at.delta`.
template <class T>
void normalize_backward(const kernels::KernelTable<T>& kernel, Normalization normalization,
                        const DenseView<const T>& layer, Moments<T> running,
                        const BatchContext& context, Range rows, Normalized<T>& at, Rows<T>& delta,
                        BatchSums<T>* others);

/// The gradients of scales and shifts over the first `batch` rows, for this thread's share of the
/// nodes.
template <class T>
void normalization_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                          std::size_t batch, Normalized<T>& at, GradientUse<T> use, Share share);

}  // namespace fastmlp
