/// The output's end of a Hessian-vector product: how the derivatives of a loss change with z.
#pragma once

#include <algorithm>
#include <cmath>

#include "propagation/activation.hpp"
#include "propagation/loss.hpp"

namespace fastmlp {

/// d = dL/dh becomes delta = d h'(z), and d' becomes delta' = d' h'(z) + (d z') h''(z), for rows
/// that are `stride` apart. h' and h'' are computed `from` z or h. z' is overwritten.
template <class T>
void tangent_through_activation(const kernels::KernelTable<T>& kernel, Activation activation,
                                const T* from, T* delta, T* tangent, T* z_tangent,
                                std::size_t stride, std::size_t rows, std::size_t n) {
    activate_backward(kernel, activation, from, stride, tangent, stride, rows, n);
    if (is_curved(kernel, activation)) {
        for (std::size_t b = 0; b < rows; ++b) {
            for (std::size_t j = 0; j < n; ++j) z_tangent[b * stride + j] *= delta[b * stride + j];
        }
        activate_curve(kernel, activation, from, stride, z_tangent, stride, rows, n);
        for (std::size_t b = 0; b < rows; ++b) {
            for (std::size_t j = 0; j < n; ++j)
                tangent[b * stride + j] += z_tangent[b * stride + j];
        }
    }
    activate_backward(kernel, activation, from, stride, delta, stride, rows, n);
}

/// Some rows of outputs with one loss, all `stride` apart: those of a network, or of one of its
/// heads.
template <class T>
struct OutputTangent {
    const kernels::KernelTable<T>& kernel;
    Loss loss;
    Activation activation;  ///< of the outputs
    std::size_t rows, n, stride;
    const T* from;            ///< what h'(z) is computed from: z or h
    const T* h;               ///< the outputs, before they are scaled
    const T* const* targets;  ///< null if they are labels
    T* z_tangent;             ///< overwritten
    T* delta;                 ///< what `apply_loss` gave; becomes dL/dz
    T* tangent;               ///< becomes its tangent

    void compute() const {
        for (std::size_t b = 0; b < rows; ++b) {
            std::copy_n(z_tangent + b * stride, n, tangent + b * stride);
        }
        if (loss.kind == Loss::kCrossEntropy) return of_softmax();
        activate_backward(kernel, activation, from, stride, tangent, stride, rows, n);
        if (holds_activation(loss))
            return times([&](std::size_t, std::size_t) { return 1 / T(n); });
        times([&](std::size_t b, std::size_t j) { return curvature(b, j); });
        tangent_through_activation(kernel, activation, from, delta, tangent, z_tangent, stride,
                                   rows, n);
    }

private:
    /// p (z' - sum(p z')), times the sum of the targets, which are smoothed.
    void of_softmax() const {
        softmax_backward(h, stride, tangent, stride, rows, n);
        const T smoothing = static_cast<T>(loss.parameter);
        for (std::size_t b = 0; b < rows; ++b) {
            T sum = targets == nullptr ? T(1) : T(0);
            for (std::size_t j = 0; targets != nullptr && j < n; ++j) sum += targets[b][j];
            const T smoothed = std::fma(sum, T(1) - smoothing, smoothing);
            for (std::size_t j = 0; j < n; ++j) tangent[b * stride + j] *= smoothed;
        }
    }

    /// The second derivative by h of a loss that is a mean of functions of h - y: 0 but where they
    /// are squares.
    T curvature(std::size_t b, std::size_t j) const {
        if (loss.kind == Loss::kMeanSquaredError) return T(2) / static_cast<T>(n);
        const T error = std::abs(h[b * stride + j] - targets[b][j]);
        const bool is_square = loss.kind == Loss::kHuber && error <= static_cast<T>(loss.parameter);
        return is_square ? T(1) / static_cast<T>(n) : T(0);
    }

    template <class F>
    void times(F factor) const {
        for (std::size_t b = 0; b < rows; ++b) {
            for (std::size_t j = 0; j < n; ++j) tangent[b * stride + j] *= factor(b, j);
        }
    }
};

}  // namespace fastmlp
