/// Parameters and nodes of networks side by side, one in each lane of a vector: element i of all of
/// them, then element i + 1.
///
/// Rows have an odd number of vectors, as a power of two would map a column of all rows to a few
/// sets of the L1 cache.
#pragma once

#include <cstddef>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"

namespace fastmlp {

/// The distance of rows of `columns` columns, in vectors.
inline std::size_t lane_stride(std::size_t columns) {
    return columns | 1;
}

/// Parameters, gradients or moments of one layer.
template <class T>
struct LaneLayer {
    std::size_t k, n, ldw;
    T *w, *bias;
};

/// Arrays of the shape of the parameters.
template <class T>
class LaneParameters {
public:
    LaneParameters(const Layout& layout, std::size_t lanes)
        : layout_(layout), lanes_(lanes), buffer_(size(layout) * lanes) {
        T* next = buffer_.data();
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            const std::size_t k = layout[i].k, n = layout[i].n, ldw = lane_stride(n);
            layers_.push_back({k, n, ldw, next, next + k * ldw * lanes});
            next += (k + 1) * ldw * lanes;
        }
    }

    const LaneLayer<T>& operator[](std::size_t i) const { return layers_[i]; }

    /// All layers, with what is between them.
    Buffer<T>& values() { return buffer_; }

    /// Copies between a lane and the public layout.
    void load(std::size_t lane, const T* flat) {
        each(lane, [=](std::size_t at, T& packed) { packed = flat[at]; });
    }
    void store(std::size_t lane, T* flat) {
        each(lane, [=](std::size_t at, const T& packed) { flat[at] = packed; });
    }

private:
    static std::size_t size(const Layout& layout) {
        std::size_t vectors = 0;
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            vectors += (layout[i].k + 1) * lane_stride(layout[i].n);
        }
        return vectors;
    }

    template <class Copy>
    void each(std::size_t lane, Copy copy) {
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            const LaneLayer<T>& layer = layers_[i];
            for (std::size_t k = 0; k < layer.k; ++k) {
                const std::size_t first = layout_[i].weights.offset + k * layer.n;
                T* row = layer.w + k * layer.ldw * lanes_ + lane;
                for (std::size_t n = 0; n < layer.n; ++n) copy(first + n, row[n * lanes_]);
            }
            T* const bias = layer.bias + lane;
            for (std::size_t n = 0; n < layer.n; ++n) {
                copy(layout_[i].biases.offset + n, bias[n * lanes_]);
            }
        }
    }

    const Layout& layout_;
    std::size_t lanes_;
    Buffer<T> buffer_;
    std::vector<LaneLayer<T>> layers_;
};

/// Nodes or deltas of a batch.
template <class T>
struct LaneRows {
    std::size_t columns, stride;  ///< in vectors
    Buffer<T> values;

    LaneRows(std::size_t rows, std::size_t its_columns, std::size_t lanes)
        : columns(its_columns), stride(lane_stride(columns)), values(rows * stride * lanes) {}
};

}  // namespace fastmlp
