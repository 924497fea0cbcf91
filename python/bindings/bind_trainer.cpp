/// Training: the GIL is released once, and acquired again for callbacks and signals.
#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <functional>

#include "bindings.hpp"
#include "custom_loss.hpp"
#include "epoch_reports.hpp"
#include "fastmlp/trainer.hpp"
#include "threads/thread_count.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"

namespace fastmlp::bindings {
namespace {

PyObject* diverged_error = nullptr;  // owned by the module

bool stop_after(Unlocked& unlocked, const py::object& on_epoch, EpochReport& report) {
    const Unlocked::Locked gil(unlocked);
    const py::object passed = py::cast(report);
    const bool stop = py::bool_(call_python(on_epoch, passed));
    report.rate_factor = passed.cast<EpochReport&>().rate_factor;
    return stop;
}

/// The settings, with callbacks that call Python's callables.
TrainOptions with_callbacks(const TrainOptions& settings, const Callables& callables,
                            Unlocked& unlocked) {
    TrainOptions options = settings;
    if (!callables.learning_rate.is_none()) {
        options.learning_rate = [&](std::size_t step) {
            const Unlocked::Locked gil(unlocked);
            return call_python(callables.learning_rate, step).cast<double>();
        };
    }
    if (!callables.on_epoch.is_none()) {
        options.on_epoch = [&](EpochReport& report) {
            return stop_after(unlocked, callables.on_epoch, report);
        };
    }
    if (!callables.on_step.is_none()) {
        options.on_step = [&](const StepReport& report) -> bool {
            const Unlocked::Locked gil(unlocked);
            return py::bool_(call_python(callables.on_step, report.step, report.loss));
        };
    }
    options.interrupted = [&] {  // signals such as Ctrl-C are handled by Python
        check_signals(unlocked);
        return false;
    };
    return options;
}

/// Other ranks, whose part of a step Python's `add` adds in place.
template <class T>
Ranks with_python(const RanksOrNone& given, Unlocked& unlocked) {
    if (!given) return {};
    const auto& [rank, rows, add, shared, check] = *given;
    return {rank, rows,
            [&](void* gradients, std::size_t count, std::vector<double>& sums) {
                const Unlocked::Locked gil(unlocked);
                const py::capsule borrowed(gradients, [](void*) {});
                call_python(add, py::array_t<T>(count, static_cast<T*>(gradients), borrowed),
                            py::array_t<double>(sums.size(), sums.data(), borrowed));
            },
            reinterpret_cast<void*>(shared),
            [&] {
                const Unlocked::Locked gil(unlocked);
                call_python(check, true);
            }};
}

/// Lets `options` train with the other ranks, if any are given.
void join(TrainOptions& options, const Ranks& with_ranks, const RanksOrNone& given,
          Unlocked& unlocked) {
    if (!given) return;
    options.ranks = &with_ranks;
    options.interrupted = [&] {
        check_signals(unlocked);
        const Unlocked::Locked gil(unlocked);
        call_python(std::get<4>(*given), false);
        return false;
    };
}

/// The settings, with an order of samples kept alive by Python.
TrainOptions with_order(const TrainOptions& settings, const py::object& order, std::size_t rows) {
    TrainOptions options = settings;
    if (order.is_none()) return options;
    const py::array orders = require_ready<std::uint32_t>(order, 2, "order");
    if (static_cast<std::size_t>(orders.shape(1)) != rows) {
        throw py::value_error("order must have one column per row of X");
    }
    options.order = static_cast<const std::uint32_t*>(orders.data());
    options.order_rows = static_cast<std::size_t>(orders.shape(0));
    return options;
}

void bind_schedule(py::module_& module) {
    using Shape = Schedule::Kind;
    py::native_enum<Shape>(module, "ScheduleKind", "enum.Enum")
        .value("CONSTANT", Shape::kConstant)
        .value("STEP", Shape::kStep)
        .value("EXPONENTIAL", Shape::kExponential)
        .value("COSINE", Shape::kCosine)
        .value("ONE_CYCLE", Shape::kOneCycle)
        .value("INVERSE", Shape::kInverse)
        .finalize();
    py::class_<Schedule>(module, "Schedule")
        .def(py::init())
        .def_readwrite("kind", &Schedule::kind)
        .def_readwrite("factor", &Schedule::factor)
        .def_readwrite("every", &Schedule::every)
        .def_readwrite("final", &Schedule::final)
        .def_readwrite("initial", &Schedule::initial)
        .def_readwrite("rise", &Schedule::rise)
        .def_readwrite("power", &Schedule::power)
        .def_readwrite("warm_up", &Schedule::warm_up)
        .def_readwrite("shift", &Schedule::shift)
        .def_readwrite("total_epochs", &Schedule::total_epochs)
        .def(
            "factor_at",
            [](const Schedule& s, std::size_t step, std::size_t steps_per_epoch,
               std::size_t epochs) {
                return schedule_factor(s,
                                       {step, std::max<std::size_t>(1, steps_per_epoch), epochs});
            },
            py::arg("step"), py::arg("steps_per_epoch"), py::arg("epochs"));
}

void bind_options(py::module_& module) {
    py::class_<TrainOptions>(module, "TrainOptions")
        .def(py::init())
        .def_readwrite("epochs", &TrainOptions::epochs)
        .def_readwrite("batch_size", &TrainOptions::batch_size)
        .def_readwrite("optimizer", &TrainOptions::optimizer)
        .def_readwrite("schedule", &TrainOptions::schedule)
        .def_readwrite("rate_factor", &TrainOptions::rate_factor)
        .def_readwrite("ema", &TrainOptions::ema)
        .def_readwrite("first_epoch", &TrainOptions::first_epoch)
        .def_readwrite("until_epoch", &TrainOptions::until_epoch)
        .def_readwrite("shuffle", &TrainOptions::shuffle)
        .def_readwrite("n_threads", &TrainOptions::n_threads);
    py::class_<Conventions>(module, "Conventions")
        .def(py::init())
        .def_readwrite("gradient_scale", &Conventions::gradient_scale)
        .def_readwrite("batch_means", &Conventions::batch_means)
        .def_readwrite("loss_limit", &Conventions::loss_limit)
        .def_readwrite("roll_back", &Conventions::roll_back)
        .def_readwrite("report_squares", &Conventions::report_squares)
        .def_readonly("squares", &Conventions::squares)
        .def_readwrite("penalty_per_sample", &Conventions::penalty_per_sample)
        .def_readwrite("velocity_holds_rate", &Conventions::velocity_holds_rate)
        .def_readwrite("uncorrected_epsilon", &Conventions::uncorrected_epsilon);
    py::class_<EpochReport>(module, "EpochReport")
        .def_readonly("epoch", &EpochReport::epoch)
        .def_readonly("loss", &EpochReport::loss)
        .def_readonly("seconds", &EpochReport::seconds)
        .def_readonly("learning_rate", &EpochReport::learning_rate)
        .def_readonly("head_losses", &EpochReport::head_losses)
        .def_readwrite("rate_factor", &EpochReport::rate_factor);
}

}  // namespace

template <class T>
std::vector<EpochReport> fit(LockedNetwork<T>& model, py::handle x, const py::object& y,
                             py::object sample_weight, py::object order,
                             const TrainOptions& settings, const Callables& callables, bool is_step,
                             Conventions* conventions, const RanksOrNone& ranks) {
    const BorrowedFeatures<T> features(x);
    const py::array weights =
        sample_weight.is_none() ? py::array() : require_ready<T>(sample_weight, 1, "sample_weight");
    const std::size_t rows = features.rows();
    const bool custom = PyCallable_Check(y.ptr()) != 0;
    PythonLoss<T> loss(y, custom ? std::min(rows, settings.batch_size) : 0,
                       model.network.outputs());
    CustomLoss<T> ask;
    const Targets<T> targets = custom ? with_weights(Targets<T>::of_function(ask, rows), weights)
                                      : borrow_targets<T>(y, weights);
    const TrainOptions ordered = with_order(settings, order, rows);
    Unlocked unlocked;  // all arrays are borrowed and held by this frame
    TrainOptions options = with_callbacks(ordered, callables, unlocked);
    const Ranks with_ranks = with_python<T>(ranks, unlocked);
    join(options, with_ranks, ranks, unlocked);
    ask = [&](const LossBatch<T>& batch) { loss(unlocked, batch); };
    const Writing writing(model, is_step ? Access::kStep : Access::kTraining, unlocked);
    Conventions none;
    Conventions& by = conventions ? *conventions : none;
    return features.with(
        [&](const auto& view) { return train_by<T>(by, model.network, view, targets, options); });
}

namespace {

/// Whether an array may be a view of the weights, which would change in training.
template <class T>
bool shares_weights(const LockedNetwork<T>& model, const py::array& values) {
    const Buffer<T>& parameters = *model.network.parameters();
    const auto* const first = static_cast<const T*>(values.data());
    const std::less<const T*> before;
    return before(first, parameters.data() + parameters.size()) &&
           before(parameters.data(), first + values.size());
}

/// Wakes the threads that steps will need, so that they help with what comes before these. Where
/// that is not certain they are woken later.
template <class T>
void call_threads(const Network<T>& network, std::size_t batch, int n_threads) {
    const ThreadTeam called(threads_for_steps(network.layout(), batch, 1, n_threads, kStepCost));
}

}  // namespace

template <class T>
py::object fit_ready(LockedNetwork<T>& model, py::handle x, const py::object& y,
                     const TrainOptions& settings) {
    const py::object ready = unsearched_samples(model, x, y);
    if (ready.is_none()) return ready;
    const auto features = py::reinterpret_borrow<py::array>(x);
    const auto of_rows = py::reinterpret_borrow<py::array>(ready);
    if (shares_weights(model, features)) return py::none();
    if (of_rows.ndim() == 2 && shares_weights(model, of_rows)) return py::none();
    const MatrixView<const T> view = borrow<T>(features);
    const std::size_t batch = std::min(settings.batch_size, view.rows);
    call_threads(model.network, batch, settings.n_threads);
    const Targets<T> targets = borrow_targets<T>(ready);
    const int threads = training_threads(model.network, batch, settings.n_threads, 1);
    const Callables none{py::none(), py::none(), py::none()};  // only Python's lock may count them
    std::vector<EpochReport> reports;
    try {
        Unlocked unlocked;  // all arrays are held by this frame
        const TrainOptions options = with_callbacks(settings, none, unlocked);
        const Writing writing(model, Access::kTraining, unlocked);
        Conventions conventions;
        conventions.searches_features = true;
        reports = train_by<T>(conventions, model.network, view, targets, options);
    } catch (const NotFinite&) {
        return py::none();
    }
    return py::make_tuple(EpochReports{std::move(reports)}, threads);
}

namespace {

/// A block from Python; keeps alive what it borrows.
template <class T>
class BorrowedBlock {
public:
    BorrowedBlock() = default;
    ~BorrowedBlock() { release(); }
    BorrowedBlock(const BorrowedBlock&) = delete;
    BorrowedBlock& operator=(const BorrowedBlock&) = delete;

    /// The next block of a stream; targets of a custom loss are known to `ask` only.
    Block<T> take(const py::object& next_block, const CustomLoss<T>& ask) {
        auto next = call_python(next_block).template cast<py::tuple>();
        release();
        arrays_ = std::move(next);
        if (arrays_.size() != 4) throw py::value_error("a block must be (X, y, weight, last)");
        const py::object weight = arrays_[2];
        const py::array weights =
            weight.is_none() ? py::array() : require_ready<T>(weight, 1, "sample_weight");
        const MatrixView<const T> x = borrow<T>(require_ready<T>(arrays_[0], 2, "X"));
        const Targets<T> y = ask ? with_weights(Targets<T>::of_function(ask, x.rows), weights)
                                 : borrow_targets<T>(arrays_[1], weights);
        return {x, y, arrays_[3].template cast<bool>(), true};
    }

private:
    /// With the GIL, because the arrays may have finalizers in Python.
    void release() noexcept {
        never_unwind([this] { arrays_.release().dec_ref(); });
    }

    py::tuple arrays_;
};

}  // namespace

template <class T>
std::vector<EpochReport> fit_stream(LockedNetwork<T>& model, const py::object& next_block,
                                    std::size_t rows, const py::object& loss,
                                    const TrainOptions& settings, const Callables& callables,
                                    const RanksOrNone& ranks) {
    PythonLoss<T> python_loss(loss, loss.is_none() ? 0 : settings.batch_size,
                              model.network.outputs());
    CustomLoss<T> ask;
    BorrowedBlock<T> block;
    Unlocked unlocked;
    TrainOptions options = with_callbacks(settings, callables, unlocked);
    const Ranks with_ranks = with_python<T>(ranks, unlocked);
    join(options, with_ranks, ranks, unlocked);
    if (!loss.is_none()) ask = [&](const LossBatch<T>& batch) { python_loss(unlocked, batch); };
    const BlockSource<T> blocks{[&] {
                                    const Unlocked::Locked gil(unlocked);
                                    return block.take(next_block, ask);
                                },
                                rows};
    const Writing writing(model, Access::kTraining, unlocked);
    return train(model.network, blocks, options);
}

template <class T>
void check_batches(const LockedNetwork<T>& model, std::size_t rows, py::object sample_weight,
                   py::object order, const TrainOptions& settings,
                   const std::vector<std::size_t>& of_ranks) {
    const py::array weights =
        sample_weight.is_none() ? py::array() : require_ready<T>(sample_weight, 1, "sample_weight");
    const T* values = sample_weight.is_none() ? nullptr : static_cast<const T*>(weights.data());
    if (values && static_cast<std::size_t>(weights.shape(0)) != rows) {
        throw py::value_error("sample_weight must have one element per row");
    }
    TrainOptions options = with_order(settings, order, rows);
    const Ranks ranks{0, of_ranks, {}};
    if (!of_ranks.empty()) options.ranks = &ranks;
    fastmlp::check_batches(model.network, rows, values, options);
}

template <class T>
int threads_for(const LockedNetwork<T>& model, std::size_t batch_size, int n_threads,
                double density) {
    return training_threads(model.network, batch_size, n_threads, density);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template int threads_for(const LockedNetwork<T>&, std::size_t, int, double);                   \
    template void check_batches(const LockedNetwork<T>&, std::size_t, py::object, py::object,      \
                                const TrainOptions&, const std::vector<std::size_t>&);             \
    template std::vector<EpochReport> fit(                                                         \
        LockedNetwork<T>&, py::handle, const py::object&, py::object, py::object,                  \
        const TrainOptions&, const Callables&, bool, Conventions*, const RanksOrNone&);            \
    template py::object fit_ready(LockedNetwork<T>&, py::handle, const py::object&,                \
                                  const TrainOptions&);                                            \
    template std::vector<EpochReport> fit_stream(                                                  \
        LockedNetwork<T>&, const py::object&, std::size_t, const py::object&, const TrainOptions&, \
        const Callables&, const RanksOrNone&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

void bind_trainer(py::module_& module) {
    bind_schedule(module);
    bind_options(module);
    diverged_error =
        PyErr_NewExceptionWithDoc("fastmlp._core.DivergedError",
                                  "An epoch's loss was not finite: (epoch, loss, learning_rate).",
                                  PyExc_ArithmeticError, nullptr);
    module.attr("DivergedError") = py::reinterpret_steal<py::object>(diverged_error);
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const Diverged& diverged) {
            PyErr_SetObject(diverged_error, arguments_of(diverged).ptr());
        }
    });
}

}  // namespace fastmlp::bindings
