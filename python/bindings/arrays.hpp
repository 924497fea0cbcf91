/// The only interface to NumPy: borrows arrays from Python, and returns views of our memory.
/// Neither copies. Unsuitable arrays are refused; `fastmlp.data` converts them beforehand.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>

#include "fastmlp/matrix.hpp"

namespace fastmlp::bindings {

namespace py = pybind11;

/// Whether an object can be read in place: exactly an ndarray, of T, with `ndim` dimensions,
/// C-contiguous and aligned.
template <class T>
bool is_ready(py::handle object, py::ssize_t ndim) {
    if (Py_TYPE(object.ptr()) != py::detail::npy_api::get().PyArray_Type_) return false;
    const auto array = py::reinterpret_borrow<py::array>(object);
    constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    constexpr int kFlags = py::array::c_style | kAligned;
    return array.ndim() == ndim && (array.flags() & kFlags) == kFlags &&
           array.dtype().num() == py::dtype::num_of<T>() && array.dtype().byteorder() != '>';
}

/// Throws TypeError unless `object` can be read in place.
template <class T>
py::array require_ready(py::handle object, py::ssize_t ndim, const char* name) {
    if (!is_ready<T>(object, ndim)) {
        throw py::type_error(std::string(name) + " must be a C-contiguous " + std::to_string(ndim) +
                             "-D array of " + std::string(py::str(py::dtype::of<T>())));
    }
    return py::reinterpret_borrow<py::array>(object);
}

template <class T>
MatrixView<const T> borrow(const py::array& array) {
    const auto rows = static_cast<std::size_t>(array.shape(0));
    const auto cols = static_cast<std::size_t>(array.shape(1));
    return {static_cast<const T*>(array.data()), rows, cols, cols};
}

template <class T>
MatrixView<T> borrow_mutable(py::array& array) {
    const auto rows = static_cast<std::size_t>(array.shape(0));
    const auto cols = static_cast<std::size_t>(array.shape(1));
    return {static_cast<T*>(array.mutable_data()), rows, cols, cols};
}

/// Throws MemoryError if a result of this many bytes exceeds memory, by `fastmlp.data._memory`.
inline void require_memory(const char* what, double bytes) {
    constexpr double kUnasked = 1 << 26;
    if (bytes > kUnasked) {
        py::module_::import("fastmlp.data._memory")
            .attr("require")(what, py::int_(py::float_(bytes)));
    }
}

/// A new array for a result.
template <class T, std::size_t N>
py::array_t<T> new_result(const std::size_t (&shape)[N]) {
    double bytes = sizeof(T);
    for (const std::size_t size : shape) bytes *= static_cast<double>(size);
    require_memory("the result", bytes);
    return py::array_t<T>(py::array::ShapeContainer(shape, shape + N));
}

/// The targets with `weights` (B,) of T, or without if `weights` is empty.
template <class T>
Targets<T> with_weights(Targets<T> targets, const py::array& weights) {
    if (weights.size() == 0) return targets;
    if (static_cast<std::size_t>(weights.size()) != targets.rows) {
        throw py::value_error("sample_weight must have one element per row of y");
    }
    targets.weights = static_cast<const T*>(weights.data());
    return targets;
}

/// Labels (B,) as int32, or target rows (B, N) as T.
template <class T>
Targets<T> borrow_targets(const py::object& y, const py::array& weights = {}) {
    if (is_ready<std::int32_t>(y, 1)) {
        const auto labels = py::reinterpret_borrow<py::array>(y);
        return with_weights(Targets<T>::of_labels(static_cast<const std::int32_t*>(labels.data()),
                                                  static_cast<std::size_t>(labels.shape(0))),
                            weights);
    }
    return with_weights(Targets<T>::of_values(borrow<T>(require_ready<T>(y, 2, "y"))), weights);
}

/// A view of `data` that keeps `owner` alive.
template <class T, class Owner>
py::array lend(T* data, py::array::ShapeContainer shape, py::array::StridesContainer strides,
               std::shared_ptr<Owner> owner, bool writeable) {
    py::capsule keeper(new std::shared_ptr<Owner>(std::move(owner)),
                       [](void* held) { delete static_cast<std::shared_ptr<Owner>*>(held); });
    py::array view(py::dtype::of<std::remove_const_t<T>>(), std::move(shape), std::move(strides),
                   data, keeper);
    if (!writeable) view.attr("flags").attr("writeable") = false;
    return view;
}

}  // namespace fastmlp::bindings
