/// What the binding files share.
#pragma once

#include <filesystem>

#include "arrays.hpp"
#include "gil.hpp"
#include "kernels/dispatch.hpp"
#include "model.hpp"

namespace fastmlp::bindings {

void bind_network(py::module_& module);
void bind_trainer(py::module_& module);
void bind_config(py::module_& module);
void bind_kernels(py::module_& module);
void bind_files(py::module_& module);

/// Per epoch (mean loss, seconds).
template <class T>
std::vector<std::pair<double, double>> fit(Model<T>& model, py::handle x, const py::array& y,
                                           py::object order, std::size_t epochs,
                                           std::size_t batch_size, double learning_rate,
                                           bool shuffle, int n_threads, py::object on_epoch);

template <class T>
void save_network(Model<T>& model, const std::filesystem::path& path);

/// Threads that `fit` would use.
template <class T>
int threads_for(const Model<T>& model, std::size_t batch_size, int n_threads);

/// Whether outputs for x may be written to `out`: of the right shape, writeable, and apart from x
/// and from the parameters they are computed from.
template <class T>
bool takes_outputs(const py::array& out, const py::array& x, const Network<T>& network) {
    const auto meets = [&](const void* data, std::size_t bytes) {
        const auto* a = static_cast<const char*>(out.data());
        const auto* b = static_cast<const char*>(data);
        return a < b + bytes && b < a + out.nbytes();
    };
    const Buffer<T>& parameters = *network.parameters();
    return out.writeable() && out.shape(0) == x.shape(0) &&
           static_cast<std::size_t>(out.shape(1)) == network.outputs() &&
           !meets(x.data(), static_cast<std::size_t>(x.nbytes())) &&
           !meets(parameters.data(), parameters.size() * sizeof(T));
}

}  // namespace fastmlp::bindings
