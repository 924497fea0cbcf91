/// Dropout of networks side by side: each draws its own masks, as by itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fastmlp/network.hpp"
#include "kernels/table.hpp"
#include "lanes/arrays.hpp"
#include "propagation/dropout.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// The factors of the nodes of one layer: 1 / (1 - rate), or 0 where a node is dropped.
template <class T>
class LaneDropout {
public:
    LaneDropout(const kernels::KernelTable<T>& kernel, std::size_t layer, double rate,
                std::size_t rows, std::size_t nodes, std::size_t lanes)
        : kernel_(kernel), layer_(layer), rate_(rate), lanes_(lanes), factors_(rows, nodes, lanes),
          own_(rate > 0 ? rows : 0, nodes), ones_(rate > 0 ? rows : 0, nodes) {
        std::fill_n(ones_.values.data(), ones_.values.size(), T(1));
    }

    /// Draws the masks of `rows` samples of a lane, of which the first is sample `first` of the
    /// epoch.
    void draw(std::size_t lane, const Network<T>& network, std::size_t first, std::size_t rows) {
        const BatchContext context{.epoch = network.epoch(), .position = first};
        drop(kernel_, dropout_mask(network.seed(), layer_, rate_, context), rate_, Range{0, rows},
             nullptr, ones_, own_);
        for (std::size_t b = 0; b < rows; ++b) {
            T* const to = factors_.values.data() + b * factors_.stride * lanes_ + lane;
            for (std::size_t j = 0; j < own_.cols; ++j) to[j * lanes_] = own_.row(b)[j];
        }
    }

    /// to = from times the factors, or 0 where a node is dropped; rows are those of `LaneRows`.
    void apply(const T* from, std::size_t rows, T* to) const {
        const T* const factors = factors_.values.data();
        for (std::size_t i = 0; i < rows * factors_.stride * lanes_; ++i) {
            to[i] = factors[i] != 0 ? from[i] * factors[i] : T(0);
        }
    }

private:
    const kernels::KernelTable<T>& kernel_;
    std::size_t layer_;
    double rate_;
    std::size_t lanes_;
    LaneRows<T> factors_;
    Rows<T> own_, ones_;  ///< of one network
};

}  // namespace fastmlp
