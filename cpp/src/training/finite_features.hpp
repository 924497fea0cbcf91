/// The search of the features before the first step, for a caller that has not searched them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "checks/finite.hpp"
#include "threads/parts.hpp"

namespace fastmlp {

/// Whether a network reads all elements as finite numbers. Rows of a copy may be padded.
template <class T>
bool rows_finite(const Network<T>& network, const MatrixView<const T>& x) {
    if (x.stride == x.cols) return reads_finite(network, x);
    for (std::size_t i = 0; i < x.rows; ++i) {
        if (!reads_finite(network, MatrixView<const T>{x.row(i), 1, x.cols})) return false;
    }
    return true;
}

/// The same in parts; `pause()` is called now and then, and may end the search by an exception.
template <class T, class Pause>
bool features_finite(const Network<T>& network, const MatrixView<const T>& x, const Parts& parts,
                     Pause pause) {
    constexpr std::size_t kBetweenPauses = std::size_t{1} << 22;
    const std::size_t rows = std::max<std::size_t>(1, kBetweenPauses / x.cols);
    std::atomic<bool> finite{true};
    for (std::size_t first = 0; first < x.rows && finite; first += rows) {
        if (first > 0) pause();
        const std::size_t size = std::min(rows, x.rows - first);
        parts.each(size, x.cols * sizeof(T), [&](Range part) {
            const T* const data = x.row(first + part.first);
            const MatrixView<const T> mine{data, part.size(), x.cols, x.stride};
            if (!rows_finite(network, mine)) finite = false;
        });
    }
    return finite;
}

}  // namespace fastmlp
