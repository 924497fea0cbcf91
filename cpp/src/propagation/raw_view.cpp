#include "fastmlp/raw_view.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "fastmlp/interruption.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/features.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {
namespace {

/// Rows of a part that is converted: their elements stay in the L2 cache (2^14 of 1 MiB).
template <class T>
std::size_t rows_of_part(const RawView<T>& x) {
    return std::max<std::size_t>(1, cache_sizes().l2 / 64 / std::max<std::size_t>(1, x.cols));
}

/// Whether rows are contiguous, so that several can be converted as one.
template <class T>
bool is_one_row(const RawView<T>& x) {
    const auto size = static_cast<std::ptrdiff_t>(element_size(x.type));
    return x.scales == nullptr && x.column_stride == size &&
           x.row_stride == x.column_stride * static_cast<std::ptrdiff_t>(x.cols);
}

template <class T>
void read_all(const kernels::KernelTable<T>& kernel, const RawView<T>& x, MatrixView<T> out) {
    if (is_one_row(x) && out.stride == x.cols) {
        RawView<T> row = x;
        row.cols = x.rows * x.cols;
        return read_row(kernel, row, 0, out.data);
    }
    for (std::size_t i = 0; i < x.rows; ++i) read_row(kernel, x, i, out.row(i));
}

}  // namespace

template <class T>
void read_rows(const RawView<T>& x, MatrixView<T> out) {
    if (out.rows != x.rows || out.cols != x.cols) {
        throw std::invalid_argument("out must have the shape of x");
    }
    if (out.rows > 1 && out.stride < out.cols) {
        throw std::invalid_argument("the rows of out must not overlap");
    }
    const IeeeDefaults ieee;
    const std::size_t block = rows_of_part(x);
    for (std::size_t first = 0; first < x.rows; first += block) {
        const RawView<T> part = x.of_rows(first, std::min(block, x.rows - first));
        read_all(kernels::active_table<T>(), part, {out.row(first), part.rows, x.cols, out.stride});
        look_for_interrupt();
    }
}

template <class T>
std::size_t count_finite_rows(const RawView<T>& x) {
    if (x.cols == 0) return x.rows;
    const IeeeDefaults ieee;
    const auto& kernel = kernels::active_table<T>();
    const std::size_t block = rows_of_part(x);
    std::vector<T> values(std::min(block, x.rows) * x.cols);
    for (std::size_t first = 0; first < x.rows; first += block) {
        const RawView<T> part = x.of_rows(first, std::min(block, x.rows - first));
        read_all(kernel, part, {values.data(), part.rows, x.cols, x.cols});
        const std::size_t count = part.rows * x.cols;
        const std::size_t finite =
            kernel.count_below(std::numeric_limits<T>::infinity(), values.data(), count);
        if (finite < count) return first + finite / x.cols;
        look_for_interrupt();
    }
    return x.rows;
}

template void read_rows(const RawView<float>&, MatrixView<float>);
template void read_rows(const RawView<double>&, MatrixView<double>);
template std::size_t count_finite_rows(const RawView<float>&);
template std::size_t count_finite_rows(const RawView<double>&);

}  // namespace fastmlp
