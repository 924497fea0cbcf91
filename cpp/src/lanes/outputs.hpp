/// Scaled targets and weights of the outputs' losses of networks side by side, each its own.
#pragma once

#include <cstddef>

#include "fastmlp/network.hpp"
#include "lanes/arrays.hpp"
#include "propagation/loss.hpp"
#include "propagation/scaling.hpp"

namespace fastmlp {

/// Vectors of the lanes for each output; empty where the networks scale or weight nothing.
template <class T>
class LaneOutputs {
public:
    /// Of networks that all scale their outputs or none, and so with weights; no scale is 0.
    LaneOutputs(const Network<T>& network, std::size_t lanes)
        : lanes_(lanes), outputs_(network.outputs()),
          scales_(network.output_scaling() ? outputs_ * lanes : 0), offsets_(scales_.size()),
          weights_(network.loss_weights() ? outputs_ * lanes : 0),
          factors_(scales_.size() + weights_.size() > 0 ? outputs_ * lanes : 0) {}

    void take(std::size_t lane, const Network<T>& network) {
        const ColumnScaling<T> by(network.output_scaling().get());
        for (std::size_t j = 0; j < outputs_ && factors_.size() > 0; ++j) {
            const std::size_t at = j * lanes_ + lane;
            factors_[at] = by ? unit_of(network.loss(), by.scales[j]) : T(1);
            if (by) scales_[at] = by.scales[j], offsets_[at] = by.offsets[j];
            if (weights_.size() == 0) continue;
            weights_[at] = (*network.loss_weights())[j];
            factors_[at] *= weights_[at];
        }
    }

    /// Targets as the losses compare them: `ColumnScaling::inverse`.
    void scale(LaneRows<T>& targets, std::size_t rows) const {
        each(targets, rows, scales_, [this](T& target, std::size_t at) {
            target = static_cast<T>((static_cast<double>(target) - offsets_[at]) / scales_[at]);
        });
    }

    /// The factors of the outputs' losses, a vector for each, or null.
    const T* factors() const { return factors_.size() > 0 ? factors_.data() : nullptr; }

    /// `weigh_columns` of deltas.
    void weigh(LaneRows<T>& deltas, std::size_t rows) const {
        each(deltas, rows, weights_, [this](T& delta, std::size_t at) {
            const T product = delta * weights_[at];
            delta = weights_[at] > 0 ? product : T(0);
        });
    }

private:
    template <class Value, class Change>
    void each(LaneRows<T>& values, std::size_t rows, const Buffer<Value>& by, Change change) const {
        for (std::size_t b = 0; b < rows; ++b) {
            T* const row = values.values.data() + b * values.stride * lanes_;
            for (std::size_t at = 0; at < by.size(); ++at) change(row[at], at);
        }
    }

    std::size_t lanes_, outputs_;
    Buffer<double> scales_, offsets_;
    Buffer<T> weights_, factors_;
};

}  // namespace fastmlp
