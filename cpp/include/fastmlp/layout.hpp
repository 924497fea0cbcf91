/// The position of each parameter in the one contiguous buffer: W0, b0, W1, b1, ...; the scales and
/// shifts of a normalised layer follow its biases, and those of normalised inputs follow these.
///
/// Only this class defines it. One element per parameter, no padding, C order; gradients and
/// optimizer state use the same layout. The running averages of batch-normalised layers, which have
/// no gradients, are in a second buffer: means0, variances0, means1, ...
#pragma once

#include <cstddef>
#include <vector>

#include "fastmlp/export.h"
#include "fastmlp/layer.hpp"

namespace fastmlp {

/// One named block of a layer: a matrix (rows, cols), or a vector with rows = 1.
struct Parameter {
    const char* name;
    std::size_t offset, rows, cols;

    std::size_t size() const { return rows * cols; }
};

/// The parameters of one layer, K nodes in and N nodes out.
struct LayerLayout {
    std::size_t k, n;
    Parameter weights;         ///< (K, N)
    Parameter biases;          ///< (1, N)
    Parameter scales, shifts;  ///< (1, N) of a normalised layer, else empty
    /// (1, N) of a batch-normalised layer, in the statistics buffer; else empty
    Parameter running_means, running_variances;
    /// (1, K) of a layer whose inputs are normalised, in the same two buffers; else empty
    Parameter input_scales, input_shifts, input_running_means, input_running_variances;

    /// All parameters of the layer, which are contiguous.
    std::size_t offset() const { return weights.offset; }
    std::size_t size() const {
        return weights.size() + biases.size() + scales.size() + shifts.size() +
               input_scales.size() + input_shifts.size();
    }
};

class FASTMLP_API Layout {
public:
    /// Throws std::invalid_argument for a size of 0, std::bad_alloc if the count overflows.
    Layout(std::size_t features, const std::vector<Layer>& layers);

    std::size_t size() const { return size_; }
    /// The number of elements of the statistics buffer.
    std::size_t statistics_size() const { return statistics_size_; }

    std::size_t layer_count() const { return layers_.size(); }
    const LayerLayout& operator[](std::size_t i) const { return layers_[i]; }
    /// Throws std::invalid_argument unless there is a layer i.
    void check_layer(std::size_t i) const;
    const LayerLayout& at(std::size_t i) const {
        check_layer(i);
        return layers_[i];
    }
    /// Whether both have the same parameters at the same positions.
    bool matches(const Layout& other) const;

private:
    std::vector<LayerLayout> layers_;
    std::size_t size_ = 0, statistics_size_ = 0;
};

}  // namespace fastmlp
