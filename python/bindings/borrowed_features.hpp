/// Features from Python: of the network's type, of another type or layout, or sparse.
#pragma once

#include <variant>

#include "arrays.hpp"
#include "fastmlp/raw_view.hpp"

namespace fastmlp::bindings {

/// The arrays of a sparse matrix, for a `SparseView`.
struct SparseRows {
    py::array offsets, columns, values;
    std::size_t n_features;
    py::object exact;  ///< what `values` were rounded from, or None
};

/// The arrays of a matrix of another type, for a `RawView`; None without scaling.
struct RawRows {
    py::array values;
    py::object scales, offsets;
};

/// Throws TypeError unless `RawView` supports it and it is in the machine's byte order.
inline ElementType element_type_of(const py::dtype& dtype) {
    const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
    const auto is = [&](auto number) {
        return dtype.num() == py::dtype::num_of<decltype(number)>();
    };
    const bool integer = dtype.kind() == 'i' || dtype.kind() == 'u';
    const bool is_signed = dtype.kind() == 'i';
    if (native && is(bool())) return ElementType::kBool;
    if (native && is(float())) return ElementType::kF32;
    if (native && is(double())) return ElementType::kF64;
    if (native && dtype.kind() == 'f' && dtype.itemsize() == 2) return ElementType::kF16;
    if (native && integer) {
        switch (dtype.itemsize()) {
            case 1: return is_signed ? ElementType::kI8 : ElementType::kU8;
            case 2: return is_signed ? ElementType::kI16 : ElementType::kU16;
            case 4: return is_signed ? ElementType::kI32 : ElementType::kU32;
            case 8: return is_signed ? ElementType::kI64 : ElementType::kU64;
            default: break;
        }
    }
    throw py::type_error(
        "X.values must hold real numbers of at most 8 bytes in native order, got " +
        std::string(py::str(dtype)));
}

/// Borrowed: `rows` must outlive it.
template <class T>
RawView<T> raw_view(const RawRows& rows) {
    const py::array& values = rows.values;
    if (values.ndim() != 2) throw py::value_error("X.values must have 2 dimensions");
    const auto cols = values.shape(1);
    const auto factors = [&](const py::object& array, const char* name) -> const T* {
        if (rows.scales.is_none()) return nullptr;
        const py::array ready = require_ready<T>(array, 1, name);
        if (ready.size() != cols) {
            throw py::value_error(std::string(name) + " must have an element per column");
        }
        return static_cast<const T*>(ready.data());
    };
    return {static_cast<const std::byte*>(values.data()),
            element_type_of(values.dtype()),
            static_cast<std::size_t>(values.shape(0)),
            static_cast<std::size_t>(cols),
            values.strides(0),
            values.strides(1),
            factors(rows.scales, "X.scales"),
            factors(rows.offsets, "X.offsets")};
}

/// A view of SparseRows whose sizes are checked here; `check_rows` checks their content.
template <class T>
SparseView<T> sparse_view(const SparseRows& rows) {
    const py::array offsets = require_ready<std::int64_t>(rows.offsets, 1, "X.offsets");
    const py::array columns = require_ready<std::int32_t>(rows.columns, 1, "X.columns");
    const py::array values = require_ready<T>(rows.values, 1, "X.values");
    if (offsets.size() == 0 || columns.size() != values.size()) {
        throw py::value_error("X must have an offset more than rows, and a column per value");
    }
    const double* exact = nullptr;
    if (!rows.exact.is_none()) {
        const py::array given = require_ready<double>(rows.exact, 1, "X.exact");
        if (given.size() != values.size()) throw py::value_error("X.exact must have every value");
        exact = static_cast<const double*>(given.data());
    }
    return {static_cast<const std::int64_t*>(offsets.data()),
            static_cast<const std::int32_t*>(columns.data()),
            static_cast<const T*>(values.data()),
            static_cast<std::size_t>(offsets.size() - 1),
            rows.n_features,
            static_cast<std::size_t>(values.size()),
            exact};
}

/// An ndarray that can be read in place, RawRows or SparseRows. Keeps alive what it borrows.
template <class T>
class BorrowedFeatures {
public:
    explicit BorrowedFeatures(py::handle x) : owner_(py::reinterpret_borrow<py::object>(x)) {
        if (py::isinstance<SparseRows>(x)) {
            view_ = sparse_view<T>(x.cast<const SparseRows&>());
        } else if (py::isinstance<RawRows>(x)) {
            view_ = raw_view<T>(x.cast<const RawRows&>());
        } else {
            view_ = borrow<T>(require_ready<T>(x, 2, "X"));
        }
    }

    std::size_t rows() const {
        return with([](const auto& view) { return view.rows; });
    }
    /// Calls f(MatrixView) or f(RawView); throws TypeError for sparse rows.
    template <class F>
    void with_dense(F f) const {
        if (const auto* dense = std::get_if<MatrixView<const T>>(&view_)) {
            f(*dense);
        } else if (const auto* raw = std::get_if<RawView<T>>(&view_)) {
            f(*raw);
        } else {
            throw py::type_error("X must not be sparse");
        }
    }
    /// Calls f(MatrixView), f(RawView) or f(SparseView).
    template <class F>
    auto with(F f) const {
        return std::visit(f, view_);
    }

private:
    py::object owner_;
    std::variant<MatrixView<const T>, RawView<T>, SparseView<T>> view_;
};

}  // namespace fastmlp::bindings
