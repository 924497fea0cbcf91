/// Declarations shared by the binding files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "borrowed_features.hpp"
#include "fastmlp/trainer.hpp"
#include "gil.hpp"
#include "locked_network.hpp"
#include "training/options.hpp"

namespace fastmlp::bindings {

void bind_features(py::module_& module);
void bind_holds(py::module_& module);
void bind_network(py::module_& module);
void bind_networks(py::module_& module);
void bind_optimizer(py::module_& module);
void bind_trainer(py::module_& module);
void bind_train_many(py::module_& module);
void bind_config(py::module_& module);
void bind_files(py::module_& module);

/// The Python functions that `fit` calls, each None or a callable.
struct Callables {
    py::object learning_rate;  ///< (step) -> rate
    py::object on_epoch;       ///< (EpochReport) -> whether to stop
    py::object on_step;        ///< (step, loss) -> whether to stop
};

/// (rank, rows of each rank, add, shared, check) with `add(gradients, sums)`, which replaces both
/// arrays by the sums over all ranks, and the address of the memory that they share, or 0; or None.
/// `check(ended)` is called with True when a rank has ended, and must raise then; with False from
/// time to time.
using RanksOrNone = std::optional<
    std::tuple<std::size_t, std::vector<std::size_t>, py::object, std::uintptr_t, py::object>>;

/// With `is_step`, a prediction in another thread waits for the end. `conventions` may be null.
template <class T>
std::vector<EpochReport> fit(LockedNetwork<T>& model, py::handle x, const py::object& y,
                             py::object sample_weight, py::object order,
                             const TrainOptions& settings, const Callables& callables, bool is_step,
                             Conventions* conventions, const RanksOrNone& ranks);

/// `fit` on samples that need no conversion and with no Python between steps: (reports, number of
/// threads). None, and nothing has changed, if samples must be converted, copied or refused.
template <class T>
py::object fit_ready(LockedNetwork<T>& model, py::handle x, const py::object& y,
                     const TrainOptions& settings);

/// `next_block()` returns (X, y, sample_weight or None, whether it is the last of its epoch); y is
/// ignored if `loss` is a Python function. `rows` are those of an epoch, 0 if unknown.
template <class T>
std::vector<EpochReport> fit_stream(LockedNetwork<T>& model, const py::object& next_block,
                                    std::size_t rows, const py::object& loss,
                                    const TrainOptions& settings, const Callables& callables,
                                    const RanksOrNone& ranks);

/// (epoch, loss, learning_rate)
inline py::tuple arguments_of(const Diverged& diverged) {
    return py::make_tuple(diverged.epoch, diverged.loss, diverged.learning_rate);
}
/// A context manager: holds what `take` returns until the end of a `with` statement.
class Hold {
public:
    using Take = std::function<std::shared_ptr<void>(Unlocked&)>;

    /// `owner` is kept alive at least as long as what is held.
    Hold(py::object owner, Take take) : owner_(std::move(owner)), take_(std::move(take)) {}
    void enter() {
        Unlocked unlocked;
        held_ = take_(unlocked);
    }
    void leave() { held_.reset(); }

private:
    py::object owner_;
    Take take_;
    std::shared_ptr<void> held_;
};

template <class T>
void save_network(LockedNetwork<T>& model, const std::filesystem::path& path, bool allow_nonfinite);

/// (tensors, metadata) of the file that `save_network` would write; copies.
template <class T>
py::tuple network_archive(const LockedNetwork<T>& model);

/// (kind, first, second, steps): live views, None for a moment that the optimizer does not have.
template <class T>
py::tuple optimizer_state(const LockedNetwork<T>& model);
template <class T>
py::tuple moving_average(const LockedNetwork<T>& model);
template <class T>
void set_moving_average(LockedNetwork<T>& model, double decay, const py::object& parameters,
                        const py::object& statistics, std::uint64_t steps);
template <class T>
void set_optimizer_state(LockedNetwork<T>& model, Optimizer::Kind kind, const py::object& first,
                         const py::object& second, std::uint64_t steps);
template <class T>
void update_by(LockedNetwork<T>& model, const Optimizer& settings, double learning_rate,
               int n_threads);

/// The targets for the core of features and targets that need no conversion: labels in a new array,
/// others as they are. None if one must be converted or refused.
template <class T>
py::object ready_samples(const LockedNetwork<T>& model, py::handle x, const py::object& y);
/// The same before the features are searched for values that are not finite.
template <class T>
py::object unsearched_samples(const LockedNetwork<T>& model, py::handle x, const py::object& y);

/// Returns the loss, None for a gradient. `try_` returns NotImplemented for arrays that must be
/// converted or refused.
template <class T>
py::object try_train_on_batch(LockedNetwork<T>& model, py::handle x, py::handle y, bool is_gradient,
                              const Optimizer& optimizer, double learning_rate);
template <class T>
py::object train_on_batch(LockedNetwork<T>& model, py::handle x, const py::object& y,
                          py::object sample_weight, bool is_gradient, const Optimizer& optimizer,
                          double learning_rate, int n_threads);
/// The number of steps since the state of such an optimizer was zero.
template <class T>
std::uint64_t steps_of(const LockedNetwork<T>& model, const Optimizer& optimizer);

/// Raises ValueError if all batches of such a fit would be too small for batch normalisation; 0
/// rows means unknown.
template <class T>
void check_batches(const LockedNetwork<T>& model, std::size_t rows, py::object sample_weight,
                   py::object order, const TrainOptions& settings,
                   const std::vector<std::size_t>& of_ranks);

/// The number of threads that `fit` would use.
template <class T>
int threads_for(const LockedNetwork<T>& model, std::size_t batch_size, int n_threads,
                double density);

template <class T>
py::object predict(LockedNetwork<T>& model, py::handle x, py::object out, int n_threads);
/// (loss, correct, decisions, the same three of each head)
template <class T>
py::tuple evaluate(LockedNetwork<T>& model, py::handle x, const py::array& y,
                   py::object sample_weight, int n_threads);
template <class T>
py::array jacobian(LockedNetwork<T>& model, py::handle x, int n_threads);
template <class T>
py::array input_gradient(LockedNetwork<T>& model, py::handle x, const py::array& y, int n_threads);
/// The mean loss; its gradient is in `gradients` then, and the outputs are in `out`, if given.
template <class T>
double objective(LockedNetwork<T>& model, py::handle x, const py::object& y,
                 py::handle sample_weight, py::object out, int n_threads);
template <class T>
py::array hvp(LockedNetwork<T>& model, py::handle x, const py::array& y, py::object sample_weight,
              const py::array& v, int n_threads);

}  // namespace fastmlp::bindings
