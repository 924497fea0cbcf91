/// The input of the first layer: rows of a dense matrix of type T, of one of another type, or of a
/// sparse matrix; how the rows of a batch are taken, and those of the next one prefetched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layer.hpp"
#include "fastmlp/matrix.hpp"
#include "fastmlp/raw_view.hpp"
#include "kernels/table.hpp"
#include "propagation/packed.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

template <class T>
struct Features {
    Features(MatrixView<const T> x) : rows(x.rows), cols(x.cols), dense(x) {}
    Features(const RawView<T>& x) : rows(x.rows), cols(x.cols), raw(x), is_raw(true) {}
    Features(const SparseView<T>& x) : rows(x.rows), cols(x.cols), sparse(x), is_sparse(true) {}

    std::size_t rows, cols;
    MatrixView<const T> dense{};
    RawView<T> raw{};
    SparseView<T> sparse{};
    const T* sparse_scales = nullptr;  ///< of the columns of sparse rows, if they have any
    bool is_raw = false, is_sparse = false;
    bool is_scaled = false;  ///< as the network reads them already
};

/// Whether a network of these layers normalises its features, in rows that it may change.
inline bool normalizes_inputs(const std::vector<Layer>& layers) {
    return layers[0].input_normalization != Normalization::kNone;
}

/// Dense rows, to be copied as they are read.
template <class T>
Features<T> copied(Features<T> x) {
    if (!x.is_raw) x.raw = RawView<T>::of(x.dense);
    x.is_raw = true;
    return x;
}

/// x for these layers.
template <class T>
Features<T> as_read(const std::vector<Layer>& layers, const Features<T>& x) {
    return normalizes_inputs(layers) ? copied(x) : x;
}

/// The share of the features that is stored; 1 without rows.
template <class T>
double density(const Features<T>& x) {
    if (!x.is_sparse || x.rows == 0) return 1;
    return static_cast<double>(x.sparse.count) / static_cast<double>(x.rows) /
           static_cast<double>(x.cols);
}

/// Row `row` of a matrix of another type, converted to T.
template <class T>
void read_row(const kernels::KernelTable<T>& kernel, const RawView<T>& x, std::size_t row, T* out) {
    kernel.convert[static_cast<std::size_t>(x.type)](x.row(row), x.column_stride, x.cols, x.scales,
                                                     x.offsets, out);
}

/// Whether the rows are of T, one element beside the other, and scaled as they are read.
template <class T>
bool is_scaled_in_place(const RawView<T>& x) {
    return x.scales && x.type == element_type<T>() && x.column_stride == sizeof(T) &&
           reinterpret_cast<std::uintptr_t>(x.data) % alignof(T) == 0 &&
           x.row_stride % static_cast<std::ptrdiff_t>(alignof(T)) == 0;
}

/// Some rows of features, as the first layer reads them: borrowed, or converted to T.
template <class T>
struct InputRows {
    std::vector<const T*> dense;
    std::vector<SparseRow<T>> sparse;  ///< instead of `dense` if `is_sparse`
    bool is_sparse = false;

    /// Makes room for `rows` rows of x. `take` may then be called on any thread.
    void expect(const Features<T>& x, std::size_t rows) {
        is_sparse = x.is_sparse;
        if (is_sparse) {
            if (sparse.size() < rows) sparse.resize(rows);
            if (x.sparse_scales && scaled_.size() < rows) scaled_.resize(rows);
            return;
        }
        if (dense.size() < rows) dense.resize(rows);
        if (!x.is_raw) return;
        stride_ = activation_stride(x.cols);
        const std::size_t size = checked_multiply(rows, stride_);
        if (read_.size() < size) read_ = Buffer<T>(size);
    }

    /// Sets row `to` of these to row `from` of x.
    void take(const kernels::KernelTable<T>& kernel, const Features<T>& x, std::size_t from,
              std::size_t to) {
        if (is_sparse) {
            sparse[to] = x.sparse.row(from);
            if (x.sparse_scales) scale(sparse[to], x.sparse_scales, scaled_[to]);
        } else if (x.is_raw) {
            T* row = read_.data() + to * stride_;
            read_row(kernel, x.raw, from, row);
            dense[to] = row;
        } else {
            dense[to] = x.dense.row(from);
        }
    }

    /// `take` for rows first..last-1: row `to` + b from row sample_of(b).
    template <class SampleOf>
    void take_all(const kernels::KernelTable<T>& kernel, const Features<T>& x, Range rows,
                  SampleOf sample_of, std::size_t to) {
        if (is_sparse || !x.is_raw || !is_scaled_in_place(x.raw)) {
            for (std::size_t b = rows.first; b < rows.last; ++b) {
                take(kernel, x, sample_of(b), to + b);
            }
            return;
        }
        const T** const pointers = dense.data() + to;
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            pointers[b] = reinterpret_cast<const T*>(x.raw.row(sample_of(b)));
        }
        T* const scaled = read_.data() + to * stride_;
        kernel.scale_rows(pointers + rows.first, rows.size(), x.raw.cols, x.raw.scales,
                          x.raw.offsets, scaled + rows.first * stride_, stride_);
        for (std::size_t b = rows.first; b < rows.last; ++b) pointers[b] = scaled + b * stride_;
    }

    /// What was read as T, with room for whole vectors. Of other features there are no rows.
    MatrixView<T> read(std::size_t rows, std::size_t cols) {
        return {read_.data(), rows, cols, stride_};
    }

private:
    static void scale(SparseRow<T>& row, const T* scales, std::vector<T>& values) {
        values.resize(row.count);
        for (std::size_t j = 0; j < row.count; ++j) {
            const T scale = scales[row.columns[j]];
            values[j] = row.exact ? static_cast<T>(row.exact[j] * static_cast<double>(scale))
                                  : row.values[j] * scale;
        }
        row.values = values.data();
    }

    Buffer<T> read_;  ///< rows of another type, converted to T
    std::size_t stride_ = 0;
    std::vector<std::vector<T>> scaled_;  ///< values of sparse rows whose columns have scales
};

/// The cache lines of a matrix: row i has `lines` of them, `step` bytes apart.
struct RowLines {
    template <class T>
    explicit RowLines(const Features<T>& x) {
        if (x.is_sparse) return;
        const RawView<T> raw = x.is_raw ? x.raw : RawView<T>::of(x.dense);
        data = raw.data;
        rows = raw.rows;
        stride = raw.row_stride;
        const std::ptrdiff_t apart = std::abs(raw.column_stride), most = std::max(kLine, apart);
        const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(raw.cols) * apart;
        lines = static_cast<std::size_t>((width + most - 1) / most);
        if (most == kLine) ++lines;
        step = raw.column_stride < 0 ? -most : most;
    }

    const std::byte* data = nullptr;
    std::size_t rows = 0, lines = 0;
    std::ptrdiff_t stride = 0, step = 0;

private:
    static constexpr std::ptrdiff_t kLine = 64;
};

/// Prefetches the rows of the next batch while the weights are updated. A hardware prefetcher
/// cannot predict shuffled rows, and a data set rarely fits in the cache.
class RowPrefetcher {
public:
    /// For samples `samples` of `order` (null: 0, 1, 2, ...).
    RowPrefetcher(const RowLines& x, const std::uint32_t* order, Range samples)
        : x_(x), order_(order), sample_(samples.first), last_(samples.last) {}

    /// Announces how often the following work calls `advance`.
    void spread_over(std::size_t calls) {
        per_call_ = ((last_ - sample_) * x_.lines + calls - 1) / std::max<std::size_t>(1, calls);
    }

    void advance() {
        for (std::size_t left = per_call_; left > 0 && sample_ < last_;) {
            const std::size_t sample = order_ ? order_[sample_] : sample_;
            const std::byte* row = x_.data + static_cast<std::ptrdiff_t>(sample) * x_.stride;
            const std::size_t end = std::min(x_.lines, line_ + left);
            left -= end - line_;
            for (; line_ < end; ++line_) {
                __builtin_prefetch(row + static_cast<std::ptrdiff_t>(line_) * x_.step, 0, 2);
            }
            if (line_ == x_.lines) {
                line_ = 0;
                ++sample_;
            }
        }
    }

private:
    RowLines x_;
    const std::uint32_t* order_;
    std::size_t sample_, last_, line_ = 0, per_call_ = 0;
};

}  // namespace fastmlp
