/// Training: the GIL is released once, and taken back for the callback and for signals.
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "fastmlp/trainer.hpp"

namespace fastmlp::bindings {
namespace {

PyObject* diverged_error = nullptr;  // owned by the module

bool stop_after(Unlocked& unlocked, const py::object& on_epoch, const EpochReport& report) {
    const Unlocked::Locked gil(unlocked);
    return py::bool_(on_epoch(report.epoch, report.loss, report.seconds));
}

/// Only Python knows whether Ctrl-C came; its exception carries on through the trainer.
bool check_signals(Unlocked& unlocked) {
    const Unlocked::Locked gil(unlocked);
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    return false;
}

}  // namespace

template <class T>
std::vector<std::pair<double, double>> fit(Model<T>& model, py::handle x, const py::array& y,
                                           py::object order, std::size_t epochs,
                                           std::size_t batch_size, double learning_rate,
                                           bool shuffle, int n_threads, py::object on_epoch) {
    const py::array features = require_ready<T>(x, 2, "X");
    const Targets<T> targets = borrow_targets<T>(y);
    TrainOptions options;
    options.epochs = epochs;
    options.batch_size = batch_size;
    options.optimizer.learning_rate = learning_rate;
    options.shuffle = shuffle;
    options.n_threads = n_threads;
    if (!order.is_none()) {
        const py::array orders = require_ready<std::uint32_t>(order, 2, "order");
        if (orders.shape(1) != features.shape(0)) {
            throw py::value_error("order must have one column per row of X");
        }
        options.order = static_cast<const std::uint32_t*>(orders.data());
        options.order_rows = static_cast<std::size_t>(orders.shape(0));
    }

    std::vector<EpochReport> reports;
    {
        Unlocked unlocked;  // all arrays are borrowed and held by this frame
        if (!on_epoch.is_none()) {
            options.on_epoch = [&](const EpochReport& report) {
                return stop_after(unlocked, on_epoch, report);
            };
        }
        options.interrupted = [&] { return check_signals(unlocked); };
        const Writing<T> writing(model);
        reports = train(model.network, borrow<T>(features), targets, options);
    }
    std::vector<std::pair<double, double>> result;
    for (const EpochReport& report : reports) result.emplace_back(report.loss, report.seconds);
    return result;
}

template <class T>
int threads_for(const Model<T>& model, std::size_t batch_size, int n_threads) {
    return training_threads(model.network, batch_size, n_threads);
}

#define FASTMLP_INSTANTIATE(T)                                                                   \
    template int threads_for(const Model<T>&, std::size_t, int);                                 \
    template std::vector<std::pair<double, double>> fit(Model<T>&, py::handle, const py::array&, \
                                                        py::object, std::size_t, std::size_t,    \
                                                        double, bool, int, py::object);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

void bind_trainer(py::module_& module) {
    diverged_error = PyErr_NewExceptionWithDoc("fastmlp._core.DivergedError",
                                               "An epoch's loss was not finite: (epoch, loss).",
                                               PyExc_ArithmeticError, nullptr);
    module.attr("DivergedError") = py::reinterpret_steal<py::object>(diverged_error);
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const Diverged& diverged) {
            PyErr_SetObject(diverged_error, py::make_tuple(diverged.epoch, diverged.loss).ptr());
        }
    });
}

}  // namespace fastmlp::bindings
