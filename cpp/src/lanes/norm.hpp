/// The norms of the gradients of networks side by side, each in the order of `SumOfSquares`.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include "kernels/table.hpp"
#include "lanes/arrays.hpp"

namespace fastmlp {

template <class T>
class LaneNorm {
public:
    /// Of the first `count` lanes of `lanes`; gradients are scale * sums + 0.
    LaneNorm(const T* scales, std::size_t count, std::size_t lanes)
        : scales_(scales), count_(count), lanes_(lanes) {}

    /// Adds the rows of one layer: of its own nodes if it is narrow, else of those before it.
    void add(const LaneLayer<T>& sums) {
        const bool narrow = sums.n <= kernels::kNarrow;
        const std::size_t rows = narrow ? sums.n : sums.k, count = narrow ? sums.k : sums.n;
        const std::size_t row = narrow ? 1 : sums.ldw, column = narrow ? sums.ldw : 1;
        for (std::size_t r = 0; r < rows; ++r) add_row(sums.w + r * row * lanes_, count, column);
        add_row(sums.bias, sums.n, 1);
    }

    double of(std::size_t lane) const { return std::sqrt(squares_[lane]); }

private:
    using Lanes = std::array<double, kernels::kMostLanes>;

    /// tree16 of `count` elements, `stride` vectors apart.
    void add_row(const T* sums, std::size_t count, std::size_t stride) {
        std::array<Lanes, 16> parts{};
        for (std::size_t i = 0; i < count; ++i) {
            const T* const of = sums + i * stride * lanes_;
            for (std::size_t l = 0; l < count_; ++l) {
                const auto gradient = static_cast<double>(of[l] * scales_[l] + T(0));
                parts[i % 16][l] += gradient * gradient;
            }
        }
        for (std::size_t half = 8; half > 0; half /= 2) {
            for (std::size_t r = 0; r < half; ++r) {
                for (std::size_t l = 0; l < count_; ++l) parts[r][l] += parts[r + half][l];
            }
        }
        for (std::size_t l = 0; l < count_; ++l) squares_[l] += parts[0][l];
    }

    const T* scales_;
    std::size_t count_, lanes_;
    Lanes squares_{};
};

}  // namespace fastmlp
