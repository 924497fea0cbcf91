/// Searches for non-finite elements.
#pragma once

#include <algorithm>
#include <cstddef>

#include "fastmlp/interruption.hpp"
#include "kernels/dispatch.hpp"

namespace fastmlp {

/// The number of elements before the first that is not finite; `count` if there is none. Can be
/// interrupted.
template <class T>
std::size_t count_finite(const T* data, std::size_t count) {
    constexpr std::size_t kBlock = std::size_t{1} << 22;
    const auto& kernel = kernels::active_table<T>();
    for (std::size_t first = 0; first < count; first += kBlock) {
        if (first > 0) look_for_interrupt();
        const std::size_t size = std::min(kBlock, count - first);
        const std::size_t finite = kernel.count_finite(data + first, size);
        if (finite < size) return first + finite;
    }
    return count;
}

}  // namespace fastmlp
