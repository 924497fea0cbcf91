/// How rows are padded, and layers cut into panels, for the kernels; and the kernels' scratch
/// memory.
#pragma once

#include <cstddef>
#include <vector>

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

/// Reusable memory for packed panels, one per thread.
template <class T>
using Scratch = std::vector<T>;

/// Calls f(first, width) for the fewest panels that cover `columns` (a multiple of kernels::kPad),
/// with widths as equal as possible.
template <class F>
void for_each_panel(std::size_t columns, F f) {
    const std::size_t units = columns / kernels::kPad;
    std::size_t parts = (columns + kernels::kPanel - 1) / kernels::kPanel;
    for (std::size_t first = 0; parts > 0; --parts) {
        const std::size_t size = (units - first + parts - 1) / parts;
        f(first * kernels::kPad, size * kernels::kPad);
        first += size;
    }
}

/// At least `size` elements, valid until more are requested.
template <class T>
T* room(Scratch<T>& scratch, std::size_t size) {
    if (scratch.size() < size) scratch.resize(size);
    return scratch.data();
}

}  // namespace fastmlp
