/// The optimizer's settings, and its state for a network.
#include <pybind11/native_enum.h>

#include "bindings.hpp"

namespace fastmlp::bindings {
namespace {

template <class T>
py::object lend_state(const std::shared_ptr<Buffer<T>>& buffer) {
    if (!buffer) return py::none();
    return lend(buffer->data(), {buffer->size()}, {sizeof(T)}, buffer, true);
}

template <class T>
std::shared_ptr<Buffer<T>> own_state(const py::object& values, std::size_t size) {
    if (values.is_none()) return nullptr;
    const py::array array = require_ready<T>(values, 1, "optimizer state");
    if (static_cast<std::size_t>(array.size()) != size) {
        throw py::value_error("optimizer state must have one element per parameter");
    }
    auto buffer = std::make_shared<Buffer<T>>(size);
    std::copy_n(static_cast<const T*>(array.data()), size, buffer->data());
    return buffer;
}

}  // namespace

template <class T>
py::tuple optimizer_state(const LockedNetwork<T>& model) {
    const Reading reading(model);
    const OptimizerState<T>& state = model.network.optimizer_state();
    return py::make_tuple(state.kind, lend_state(state.first), lend_state(state.second),
                          state.steps);
}

template <class T>
void set_optimizer_state(LockedNetwork<T>& model, Optimizer::Kind kind, const py::object& first,
                         const py::object& second, std::uint64_t steps) {
    const std::size_t size = model.network.layout().size();
    OptimizerState<T> state{kind, own_state<T>(first, size), own_state<T>(second, size), steps};
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    model.network.set_optimizer_state(std::move(state));
}

template <class T>
py::tuple moving_average(const LockedNetwork<T>& model) {
    const Reading reading(model);
    const MovingAverage<T>& average = model.network.moving_average();
    return py::make_tuple(average.decay, lend_state(average.parameters),
                          lend_state(average.statistics), average.steps);
}

template <class T>
void set_moving_average(LockedNetwork<T>& model, double decay, const py::object& parameters,
                        const py::object& statistics, std::uint64_t steps) {
    const Layout& layout = model.network.layout();
    MovingAverage<T> average{decay, own_state<T>(parameters, layout.size()),
                             own_state<T>(statistics, layout.statistics_size()), steps};
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    model.network.set_moving_average(std::move(average));
}

template <class T>
void update_by(LockedNetwork<T>& model, const Optimizer& settings, double learning_rate,
               int n_threads) {
    Optimizer optimizer = settings;
    optimizer.learning_rate = learning_rate;
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    model.network.update(optimizer, n_threads);
}

#define FASTMLP_INSTANTIATE(T)                                                               \
    template py::tuple optimizer_state(const LockedNetwork<T>&);                             \
    template void set_optimizer_state(LockedNetwork<T>&, Optimizer::Kind, const py::object&, \
                                      const py::object&, std::uint64_t);                     \
    template py::tuple moving_average(const LockedNetwork<T>&);                              \
    template void set_moving_average(LockedNetwork<T>&, double, const py::object&,           \
                                     const py::object&, std::uint64_t);                      \
    template void update_by(LockedNetwork<T>&, const Optimizer&, double, int);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

void bind_optimizer(py::module_& module) {
    using Kind = Optimizer::Kind;
    py::native_enum<Kind>(module, "OptimizerKind", "enum.Enum")
        .value("SGD", Kind::kSgd)
        .value("ADAM", Kind::kAdam)
        .value("RMSPROP", Kind::kRmsprop)
        .finalize();
    py::class_<Optimizer>(module, "Optimizer")
        .def(py::init())
        .def_readwrite("kind", &Optimizer::kind)
        .def_readwrite("learning_rate", &Optimizer::learning_rate)
        .def_readwrite("momentum", &Optimizer::momentum)
        .def_readwrite("nesterov", &Optimizer::nesterov)
        .def_readwrite("beta_1", &Optimizer::beta_1)
        .def_readwrite("beta_2", &Optimizer::beta_2)
        .def_readwrite("rho", &Optimizer::rho)
        .def_readwrite("epsilon", &Optimizer::epsilon)
        .def_readwrite("l1", &Optimizer::l1)
        .def_readwrite("l2", &Optimizer::l2)
        .def_readwrite("weight_decay", &Optimizer::weight_decay)
        .def_readwrite("clip_value", &Optimizer::clip_value)
        .def_readwrite("clip_norm", &Optimizer::clip_norm)
        .def_readwrite("decay_biases", &Optimizer::decay_biases);
}

}  // namespace fastmlp::bindings
