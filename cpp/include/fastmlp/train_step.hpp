/// One step of training at a time, for training loops that the caller writes.
#pragma once

#include <memory>

#include "fastmlp/executor.hpp"
#include "fastmlp/export.h"
#include "fastmlp/network.hpp"
#include "fastmlp/raw_view.hpp"

namespace fastmlp {

/// Forward, backward and update of one batch in one call: the bits of the three, and of a step of
/// `train`. It allocates what it needs in its first step. A later one may allocate with a setting
/// that no step before had: more rows or threads, another kind of optimizer, the first momentum,
/// penalty, clipping or sample weights; and after a change of trainable layers, rates of layers,
/// output scaling or loss weights. Whether an executor runs its tasks concurrently is tried in the
/// first step on several threads.
///
/// As after `train`, the nodes, deltas and gradients of the network are still those of the last
/// `forward` and `backward`, except that clip_norm stores the gradients.
template <class T>
class FASTMLP_API TrainStep {
public:
    /// For steps of `network`, which must stay where it is, on at most `n_threads` threads (0: the
    /// process's limit), of the executor if there is one.
    explicit TrainStep(Network<T>& network, int n_threads = 0, const Executor* executor = nullptr);
    ~TrainStep();
    TrainStep(TrainStep&&) noexcept;
    TrainStep& operator=(TrainStep&&) noexcept;

    /// One step of `optimizer` on the batch x (B, features) and y; returns the mean loss, which of
    /// `Targets::of_gradient` is 0. Rows of weight 0 are left out; if all are, nothing changes.
    /// Dropout draws the masks of the next B samples of the epoch.
    ///
    /// Numbers are taken as they are, also targets that `train` refuses: a search would slow a step
    /// of one row noticeably.
    ///
    /// Throws std::invalid_argument for what does not fit, and what a custom loss throws; then
    /// there was no step.
    double run(MatrixView<const T> x, const Targets<T>& y, const Optimizer& optimizer);
    double run(const RawView<T>& x, const Targets<T>& y, const Optimizer& optimizer);
    double run(const SparseView<T>& x, const Targets<T>& y, const Optimizer& optimizer);

    void set_threads(int n_threads);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

extern template class TrainStep<float>;
extern template class TrainStep<double>;

}  // namespace fastmlp
