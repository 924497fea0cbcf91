/// Layer and batch normalization of networks side by side.
///
/// The kernels of columns are those of one network: a node of all networks is a vector of columns.
#pragma once

#include <cstddef>

#include "fastmlp/layer.hpp"
#include "kernels/table.hpp"
#include "lanes/arrays.hpp"
#include "lanes/left_out.hpp"
#include "propagation/normalization.hpp"

namespace fastmlp {

/// Of one layer, or of the features.
template <class T>
class LaneNormalization {
public:
    /// Of at most `rows` samples at a time: of a batch normalization all of a batch, unless it is
    /// `frozen` and uses the running averages.
    LaneNormalization(const kernels::KernelTable<T>& kernel, Normalization normalization,
                      bool frozen, std::size_t rows, std::size_t nodes, std::size_t lanes)
        : kernel_(kernel), normalization_(normalization), frozen_(frozen), lanes_(lanes),
          width_(nodes * lanes), x_(of(Normalization::kNone) ? 0 : rows, nodes, lanes),
          inverses_(of(Normalization::kLayer) ? rows : 0, 1, lanes), counts_(lanes),
          means_(moments()), variances_(moments()), mean_deltas_(moments()),
          mean_products_(moments()) {}

    explicit operator bool() const { return !of(Normalization::kNone); }
    bool after_activation() const { return normalization_.after_activation; }

    /// Replaces z by scale x + shift, and moves the running averages, which a layer normalization
    /// does not have.
    void forward(const T* scales, const T* shifts, Moments<T> running, std::size_t rows,
                 const LeftOut& left_out, LaneRows<T>& z) {
        T* const at = z.values.data();
        T* const x = x_.values.data();
        const auto epsilon = static_cast<T>(normalization_.epsilon);
        left_out.zero(z);
        if (of(Normalization::kLayer)) {
            kernel_.in_lanes.layer_normalize(at, z.stride, rows * lanes_, z.columns, epsilon,
                                             scales, shifts, x, x_.stride, inverses_.values.data());
            left_out.zero(inverses_);
        } else {
            if (!frozen_) {
                measure(rows, left_out, z);
                move_averages(running);
            }
            const Moments<T> by = frozen_ ? running : Moments<T>{means_.data(), variances_.data()};
            kernel_.batch_normalize(at, distance(z), rows, width_, epsilon, by.means, by.variances,
                                    scales, shifts, x, distance(x_));
        }
        left_out.zero(x_);
        left_out.zero(z);
    }

    /// The sums of the gradients of scales and shifts over the samples, or, `continued`, those go
    /// on.
    void sum_gradients(const LaneRows<T>& delta, std::size_t rows, bool continued, T* scales,
                       T* shifts) const {
        const T* const d = delta.values.data();
        kernel_.column_dots(d, distance(delta), x_.values.data(), distance(x_), rows, width_,
                            continued ? scales : nullptr, T(1), scales);
        kernel_.column_sums(d, distance(delta), rows, width_, continued ? shifts : nullptr, T(1),
                            T(0), true, shifts);
    }

    /// Replaces dL/d(scale x + shift) by dL/dz; the sums are those of `sum_gradients`.
    void backward(const T* scales, Moments<T> running, const T* scale_sums, const T* shift_sums,
                  std::size_t rows, const LeftOut& left_out, LaneRows<T>& delta) {
        T* const d = delta.values.data();
        const T* const x = x_.values.data();
        if (of(Normalization::kLayer)) {
            return kernel_.in_lanes.layer_normalize_backward(
                d, delta.stride, rows * lanes_, delta.columns, scales, x, x_.stride,
                inverses_.values.data(), d, delta.stride);
        }
        if (!frozen_) {
            each([&](std::size_t at, std::size_t l) {
                const T share = T(1) / counts_[l];
                mean_deltas_[at] = shift_sums[at] * share + T(0);
                mean_products_[at] = scale_sums[at] * share + T(0);
            });
        }
        kernel_.batch_normalize_backward(
            d, distance(delta), rows, width_, static_cast<T>(normalization_.epsilon),
            frozen_ ? running.variances : variances_.data(), scales, x, distance(x_),
            mean_deltas_.data(), mean_products_.data(), d, distance(delta));
        left_out.zero(delta);
    }

private:
    bool of(Normalization::Kind kind) const { return normalization_ == kind; }
    std::size_t moments() const { return of(Normalization::kBatch) ? width_ : 0; }
    /// That of rows, in elements.
    std::size_t distance(const LaneRows<T>& rows) const { return rows.stride * lanes_; }

    /// Calls f(element, lane) for all nodes of all networks.
    template <class F>
    void each(F f) const {
        for (std::size_t first = 0; first < width_; first += lanes_) {
            for (std::size_t l = 0; l < lanes_; ++l) f(first + l, l);
        }
    }

    /// The moments of a batch, whose z of weight 0 are 0.
    void measure(std::size_t rows, const LeftOut& left_out, const LaneRows<T>& z) {
        const T* const at = z.values.data();
        left_out.count_others(rows, counts_.data());
        if (left_out.empty()) {
            kernel_.batch_moments(at, distance(z), rows, width_, means_.data(), variances_.data());
            return;
        }
        const auto divide = [this](Buffer<T>& sums) {
            each([&](std::size_t i, std::size_t l) { sums[i] /= counts_[l]; });
        };
        kernel_.column_sums(at, distance(z), rows, width_, nullptr, T(1), T(0), true,
                            means_.data());
        divide(means_);
        T* const errors = x_.values.data();
        for (std::size_t b = 0; b < rows; ++b) {
            const T* const from = at + b * distance(z);
            T* const to = errors + b * distance(x_);
            for (std::size_t i = 0; i < width_; ++i) to[i] = from[i] - means_[i];
        }
        left_out.zero(x_);
        kernel_.column_dots(errors, distance(x_), errors, distance(x_), rows, width_, nullptr, T(1),
                            variances_.data());
        divide(variances_);
    }

    /// As those of one network. One sample has no variance: it moves nothing.
    void move_averages(Moments<T> running) const {
        const auto weight = static_cast<T>(normalization_.momentum), rest = T(1) - weight;
        each([&](std::size_t i, std::size_t l) {
            const T count = counts_[l];
            const T variance = variances_[i] * (count / (count - 1));
            const T mean = rest * running.means[i] + weight * means_[i];
            const T moved = rest * running.variances[i] + weight * variance;
            running.means[i] = count < 2 ? running.means[i] : mean;
            running.variances[i] = count < 2 ? running.variances[i] : moved;
        });
    }

    const kernels::KernelTable<T>& kernel_;
    Normalization normalization_;
    bool frozen_;
    std::size_t lanes_, width_;  ///< of a vector, and of all networks' nodes
    LaneRows<T> x_;              ///< what is normalised
    LaneRows<T> inverses_;       ///< layers: 1 / sqrt(variance + epsilon) of each sample
    // Batches: how many samples count in each lane, the moments of each node over these, and the
    // means that its deltas need, which are 0 if frozen.
    Buffer<T> counts_;
    Buffer<T> means_, variances_;
    Buffer<T> mean_deltas_, mean_products_;
};

}  // namespace fastmlp
