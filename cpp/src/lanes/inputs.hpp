/// How networks side by side scale their features, each in its own way.
#pragma once

#include <algorithm>
#include <cstddef>

#include "fastmlp/trainer.hpp"
#include "kernels/table.hpp"
#include "lanes/arrays.hpp"
#include "propagation/scaling.hpp"

namespace fastmlp {

/// Whether a network scales the features of its job as it reads them.
template <class T>
bool scales_features(const TrainJob<T>& job) {
    return !job.is_scaled && job.network->input_scaling() != nullptr;
}

/// Vectors of the lanes for each feature; empty where the networks scale nothing.
template <class T>
class LaneInputs {
public:
    /// Of jobs that all scale their features, as this one does, or none.
    LaneInputs(const TrainJob<T>& job, std::size_t lanes)
        : lanes_(lanes), both_(scales_features(job) ? 2 * job.x.cols * lanes : 0) {}

    void take(std::size_t lane, const Network<T>& network) {
        if (both_.size() == 0) return;
        const Buffer<T>& own = *network.input_scaling();
        for (std::size_t j = 0; j < own.size(); ++j) both_[j * lanes_ + lane] = own[j];
    }

    /// `ColumnScaling::apply`, with that of each lane.
    void scale(const kernels::KernelTable<T>& kernel, LaneRows<T>& x, std::size_t rows) const {
        if (both_.size() == 0) return;
        T* const values = x.values.data();
        const std::size_t stride = x.stride * lanes_;
        ColumnScaling<T>(&both_).apply(kernel, values, stride, values, stride, rows,
                                       x.columns * lanes_);
    }

private:
    std::size_t lanes_;
    Buffer<T> both_;  ///< scales, then offsets
};

}  // namespace fastmlp
