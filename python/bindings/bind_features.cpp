/// Features that are not an ndarray of the network's type: sparse, or of another type or layout.
#include "bindings.hpp"

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
    module.def("read_rows32", &read<float>, py::arg("X"));
    module.def("read_rows64", &read<double>, py::arg("X"));
}

}  // namespace fastmlp::bindings
