/// The padding of private rows.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"

namespace fastmlp {

inline std::size_t padded(std::size_t columns) {
    return (columns + kernels::kPad - 1) / kernels::kPad * kernels::kPad;
}

/// Row stride of activations. Strides of a multiple of 64 elements would map the same column of all
/// rows to a few sets of the L1 cache: they would evict each other before the weight update reads
/// them.
inline std::size_t activation_stride(std::size_t columns) {
    const std::size_t stride = padded(columns);
    return stride % 64 == 0 ? stride + kernels::kPad : stride;
}

}  // namespace fastmlp
