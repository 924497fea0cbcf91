/// Parameters and nodes of networks side by side, one in each lane of a vector: element i of all of
/// them, then element i + 1.
///
/// Rows have an odd number of vectors, as a power of two would map a column of all rows to a few
/// sets of the L1 cache.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"
#include "propagation/normalization.hpp"

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
    T *scales, *shifts;              ///< of a normalised layer, else null
    T *input_scales, *input_shifts;  ///< where the layer's inputs are normalised, else null
};

/// Calls f(part, size) for the vectors of a layer, in the order of the layout.
template <class T, class F>
void for_each_vector(const LaneLayer<T>& layer, F f) {
    f(&LaneLayer<T>::bias, layer.n);
    if (layer.scales != nullptr) {
        f(&LaneLayer<T>::scales, layer.n);
        f(&LaneLayer<T>::shifts, layer.n);
    }
    if (layer.input_scales != nullptr) {
        f(&LaneLayer<T>::input_scales, layer.k);
        f(&LaneLayer<T>::input_shifts, layer.k);
    }
}

/// Arrays of the shape of the parameters.
template <class T>
class LaneParameters {
public:
    LaneParameters(const Layout& layout, std::size_t lanes)
        : layout_(layout), lanes_(lanes), buffer_(size(layout) * lanes) {
        T* next = buffer_.data();
        const auto place = [&](std::size_t vectors) {
            return vectors > 0 ? std::exchange(next, next + vectors * lanes) : nullptr;
        };
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            const LayerLayout& layer = layout[i];
            const std::size_t ldw = lane_stride(layer.n);
            T *const w = place(layer.k * ldw), *const bias = place(ldw);
            T *const scales = place(layer.scales.size()), *const shifts =
                                                              place(layer.shifts.size());
            T* const input_scales = place(layer.input_scales.size());
            T* const input_shifts = place(layer.input_shifts.size());
            layers_.push_back(
                {layer.k, layer.n, ldw, w, bias, scales, shifts, input_scales, input_shifts});
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
            const LayerLayout& layer = layout[i];
            vectors += (layer.k + 1) * lane_stride(layer.n) + layer.scales.size() +
                       layer.shifts.size() + layer.input_scales.size() + layer.input_shifts.size();
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
            std::size_t at = layout_[i].biases.offset;
            for_each_vector(layer, [&](T* LaneLayer<T>::* part, std::size_t size) {
                T* const vector = layer.*part + lane;
                for (std::size_t n = 0; n < size; ++n) copy(at++, vector[n * lanes_]);
            });
        }
    }

    const Layout& layout_;
    std::size_t lanes_;
    Buffer<T> buffer_;
    std::vector<LaneLayer<T>> layers_;
};

/// The running averages of batch normalizations.
template <class T>
class LaneStatistics {
public:
    LaneStatistics(const Layout& layout, std::size_t lanes)
        : lanes_(lanes), values_(layout.statistics_size() * lanes) {}

    Buffer<T>& values() { return values_; }
    Moments<T> of(const Parameter& means, const Parameter& variances) {
        return {values_.data() + means.offset * lanes_, values_.data() + variances.offset * lanes_};
    }

    /// Copies between a lane and the public layout.
    void load(std::size_t lane, const T* flat) {
        for (std::size_t i = lane; i < values_.size(); i += lanes_) values_[i] = *flat++;
    }
    void store(std::size_t lane, T* flat) const {
        for (std::size_t i = lane; i < values_.size(); i += lanes_) *flat++ = values_[i];
    }

private:
    std::size_t lanes_;
    Buffer<T> values_;
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
