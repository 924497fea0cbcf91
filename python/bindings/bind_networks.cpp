/// Many networks over one buffer.
#include "bindings.hpp"
#include "fastmlp/networks.hpp"
#include "gil.hpp"
#include "locked_network.hpp"

namespace fastmlp::bindings {
namespace {

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
            py::arg("i"), py::arg("seed"));
}

}  // namespace

void bind_networks(py::module_& module) {
    bind<float>(module, "Networks32");
    bind<double>(module, "Networks64");
}

}  // namespace fastmlp::bindings
