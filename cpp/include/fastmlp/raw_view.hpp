/// A borrowed matrix of any real type and layout. Features are converted to T row by row as they
/// are read, so that a data set of bytes or float64 is never copied as a whole.
#pragma once

#include <cstddef>

#include "fastmlp/element_type.hpp"
#include "fastmlp/export.h"
#include "fastmlp/matrix.hpp"

namespace fastmlp {

/// Element (i, j) is read as T(x), rounded to nearest, or as fma(x, scales[j], offsets[j]):
/// computed in double and rounded to T once if T does not represent every value of the type
/// exactly. Strides are in bytes, of any sign, and need not be aligned.
template <class T>
struct RawView {
    const std::byte* data = nullptr;
    ElementType type = element_type<T>();
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::ptrdiff_t row_stride = 0;
    std::ptrdiff_t column_stride = 0;
    const T* scales = nullptr;   ///< (cols,), or null: no scaling
    const T* offsets = nullptr;  ///< (cols,), with `scales` only

    template <class S>
    static RawView of(MatrixView<const S> x, const T* scales = nullptr,
                      const T* offsets = nullptr) {
        constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(S));
        return {reinterpret_cast<const std::byte*>(x.data),
                element_type<S>(),
                x.rows,
                x.cols,
                static_cast<std::ptrdiff_t>(x.stride) * size,
                size,
                scales,
                offsets};
    }

    const std::byte* row(std::size_t i) const {
        return data + static_cast<std::ptrdiff_t>(i) * row_stride;
    }
    RawView of_rows(std::size_t first, std::size_t count) const {
        RawView part = *this;
        part.data = row(first);
        part.rows = count;
        return part;
    }
};

/// The number of rows before the first with an element that is not read as a finite T; x.rows if
/// there is none.
template <class T>
FASTMLP_API std::size_t count_finite_rows(const RawView<T>& x);

/// Converts all of x into `out` (rows, cols).
template <class T>
FASTMLP_API void read_rows(const RawView<T>& x, MatrixView<T> out);

extern template void read_rows(const RawView<float>&, MatrixView<float>);
extern template void read_rows(const RawView<double>&, MatrixView<double>);
extern template std::size_t count_finite_rows(const RawView<float>&);
extern template std::size_t count_finite_rows(const RawView<double>&);

}  // namespace fastmlp
