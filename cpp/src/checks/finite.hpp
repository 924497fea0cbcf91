/// Searches for elements that are not finite, or that are not once they are scaled.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "fastmlp/interruption.hpp"
#include "fastmlp/network.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/scaling.hpp"

namespace fastmlp {

/// The number of elements before the first for which not |x| < limit; `count` if there is none.
/// Can be interrupted.
template <class T>
std::size_t count_below(T limit, const T* data, std::size_t count) {
    constexpr std::size_t kBlock = std::size_t{1} << 22;
    const auto& kernel = kernels::active_table<T>();
    for (std::size_t first = 0; first < count; first += kBlock) {
        if (first > 0) look_for_interrupt();
        const std::size_t size = std::min(kBlock, count - first);
        const std::size_t below = kernel.count_below(limit, data + first, size);
        if (below < size) return first + below;
    }
    return count;
}

/// The number of elements before the first that is not finite; `count` if there is none.
template <class T>
std::size_t count_finite(const T* data, std::size_t count) {
    return count_below(std::numeric_limits<T>::infinity(), data, count);
}

/// The largest size of n values; NaN if one is.
template <class T>
T largest(const T* values, std::size_t n) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    Bits most = 0;  // in the order of sizes, with NaN last
    for (std::size_t j = 0; j < n; ++j) {
        most = std::max(most, std::bit_cast<Bits>(values[j]) << 1);
    }
    return std::bit_cast<T>(most >> 1);
}

/// Below which every element is finite in every one of n columns once it is scaled; NaN if a scale
/// or an offset is.
template <class T>
T safe_limit(const ColumnScaling<T>& scaling, std::size_t n) {
    const T scale = largest(scaling.scales, n), offset = largest(scaling.offsets, n);
    constexpr T kMost = std::numeric_limits<T>::max();
    if (scale <= T(0.5) && offset <= kMost / 2) return std::numeric_limits<T>::infinity();
    return (kMost / 2 - offset) / scale;  // of half the range, which leaves room for rounding
}

/// The number of elements of rows of n columns before the first that is not finite, or not once it
/// is scaled. Can be interrupted.
template <class T>
std::size_t count_finite(const T* data, std::size_t count, const ColumnScaling<T>& scaling,
                         std::size_t n) {
    if (!scaling) return count_finite(data, count);
    const T limit = safe_limit(scaling, n);
    for (std::size_t i = count_below(limit, data, count); i < count;) {
        const T scaled = std::fma(data[i], scaling.scales[i % n], scaling.offsets[i % n]);
        if (!std::isfinite(scaled)) return i;
        ++i;
        i += count_below(limit, data + i, count - i);
    }
    return count;
}

/// Whether a network reads every element of contiguous rows as a finite number. Can be interrupted.
template <class T>
bool reads_finite(const Network<T>& network, const MatrixView<const T>& x) {
    const std::size_t count = x.rows * x.cols;
    const ColumnScaling<T> scaling(network.input_scaling().get());
    constexpr std::size_t kFew = 256;
    if (scaling && count <= kFew) {  // sooner scaled than their limit is computed
        T scaled[kFew];
        scaling.apply(kernels::active_table<T>(), x.data, x.cols, scaled, x.cols, x.rows, x.cols);
        return count_finite(scaled, count) == count;
    }
    return count_finite(x.data, count, scaling, x.cols) == count;
}

}  // namespace fastmlp
