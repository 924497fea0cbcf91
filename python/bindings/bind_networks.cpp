/// Many networks over one buffer.
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "fastmlp/networks.hpp"
#include "gil.hpp"
#include "locked_network.hpp"

namespace fastmlp::bindings {
namespace {

/// The outputs (networks, rows, outputs) of the networks at `places`.
template <class T>
py::array predict(const Networks<T>& networks, const py::array& x,
                  const std::vector<std::size_t>& places) {
    const MatrixView<const T> rows = borrow<T>(require_ready<T>(x, 2, "X"));
    for (const std::size_t place : places) {
        if (place >= networks.count()) throw py::index_error("no such network");
    }
    if (rows.cols != networks.features()) throw py::value_error("X has other features");
    py::array_t<T> out({places.size(), rows.rows, networks.outputs()});
    T* const data = out.mutable_data();
    const Unlocked unlocked;
    networks.predict(rows, places, data);
    return out;
}

template <class T>
void bind(py::module_& module, const char* name) {
    py::class_<Networks<T>>(module, name)
        .def(py::init([](const LockedNetwork<T>& first, std::size_t count) {
                 const Interruptible interruptible;
                 return std::make_unique<Networks<T>>(first.network.copy(), count);
             }),
             py::arg("first"), py::arg("count"))
        .def_property_readonly("parameters",
                               [](const Networks<T>& networks) {
                                   const auto& buffer = networks.parameters();
                                   const std::size_t size = networks.size();
                                   return lend(buffer->data(), {networks.count(), size},
                                               {size * sizeof(T), sizeof(T)}, buffer, true);
                               })
        .def(
            "at",
            [](const Networks<T>& networks, std::size_t i, std::uint64_t seed) {
                return std::make_unique<LockedNetwork<T>>(networks.at(i, seed));
            },
            py::arg("i"), py::arg("seed"))
        .def_property_readonly("predicts_together", &Networks<T>::predicts_together)
        .def("predict", &predict<T>, py::arg("X"), py::arg("places"));
}

}  // namespace

void bind_networks(py::module_& module) {
    bind<float>(module, "Networks32");
    bind<double>(module, "Networks64");
}

}  // namespace fastmlp::bindings
