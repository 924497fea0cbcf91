/// Features that are not an ndarray of the network's type: sparse, or of another type or layout.
/// And labels, of any integer type.
#include <cstring>
#include <type_traits>

#include "bindings.hpp"
#include "fastmlp/interruption.hpp"

namespace fastmlp::bindings {
namespace {

template <class T>
std::size_t count_finite(const RawRows& rows) {
    const RawView<T> x = raw_view<T>(rows);
    const Interruptible interruptible;
    return count_finite_rows(x);
}

template <class T>
py::array read(const RawRows& rows) {
    const RawView<T> x = raw_view<T>(rows);
    py::array_t<T> result({x.rows, x.cols});
    T* out = result.mutable_data();
    const Interruptible interruptible;
    read_rows(x, MatrixView<T>{out, x.rows, x.cols, x.cols});
    return result;
}

/// How many labels are below `classes` until the first that is not; these are in `out`.
template <class Integer>
std::size_t count_labels(const py::array& y, std::uint64_t classes, std::int32_t* out) {
    constexpr std::size_t kRowsAtOnce = std::size_t{1} << 22;
    const auto* next = static_cast<const std::byte*>(y.data());
    const auto rows = static_cast<std::size_t>(y.shape(0));
    const Interruptible interruptible;
    for (std::size_t row = 0; row < rows; ++row, next += y.strides(0)) {
        if (row % kRowsAtOnce == 0) look_for_interrupt();
        Integer label;
        std::memcpy(&label, next, sizeof label);  // it need not be aligned
        // Negative ones are beyond all classes then.
        if (static_cast<std::uint64_t>(label) >= classes) return row;
        out[row] = static_cast<std::int32_t>(label);
    }
    return rows;
}

template <class Signed>
std::size_t count_labels_of(const py::array& y, std::uint64_t classes, std::int32_t* out) {
    return y.dtype().kind() == 'i' ? count_labels<Signed>(y, classes, out)
                                   : count_labels<std::make_unsigned_t<Signed>>(y, classes, out);
}

/// Copies labels of any integer type, or bool, into `out`; returns the first row whose label is not
/// below `classes`, or -1.
py::ssize_t read_labels(const py::array& y, std::uint32_t classes, py::array_t<std::int32_t>& out) {
    const bool is_integer = std::strchr("iub", y.dtype().kind()) != nullptr;
    if (!is_integer || y.dtype().byteorder() == '>' || y.ndim() != 1) {
        throw py::type_error("y must be an array (B,) of native integers");
    }
    if (out.ndim() != 1 || out.shape(0) != y.shape(0)) throw py::value_error("out must be (B,)");
    std::size_t count = 0;
    switch (y.itemsize()) {
        case 1: count = count_labels_of<std::int8_t>(y, classes, out.mutable_data()); break;
        case 2: count = count_labels_of<std::int16_t>(y, classes, out.mutable_data()); break;
        case 4: count = count_labels_of<std::int32_t>(y, classes, out.mutable_data()); break;
        default: count = count_labels_of<std::int64_t>(y, classes, out.mutable_data()); break;
    }
    return count == static_cast<std::size_t>(y.shape(0)) ? -1 : static_cast<py::ssize_t>(count);
}

}  // namespace

void bind_features(py::module_& module) {
    py::class_<SparseRows>(module, "SparseRows")
        .def(py::init<py::array, py::array, py::array, std::size_t, py::object>(),
             py::arg("offsets"), py::arg("columns"), py::arg("values"), py::arg("n_features"),
             py::arg("exact") = py::none())
        .def_readonly("offsets", &SparseRows::offsets)
        .def_readonly("columns", &SparseRows::columns)
        .def_readonly("values", &SparseRows::values)
        .def_readonly("n_features", &SparseRows::n_features)
        .def_readonly("exact", &SparseRows::exact);
    py::class_<RawRows>(module, "RawRows")
        .def(py::init<py::array, py::object, py::object>(), py::arg("values"),
             py::arg("scales") = py::none(), py::arg("offsets") = py::none())
        .def_readonly("values", &RawRows::values)
        .def_readonly("scales", &RawRows::scales)
        .def_readonly("offsets", &RawRows::offsets);
    module.def("count_finite_rows32", &count_finite<float>, py::arg("X"));
    module.def("count_finite_rows64", &count_finite<double>, py::arg("X"));
    module.def("read_labels", &read_labels, py::arg("y"), py::arg("classes"),
               py::arg("out").noconvert());
    module.def("read_rows32", &read<float>, py::arg("X"));
    module.def("read_rows64", &read<double>, py::arg("X"));
}

}  // namespace fastmlp::bindings
