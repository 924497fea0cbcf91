/// Features that are no ndarray of the network's type: sparse, or of another type or layout.
#include "bindings.hpp"

namespace fastmlp::bindings {
namespace {

/// Bytes between two looks at whether Ctrl-C came.
constexpr std::size_t kBlockBytes = std::size_t{1} << 26;

/// Calls f(first, part) for blocks of rows, without the GIL, until it returns false.
template <class T, class F>
void for_each_block(const RawView<T>& x, F f) {
    const std::size_t bytes = std::max<std::size_t>(1, x.cols * sizeof(T));
    const std::size_t block = std::max<std::size_t>(1, kBlockBytes / bytes);
    bool carry_on = true;
    for (std::size_t first = 0; first < x.rows && carry_on; first += block) {
        {
            const Unlocked unlocked;
            carry_on = f(first, x.of_rows(first, std::min(block, x.rows - first)));
        }
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    }
}

template <class T>
std::size_t count_finite(const RawRows& rows) {
    std::size_t count = 0;
    for_each_block(raw_view<T>(rows), [&](std::size_t, const RawView<T>& part) {
        const std::size_t finite = count_finite_rows(part);
        count += finite;
        return finite == part.rows;
    });
    return count;
}

template <class T>
py::array read(const RawRows& rows) {
    const RawView<T> x = raw_view<T>(rows);
    py::array_t<T> result({x.rows, x.cols});
    T* out = result.mutable_data();
    for_each_block(x, [&](std::size_t first, const RawView<T>& part) {
        read_rows(part, MatrixView<T>{out + first * x.cols, part.rows, x.cols, x.cols});
        return true;
    });
    return result;
}

}  // namespace

void bind_features(py::module_& module) {
    py::class_<SparseRows>(module, "SparseRows")
        .def(py::init<py::array, py::array, py::array, std::size_t>(), py::arg("offsets"),
             py::arg("columns"), py::arg("values"), py::arg("n_features"))
        .def_readonly("offsets", &SparseRows::offsets)
        .def_readonly("columns", &SparseRows::columns)
        .def_readonly("values", &SparseRows::values)
        .def_readonly("n_features", &SparseRows::n_features);
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
