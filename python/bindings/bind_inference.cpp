/// Inference: outputs, losses, derivatives. No arithmetic here.
#include "bindings.hpp"
#include "checks/finite.hpp"
#include "custom_loss.hpp"

namespace fastmlp::bindings {
namespace {

/// Checks that outputs for x can be written to `out`: right shape, writeable, no overlap with x or
/// with the parameters.
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

/// Multiply-adds of a call that is too short to need interrupts.
constexpr std::size_t kQuick = std::size_t{1} << 24;

/// Predicts checked rows, into `out` if it is given.
template <class T>
py::object predict_checked(LockedNetwork<T>& model, py::handle x, const py::object& out,
                           int n_threads) {
    const BorrowedFeatures<T> features(x);
    py::array result = out.is_none()
                           ? py::array(new_result<T>({features.rows(), model.network.outputs()}))
                           : require_ready<T>(out, 2, "out");
    const MatrixView<T> target = borrow_mutable<T>(result);
    Interruptible interruptible;
    const Predicting<T> predicting(model, interruptible.unlocked());
    features.with([&](const auto& view) { predicting.network().predict(view, target, n_threads); });
    return result;
}

}  // namespace

/// Reads x in place; NotImplemented if it must be converted, which `fastmlp.Network.predict` then
/// does, as `fastmlp.data.copying` decides.
template <class T>
py::object predict(LockedNetwork<T>& model, py::handle x, py::object out, int n_threads) {
    if (!is_ready<T>(x, 2) || !(out.is_none() || is_ready<T>(out, 2))) {
        if (py::isinstance<SparseRows>(x) || py::isinstance<RawRows>(x)) {
            return predict_checked(model, x, out, n_threads);
        }
        return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    }
    const Network<T>& network = model.network;
    const auto features = py::reinterpret_borrow<py::array>(x);
    const MatrixView<const T> view = borrow<T>(features);
    const std::size_t count = view.rows * view.cols;
    if (view.cols != network.features()) {
        return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    }
    if (!out.is_none() &&
        !takes_outputs(py::reinterpret_borrow<py::array>(out), features, network)) {
        return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    }
    py::array result = out.is_none() ? py::array(new_result<T>({view.rows, network.outputs()}))
                                     : py::reinterpret_borrow<py::array>(out);
    const MatrixView<T> target = borrow_mutable<T>(result);
    // Releasing the GIL would cost more than such a small product.
    if (count < 4096 && view.rows * network.layout().size() < kQuick) {
        if (const Access::Glance glance(model.access); glance) {
            if (!reads_finite(network, view)) {
                return py::reinterpret_borrow<py::object>(Py_NotImplemented);
            }
            network.predict(view, target, n_threads);
            return result;
        }
    }
    bool finite = false;
    {
        Interruptible interruptible;
        const Predicting<T> predicting(model, interruptible.unlocked());
        finite = reads_finite(predicting.network(), view);
        if (finite) predicting.network().predict(view, target, n_threads);
    }
    return finite ? py::object(result) : py::reinterpret_borrow<py::object>(Py_NotImplemented);
}

template <class T>
py::tuple evaluate(LockedNetwork<T>& model, py::handle x, const py::array& y,
                   py::object sample_weight, int n_threads) {
    const BorrowedFeatures<T> features(x);
    const py::array weights =
        sample_weight.is_none() ? py::array() : require_ready<T>(sample_weight, 1, "sample_weight");
    const Targets<T> targets = borrow_targets<T>(y, weights);
    require_memory("the losses of the samples",
                   static_cast<double>(features.rows()) * (sizeof(T) + sizeof(std::size_t)));
    Evaluation result;
    {
        Interruptible interruptible;
        const Predicting<T> predicting(model, interruptible.unlocked());
        result = features.with([&](const auto& view) {
            return predicting.network().evaluate(view, targets, n_threads);
        });
    }
    py::list heads;
    for (const Evaluation& head : result.heads) {
        heads.append(py::make_tuple(head.loss, head.correct, head.decisions));
    }
    return py::make_tuple(result.loss, result.correct, result.decisions, heads);
}

template <class T>
py::array jacobian(LockedNetwork<T>& model, py::handle x, int n_threads) {
    const BorrowedFeatures<T> features(x);
    const std::size_t outputs = model.network.outputs(), k = model.network.features();
    py::array_t<T> result = new_result<T>({features.rows(), outputs, k});
    const MatrixView<T> out{result.mutable_data(), features.rows() * outputs, k, k};
    Interruptible interruptible;
    const Predicting<T> predicting(model, interruptible.unlocked());
    features.with_dense(
        [&](const auto& view) { predicting.network().jacobian(view, out, n_threads); });
    return result;
}

template <class T>
py::array input_gradient(LockedNetwork<T>& model, py::handle x, const py::array& y, int n_threads) {
    const BorrowedFeatures<T> features(x);
    const Targets<T> targets = borrow_targets<T>(y);
    py::array result = new_result<T>({features.rows(), model.network.features()});
    const MatrixView<T> out = borrow_mutable<T>(result);
    Interruptible interruptible;
    const Predicting<T> predicting(model, interruptible.unlocked());
    features.with_dense([&](const auto& view) {
        predicting.network().input_gradient(view, targets, out, n_threads);
    });
    return result;
}

/// All arrays are held by the caller's frame.
template <class T>
double objective(LockedNetwork<T>& model, py::handle x, const py::object& y,
                 py::handle sample_weight, py::object out, int n_threads) {
    const BorrowedFeatures<T> features(x);
    BorrowedTargets<T> given(y, sample_weight, features.rows(), model.network.outputs());
    MatrixView<T> outputs;
    if (!out.is_none()) {
        py::array ready = require_ready<T>(out, 2, "out");
        outputs = borrow_mutable<T>(ready);
    }
    Interruptible interruptible;
    given.release(interruptible.unlocked());
    const Writing writing(model, Access::kStep, interruptible.unlocked());
    if (!model.objective) model.objective.emplace(model.network);
    double loss = 0;
    features.with_dense([&](const auto& view) {
        loss = model.objective->compute(view, given.targets, outputs, n_threads);
    });
    return loss;
}

/// Not beside a training: the product is that of the weights as they are. All arrays are held by
/// the caller's frame.
template <class T>
py::array hvp(LockedNetwork<T>& model, py::handle x, const py::array& y, py::object sample_weight,
              const py::array& v, int n_threads) {
    const BorrowedFeatures<T> features(x);
    const py::array weights =
        sample_weight.is_none() ? py::array() : require_ready<T>(sample_weight, 1, "sample_weight");
    const Targets<T> targets = borrow_targets<T>(y, weights);
    const py::array given = require_ready<T>(v, 1, "v");
    const auto size = static_cast<std::size_t>(given.size());
    const std::span<const T> direction(static_cast<const T*>(given.data()), size);
    py::array_t<T> result = new_result<T>({size});
    const std::span<T> out(result.mutable_data(), size);
    Interruptible interruptible;
    const Writing writing(model, Access::kStep, interruptible.unlocked());
    if (!model.hessian_product) model.hessian_product.emplace(model.network);
    features.with_dense([&](const auto& view) {
        model.hessian_product->compute(view, targets, direction, out, n_threads);
    });
    return result;
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template py::object predict(LockedNetwork<T>&, py::handle, py::object, int);                   \
    template py::tuple evaluate(LockedNetwork<T>&, py::handle, const py::array&, py::object, int); \
    template py::array jacobian(LockedNetwork<T>&, py::handle, int);                               \
    template py::array input_gradient(LockedNetwork<T>&, py::handle, const py::array&, int);       \
    template double objective(LockedNetwork<T>&, py::handle, const py::object&, py::handle,        \
                              py::object, int);                                                    \
    template py::array hvp(LockedNetwork<T>&, py::handle, const py::array&, py::object,            \
                           const py::array&, int);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp::bindings
