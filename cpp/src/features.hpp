/// What goes into the first layer: rows of a dense or of a sparse matrix.
#pragma once

#include "fastmlp/matrix.hpp"

namespace fastmlp {

template <class T>
struct Features {
    Features(MatrixView<const T> x) : rows(x.rows), cols(x.cols), dense(x) {}
    Features(const SparseView<T>& x) : rows(x.rows), cols(x.cols), sparse(x), is_sparse(true) {}

    std::size_t rows, cols;
    MatrixView<const T> dense{};
    SparseView<T> sparse{};
    bool is_sparse = false;
};

/// std::invalid_argument unless the rows of x lie within it, with ascending columns in range.
template <class T>
void check_rows(const SparseView<T>& x);

}  // namespace fastmlp
