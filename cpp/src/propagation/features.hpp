/// The input of the first layer: rows of a dense matrix of type T, of one of another type, or of a
/// sparse matrix.
#pragma once

#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/matrix.hpp"
#include "fastmlp/raw_view.hpp"
#include "kernels/table.hpp"
#include "propagation/panels.hpp"

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

/// The share of the features that is stored.
template <class T>
double density(const Features<T>& x) {
    return x.is_sparse ? static_cast<double>(x.sparse.count) / static_cast<double>(x.rows) /
                             static_cast<double>(x.cols)
                       : 1;
}

/// Row `row` of a matrix of another type, converted to T.
template <class T>
void read_row(const kernels::KernelTable<T>& kernel, const RawView<T>& x, std::size_t row, T* out) {
    kernel.convert[static_cast<std::size_t>(x.type)](x.row(row), x.column_stride, x.cols, x.scales,
                                                     x.offsets, out);
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

    /// What was read as T: rows `stride` apart. Of other features there are none.
    const T* read() const { return read_.data(); }
    std::size_t stride() const { return stride_; }

private:
    static void scale(SparseRow<T>& row, const T* scales, std::vector<T>& values) {
        values.resize(row.count);
        for (std::size_t j = 0; j < row.count; ++j) {
            values[j] = row.values[j] * scales[row.columns[j]];
        }
        row.values = values.data();
    }

    Buffer<T> read_;  ///< rows of another type, converted to T
    std::size_t stride_ = 0;
    std::vector<std::vector<T>> scaled_;  ///< values of sparse rows whose columns have scales
};

}  // namespace fastmlp
