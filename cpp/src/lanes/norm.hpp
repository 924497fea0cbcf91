/// Sums of squares of networks side by side, each in the order of `SumOfSquares`: of gradients, or
/// of weights.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/table.hpp"
#include "lanes/arrays.hpp"

namespace fastmlp {

template <class T>
class LaneSquares {
public:
    /// Of scale * values + 0; with the vectors that follow the weights, or of weights only.
    LaneSquares(const T* scales, std::size_t lanes, bool biases)
        : scales_(scales), lanes_(lanes), biases_(biases) {}

    /// Adds the rows of one layer: of its own nodes if it is narrow, else of those before it.
    void add(const LaneLayer<T>& sums) {
        const bool narrow = sums.n <= kernels::kNarrow;
        const std::size_t rows = narrow ? sums.n : sums.k, count = narrow ? sums.k : sums.n;
        const std::size_t row = narrow ? 1 : sums.ldw, column = narrow ? sums.ldw : 1;
        for (std::size_t r = 0; r < rows; ++r) add_row(sums.w + r * row * lanes_, count, column);
        if (!biases_) return;
        for_each_vector(
            sums, [&](T* LaneLayer<T>::* part, std::size_t size) { add_row(sums.*part, size, 1); });
    }

    double of(std::size_t lane) const { return squares_[lane]; }

private:
    using Lanes = std::array<double, kernels::kMostLanes>;

    /// tree16 of `count` elements, `stride` vectors apart.
    void add_row(const T* sums, std::size_t count, std::size_t stride) {
        if (lanes_ == 8) return add_row_of<8>(sums, count, stride);
        if (lanes_ == 16) return add_row_of<16>(sums, count, stride);
        add_row_of<0>(sums, count, stride);
    }

    /// Of all lanes, whose number the compiler knows.
    template <std::size_t kLanes>
    void add_row_of(const T* sums, std::size_t count, std::size_t stride) {
        const std::size_t lanes = kLanes > 0 ? kLanes : lanes_;
        std::array<Lanes, 16> parts{};
        for (std::size_t i = 0; i < count; ++i) {
            const T* const of = sums + i * stride * lanes;
            for (std::size_t l = 0; l < lanes; ++l) {
                const auto value = static_cast<double>(of[l] * scales_[l] + T(0));
                parts[i % 16][l] += value * value;
            }
        }
        for (std::size_t half = 8; half > 0; half /= 2) {
            for (std::size_t r = 0; r < half; ++r) {
                for (std::size_t l = 0; l < lanes; ++l) parts[r][l] += parts[r + half][l];
            }
        }
        for (std::size_t l = 0; l < lanes; ++l) squares_[l] += parts[0][l];
    }

    const T* scales_;
    std::size_t lanes_;
    bool biases_;
    Lanes squares_{};
};

}  // namespace fastmlp
