/// Scaling of columns: times a scale plus an offset. A network may scale its features before the
/// first layer and its outputs after the last.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include "fastmlp/buffer.hpp"
#include "kernels/table.hpp"
#include "propagation/features.hpp"

namespace fastmlp {

/// Borrowed; null without scaling.
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

    /// That of the columns from `first` on.
    ColumnScaling from(std::size_t first) const {
        ColumnScaling result;
        if (*this) {
            result.scales = scales + first;
            result.offsets = offsets + first;
        }
        return result;
    }

    /// to = fma(from, scale, offset), for rows of n columns; `to` may be `from`.
    void apply(const kernels::KernelTable<T>& kernel, const T* from, std::size_t lds, T* to,
               std::size_t ldt, std::size_t rows, std::size_t n) const {
        const auto convert = kernel.convert[static_cast<std::size_t>(element_type<T>())];
        for (std::size_t b = 0; b < rows; ++b) {
            convert(reinterpret_cast<const std::byte*>(from + b * lds), sizeof(T), n, scales,
                    offsets, to + b * ldt);
        }
    }

    /// Whether one of n scales is 0: that column is then the offset.
    bool has_constant(std::size_t n) const {
        return std::find(scales, scales + n, T(0)) != scales + n;
    }

    /// The inverse: (x - offset) / scale in double, rounded once; 0 if the scale is 0.
    T inverse(T x, std::size_t column) const {
        const auto scale = static_cast<double>(scales[column]);
        if (scale == 0) return 0;
        return static_cast<T>((static_cast<double>(x) - static_cast<double>(offsets[column])) /
                              scale);
    }
};

/// x, to be scaled as it is read if the network scales its features. Rows that already have
/// scales keep them.
template <class T>
Features<T> scaled(const Features<T>& x, const ColumnScaling<T>& by) {
    if (!by || x.is_scaled || (x.is_raw && x.raw.scales)) return x;
    if (x.is_sparse) {
        Features<T> result = x;
        result.sparse_scales = by.scales;
        return result;
    }
    Features<T> result = copied(x);
    result.raw.scales = by.scales;
    result.raw.offsets = by.offsets;
    return result;
}

}  // namespace fastmlp
