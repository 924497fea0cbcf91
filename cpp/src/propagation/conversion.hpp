/// Rows of a matrix of another type, read as T.
#pragma once

#include "fastmlp/raw_view.hpp"
#include "kernels/table.hpp"
#include "threads/share.hpp"

namespace fastmlp {

template <class T>
void read_row(const kernels::KernelTable<T>& kernel, const RawView<T>& x, std::size_t row, T* out) {
    kernel.convert[static_cast<std::size_t>(x.type)](x.row(row), x.column_stride, x.cols, x.scales,
                                                     x.offsets, out);
}

}  // namespace fastmlp
