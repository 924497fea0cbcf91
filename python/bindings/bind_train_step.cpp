/// One step on a batch, and samples that need no conversion. What is called a hundred thousand
/// times a second looks at its arrays here, and leaves those that are not ready to Python.
#include "bindings.hpp"
#include "checks/allowed_targets.hpp"
#include "checks/finite.hpp"
#include "custom_loss.hpp"

namespace fastmlp::bindings {
namespace {

Optimizer with_rate(Optimizer optimizer, double learning_rate) {
    optimizer.learning_rate = learning_rate;
    return optimizer;
}

template <class T>
TrainStep<T>& step_of(LockedNetwork<T>& model, int n_threads) {
    if (!model.train_step) model.train_step.emplace(model.network);
    model.train_step->set_threads(n_threads);
    return *model.train_step;
}

/// Targets that the core can take from Python's memory; `wide` are labels to be narrowed first.
template <class T>
struct ReadyTargets {
    Targets<T> y;
    const std::int64_t* wide = nullptr;
};

/// Labels of type L; none if one is out of range.
template <class L, class T>
const L* ready_labels(const Network<T>& network, const py::array& array) {
    const auto outputs = static_cast<L>(network.outputs());
    const auto* labels = static_cast<const L*>(array.data());
    const bool fit = std::all_of(labels, labels + array.shape(0),
                                 [&](L label) { return label >= 0 && label < outputs; });
    return fit ? labels : nullptr;
}

/// The targets, or none if they need Python's conversion or its words.
template <class T>
std::optional<ReadyTargets<T>> ready_targets(const Network<T>& network, py::handle y,
                                             bool is_gradient) {
    const Loss loss = network.loss();
    if (!is_gradient && (loss.kind == Loss::kCustom || loss.kind == Loss::kHeads)) return {};
    const bool takes_labels = !is_gradient && loss.kind == Loss::kCrossEntropy;
    const bool one_column = network.outputs() == 1 && !takes_labels && is_ready<T>(y, 1);
    if (one_column || is_ready<T>(y, 2)) {
        const auto values = py::reinterpret_borrow<py::array>(y);
        const std::size_t columns = one_column ? 1 : static_cast<std::size_t>(values.shape(1));
        if (columns != network.outputs()) return {};
        const auto* first = static_cast<const T*>(values.data());
        const auto allowed = is_gradient ? Allowed<T>{} : allowed_by<T>(loss);
        if (!allowed.holds(first, static_cast<std::size_t>(values.size()))) return {};
        const MatrixView<const T> view{first, static_cast<std::size_t>(values.shape(0)), columns,
                                       columns};
        return {{is_gradient ? Targets<T>::of_gradient(view) : Targets<T>::of_values(view)}};
    }
    const bool narrow = is_ready<std::int32_t>(y, 1);
    if (!takes_labels) return {};
    if (!narrow && !is_ready<std::int64_t>(y, 1)) return {};
    const auto array = py::reinterpret_borrow<py::array>(y);
    const auto rows = static_cast<std::size_t>(array.shape(0));
    if (narrow) {
        const auto* labels = ready_labels<std::int32_t>(network, array);
        if (labels == nullptr) return {};
        return {{Targets<T>::of_labels(labels, rows)}};
    }
    const auto* wide = ready_labels<std::int64_t>(network, array);
    if (wide == nullptr) return {};
    return {{Targets<T>::of_labels(nullptr, rows), wide}};
}

/// A copy of labels, which no callback can change.
template <class L>
py::object copied_labels(const L* labels, std::size_t rows) {
    py::array_t<std::int32_t> copy(static_cast<py::ssize_t>(rows));
    std::copy_n(labels, rows, copy.mutable_data());
    return copy;
}

}  // namespace

template <class T>
py::object unsearched_samples(const LockedNetwork<T>& model, py::handle x, const py::object& y) {
    constexpr py::ssize_t kMostBytes = 1 << 26;  // of targets, whose checks are not interrupted
    if (!is_ready<T>(x, 2)) return py::none();
    const MatrixView<const T> features = borrow<T>(py::reinterpret_borrow<py::array>(x));
    if (features.cols != model.network.features() || features.rows == 0) return py::none();
    if (!py::isinstance<py::array>(y) || py::array(y).nbytes() > kMostBytes) return py::none();
    const std::optional<ReadyTargets<T>> targets = ready_targets(model.network, y, false);
    if (!targets || targets->y.rows != features.rows) return py::none();
    // Labels are copied before other threads run, which may change them.
    if (targets->wide) return copied_labels(targets->wide, features.rows);
    if (targets->y.labels) return copied_labels(targets->y.labels, features.rows);
    if (py::array(y).ndim() == 2) return y;
    return y.attr("reshape")(features.rows, 1);
}

template <class T>
py::object ready_samples(const LockedNetwork<T>& model, py::handle x, const py::object& y) {
    py::object targets = unsearched_samples(model, x, y);
    if (targets.is_none()) return targets;
    const MatrixView<const T> features = borrow<T>(py::reinterpret_borrow<py::array>(x));
    bool finite = false;
    {
        const std::shared_ptr<Buffer<T>> scaling = model.network.input_scaling();
        const std::size_t count = features.rows * features.cols;
        const Interruptible interruptible;
        finite = count_finite(features.data, count, ColumnScaling<T>(scaling.get()),
                              features.cols) == count;
    }
    return finite ? targets : py::none();
}

template <class T>
py::object try_train_on_batch(LockedNetwork<T>& model, py::handle x, py::handle y, bool is_gradient,
                              const Optimizer& optimizer, double learning_rate) {
    const auto not_ready = [] { return py::reinterpret_borrow<py::object>(Py_NotImplemented); };
    if (!is_ready<T>(x, 2)) return not_ready();
    const auto features = py::reinterpret_borrow<py::array>(x);
    const auto rows = static_cast<std::size_t>(features.shape(0));
    const bool fits = static_cast<std::size_t>(features.shape(1)) == model.network.features();
    if (!fits || rows == 0) return not_ready();
    std::optional<ReadyTargets<T>> targets = ready_targets(model.network, y, is_gradient);
    if (!targets || targets->y.rows != rows) return not_ready();
    const MatrixView<const T> x_view = borrow<T>(features);
    bool finite = false;
    double loss = 0;
    {
        Unlocked unlocked;  // all arrays are held by the caller's frame
        const Writing writing(model, Access::kStep, unlocked);
        finite = reads_finite(model.network, x_view);
        if (finite) {
            if (targets->wide) {
                model.labels.assign(targets->wide, targets->wide + rows);
                targets->y.labels = model.labels.data();
            }
            loss = step_of(model, 0).run(x_view, targets->y, with_rate(optimizer, learning_rate));
        }
    }
    if (!finite) return not_ready();
    return is_gradient ? py::object(py::none()) : py::object(py::float_(loss));
}

template <class T>
py::object train_on_batch(LockedNetwork<T>& model, py::handle x, const py::object& y,
                          py::object sample_weight, bool is_gradient, const Optimizer& optimizer,
                          double learning_rate, int n_threads) {
    const BorrowedFeatures<T> features(x);
    const py::array weights =
        sample_weight.is_none() ? py::array() : require_ready<T>(sample_weight, 1, "sample_weight");
    const bool custom = PyCallable_Check(y.ptr()) != 0;
    const std::size_t rows = features.rows();
    PythonLoss<T> python_loss(y, custom ? rows : 0, model.network.outputs());
    CustomLoss<T> ask;
    Targets<T> targets = custom ? with_weights(Targets<T>::of_function(ask, rows), weights)
                                : borrow_targets<T>(y, weights);
    targets.is_gradient = is_gradient;
    double loss = 0;
    {
        Unlocked unlocked;
        ask = [&](const LossBatch<T>& batch) { python_loss(unlocked, batch); };
        const Writing writing(model, Access::kStep, unlocked);
        TrainStep<T>& step = step_of(model, n_threads);
        loss = features.with([&](const auto& view) {
            return step.run(view, targets, with_rate(optimizer, learning_rate));
        });
    }
    return is_gradient ? py::object(py::none()) : py::object(py::float_(loss));
}

template <class T>
std::uint64_t steps_of(const LockedNetwork<T>& model, const Optimizer& optimizer) {
    const Reading reading(model);
    const Network<T>& network = model.network;
    return network.has_state_for(optimizer) ? network.optimizer_state().steps : 0;
}

#define FASTMLP_INSTANTIATE(T)                                                                 \
    template py::object unsearched_samples(const LockedNetwork<T>&, py::handle,                \
                                           const py::object&);                                 \
    template py::object ready_samples(const LockedNetwork<T>&, py::handle, const py::object&); \
    template py::object try_train_on_batch(LockedNetwork<T>&, py::handle, py::handle, bool,    \
                                           const Optimizer&, double);                          \
    template py::object train_on_batch(LockedNetwork<T>&, py::handle, const py::object&,       \
                                       py::object, bool, const Optimizer&, double, int);       \
    template std::uint64_t steps_of(const LockedNetwork<T>&, const Optimizer&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp::bindings
