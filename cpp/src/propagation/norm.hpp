/// Sums of squares over all gradients or weights, in double precision and in an order that depends
/// on the shapes only: each row by tree16, then the rows in order. Threads sum rows, the caller
/// adds the rows' sums.
#pragma once

#include <vector>

#include "propagation/packed.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// tree16: sixteen sums by index mod 16, added pairwise by halving.
template <class T>
double row_squares(const T* x, std::size_t count, std::size_t stride) {
    double sum[16] = {};
    for (std::size_t i = 0; i < count; ++i) {
        const auto value = static_cast<double>(x[i * stride]);
        sum[i % 16] += value * value;
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
        for (std::size_t r = 0; r < half; ++r) sum[r] += sum[r + half];
    }
    return sum[0];
}

/// The sums of squares of all rows. A layer has a row for each node of the previous layer, or for
/// each of its own nodes if it is narrow; one for its biases; two for scales and shifts, and two
/// for those of its inputs.
template <class T>
class SumOfSquares {
public:
    explicit SumOfSquares(const Layout& layout, bool biases) : biases_(biases) {
        std::size_t count = 0;
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            first_.push_back(count);
            const LayerLayout& layer = layout[i];
            count += layer.n <= kernels::kNarrow ? layer.n : layer.k;
            count +=
                1 + (layer.scales.size() > 0 ? 2 : 0) + (layer.input_scales.size() > 0 ? 2 : 0);
        }
        rows_.resize(count);
    }

    /// This thread's share of layer i's rows.
    void add(std::size_t i, const DenseView<T>& layer, Share share) {
        const bool narrow = layer.n <= kernels::kNarrow;
        const std::size_t rows = narrow ? layer.n : layer.k, count = narrow ? layer.k : layer.n;
        const bool across = narrow && !layer.transposed;
        const Range mine = share.of(rows, 1);
        for (std::size_t r = mine.first; r < mine.last; ++r) {
            const T* row = layer.w + r * (across ? 1 : layer.ldw);
            rows_[first_[i] + r] = row_squares(row, count, across ? layer.ldw : 1);
        }
        if (!biases_ || share.rank != 0) return;
        double* next = rows_.data() + first_[i] + rows;
        for_each_vector(layer, [&](T* DenseView<T>::* part, std::size_t size) {
            *next++ = row_squares(layer.*part, size, 1);
        });
    }

    /// This thread's share of all layers.
    void add_all(const PackedParameters<T>& packed, Share share) {
        for (std::size_t i = 0; i < packed.size(); ++i) add(i, packed[i], share);
    }

    double total() const {
        double sum = 0;
        for (const double row : rows_) sum += row;
        return sum;
    }

private:
    bool biases_;
    std::vector<std::size_t> first_;
    std::vector<double> rows_;
};

}  // namespace fastmlp
