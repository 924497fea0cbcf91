/// What goes into the first layer: rows of a dense matrix, of one of another type, or of a sparse
/// one.
#pragma once

#include "fastmlp/matrix.hpp"
#include "fastmlp/raw_view.hpp"

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
    bool is_raw = false, is_sparse = false;
};

/// std::invalid_argument unless the rows of x lie within it, with ascending columns in range.
template <class T>
void check_rows(const SparseView<T>& x);

/// The share of the features that is stored.
template <class T>
double density(const Features<T>& x) {
    return x.is_sparse ? static_cast<double>(x.sparse.count) / static_cast<double>(x.rows) /
                             static_cast<double>(x.cols)
                       : 1;
}

}  // namespace fastmlp
