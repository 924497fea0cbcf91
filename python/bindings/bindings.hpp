/// What the binding files share.
#pragma once

#include <filesystem>

#include "arrays.hpp"
#include "fastmlp/trainer.hpp"
#include "gil.hpp"
#include "kernels/dispatch.hpp"
#include "model.hpp"

namespace fastmlp::bindings {

void bind_network(py::module_& module);
void bind_optimizer(py::module_& module);
void bind_trainer(py::module_& module);
void bind_train_many(py::module_& module);
void bind_config(py::module_& module);
void bind_kernels(py::module_& module);
void bind_files(py::module_& module);

/// What `fit` asks and tells Python on its way, each None or a callable.
struct Callables {
    py::object learning_rate;  ///< (step) -> rate
    py::object on_epoch;       ///< (EpochReport) -> whether to stop
    py::object on_step;        ///< (step, loss) -> whether to stop
};

template <class T>
std::vector<EpochReport> fit(Model<T>& model, py::handle x, const py::object& y,
                             py::object sample_weight, py::object order,
                             const TrainOptions& settings, const Callables& callables);

template <class T>
void save_network(Model<T>& model, const std::filesystem::path& path);

/// (tensors, metadata) of the file that `save_network` would write; copies.
template <class T>
py::tuple network_archive(const Model<T>& model);

/// (kind, first, second, steps): live views, None where the optimizer keeps nothing.
template <class T>
py::tuple optimizer_state(const Model<T>& model);
template <class T>
void set_optimizer_state(Model<T>& model, Optimizer::Kind kind, const py::object& first,
                         const py::object& second, std::uint64_t steps);
template <class T>
void update_by(Model<T>& model, const Optimizer& optimizer);

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
