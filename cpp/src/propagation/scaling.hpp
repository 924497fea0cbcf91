/// Columns times a scale plus an offset, as a network may do with its features before the first
/// layer and with its outputs after the last.
#pragma once

#include <cmath>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include "fastmlp/buffer.hpp"
#include "kernels/table.hpp"
#include "propagation/features.hpp"

namespace fastmlp {

/// Borrowed; null where nothing is scaled.
template <class T>
struct ColumnScaling {
    const T* scales = nullptr;
    const T* offsets = nullptr;

    ColumnScaling() = default;
    /// Of a buffer with the scales of all columns and then their offsets, or none.
    explicit ColumnScaling(const Buffer<T>* both)
        : scales(both ? both->data() : nullptr),
          offsets(both ? both->data() + both->size() / 2 : nullptr) {}

    explicit operator bool() const { return scales != nullptr; }

    /// to = fma(from, scale, offset), for rows of n columns; both may be one.
    void apply(const kernels::KernelTable<T>& kernel, const T* from, std::size_t lds, T* to,
               std::size_t ldt, std::size_t rows, std::size_t n) const {
        const auto convert = kernel.convert[static_cast<std::size_t>(element_type<T>())];
        for (std::size_t b = 0; b < rows; ++b) {
            convert(reinterpret_cast<const std::byte*>(from + b * lds), sizeof(T), n, scales,
                    offsets, to + b * ldt);
        }
    }

    /// The scaled value that becomes x: (x - offset) / scale in double, rounded once; 0 where the
    /// scale is.
    T inverse(T x, std::size_t column) const {
        const auto scale = static_cast<double>(scales[column]);
        if (scale == 0) return 0;
        return static_cast<T>((static_cast<double>(x) - static_cast<double>(offsets[column])) /
                              scale);
    }
};

/// x as a network reads it that scales its features. Rows with scales of their own are read by
/// those.
template <class T>
Features<T> scaled(const Features<T>& x, const ColumnScaling<T>& by) {
    if (!by || x.is_scaled || (x.is_raw && x.raw.scales)) return x;
    Features<T> result = x;
    if (x.is_sparse) {
        result.sparse_scales = by.scales;
        return result;
    }
    if (!x.is_raw) result.raw = RawView<T>::of(x.dense);
    result.is_raw = true;
    result.raw.scales = by.scales;
    result.raw.offsets = by.offsets;
    return result;
}

}  // namespace fastmlp
