#include "fastmlp/train_step.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "checks/checks.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/thread_count.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"
#include "training/step.hpp"

namespace fastmlp {

template <class T>
class TrainStep<T>::Impl {
public:
    Impl(Network<T>& network, int threads, const Executor* executor)
        : n_threads(threads), network_(network), executor_(executor) {}

    double run(const Features<T>& x, const Targets<T>& y, const Optimizer& optimizer) {
        const Features<T> features = checked_features(network_, x);
        check_step_targets(network_, y, x.rows);
        check_step_optimizer(optimizer);
        check_trainable(network_);
        if (x.rows == 0) throw std::invalid_argument("x must have at least one row");
        const IeeeDefaults ieee;
        const OptimizerState<T> before = network_.optimizer_state();
        network_.prepare_optimizer(optimizer);
        try {
            return step(features, y, optimizer);
        } catch (...) {  // there was none: what another optimizer remembered is still good
            network_.set_optimizer_state(before);
            room_.reset();  // its threads stopped anywhere in the step
            throw;
        }
    }

    int n_threads;

private:
    /// What steps need, for as many rows and threads as there were so far.
    struct Room {
        Room(Network<T>& network, const Samples<T>& samples, const TrainOptions& options,
             const Conventions& conventions, std::size_t its_rows, int its_threads)
            : rows(its_rows), threads(its_threads),
              clipped(options.optimizer.clip_norm != Optimizer::kUnlimited),
              optimizer_state(network.optimizer_state()), layers(network.layers()),
              output_scaling(network.output_scaling()), loss_weights(network.loss_weights()),
              state(network),
              work(network.layout(), network.layers(),
                   std::max<std::size_t>(
                       2, rows_at_once(network, samples.x.is_sparse, rows, threads))),
              pass(network, state.parameters(), work),
              path(choose_step_path(pass, samples, options, conventions, rows, threads)),
              step(network, pass, samples, state, options, conventions, path, threads) {}

        /// Whether it serves such a batch, and the moments are still where it found them.
        bool serves(const Network<T>& network, const Optimizer& optimizer, std::size_t its_rows,
                    bool is_sparse, int needed) const {
            const OptimizerState<T>& current = network.optimizer_state();
            const bool same_layers =
                std::equal(layers.begin(), layers.end(), network.layers().begin(),
                           [](const Layer& a, const Layer& b) {
                               return a.trainable == b.trainable && a.rate_factor == b.rate_factor;
                           });
            return same_layers && output_scaling == network.output_scaling() &&
                   loss_weights == network.loss_weights() && its_rows <= rows &&
                   needed <= threads && clipped == (optimizer.clip_norm != Optimizer::kUnlimited) &&
                   current.first == optimizer_state.first &&
                   current.second == optimizer_state.second && (!is_sparse || takes_sparse(path));
        }

        std::size_t rows;  ///< of a batch
        int threads;
        bool clipped;
        OptimizerState<T> optimizer_state;
        std::vector<Layer> layers;  ///< which of them are trained, and how fast
        std::shared_ptr<Buffer<T>> output_scaling, loss_weights;
        PackedState<T> state;
        Workspace<T> work;
        Propagation<T> pass;
        StepPath path;
        TrainingStep<T> step;
    };

    /// Room for the batch, which is at hand then.
    Room& prepare(const Features<T>& x, const Targets<T>& y, int threads) {
        samples_ ? samples_->take(x, y) : static_cast<void>(samples_.emplace(x, y));
        samples_->before = network_.position_;
        samples_->epoch = network_.epoch();
        const Optimizer& optimizer = options_.optimizer;
        if (!room_ || !room_->serves(network_, optimizer, x.rows, x.is_sparse, threads)) {
            const std::size_t most = room_ ? std::max(x.rows, room_->rows) : x.rows;
            const int team = room_ ? std::max(threads, room_->threads) : threads;
            room_.reset();
            room_.emplace(network_, *samples_, options_, conventions_, most, team);
        }
        room_->work.input.expect(x, room_->work.capacity);
        return *room_;
    }

    double step(const Features<T>& x, const Targets<T>& y, const Optimizer& optimizer) {
        options_.optimizer = optimizer;
        const int worth = threads_worth(flops_per_step(network_.layout(), x.rows, density(x)),
                                        x.rows, kPassCost, n_threads);
        const bool alone = worth == 1 || (ThreadTeam::resting() && !exact_threads());
        ThreadTeam team(alone ? 1 : tasks_together(worth), alone ? nullptr : executor_,
                        &meeting_place_);
        Room& room = prepare(x, y, team.size());
        room.state.load();
        const std::uint64_t number = network_.optimizer_state().steps + 1;
        bool taken = false;
        const auto size = static_cast<std::size_t>(team.size());
        team.run([&](int rank) {
            const Share share{static_cast<std::size_t>(rank), size};
            const bool did =
                room.step.run({0, x.rows}, 0, optimizer.learning_rate, number, team, share);
            if (rank == 0) taken = did;
        });
        network_.position_ += x.rows;
        if (!taken) return 0;
        room.state.store();
        network_.optimizer_state().steps = number;
        network_.changed();
        return weighted_mean(room.step.loss(), room.step.weight());
    }

    /// At most n tasks that run concurrently: the executor is tried once.
    int tasks_together(int n) {
        if (n > tried_) {
            together_ = tasks_at_once(n, executor_);
            tried_ = n;
        }
        return std::min(n, together_);
    }

    Network<T>& network_;
    const Executor* executor_;
    int tried_ = 0, together_ = 1;
    ThreadTeam::MeetingPlace meeting_place_;
    TrainOptions options_;  ///< of which a step reads the optimizer
    Conventions conventions_;
    std::optional<Samples<T>> samples_;
    std::optional<Room> room_;
};

template <class T>
TrainStep<T>::TrainStep(Network<T>& network, int n_threads, const Executor* executor)
    : impl_(std::make_unique<Impl>(network, n_threads, executor)) {}

template <class T>
TrainStep<T>::~TrainStep() = default;

template <class T>
TrainStep<T>::TrainStep(TrainStep&&) noexcept = default;

template <class T>
TrainStep<T>& TrainStep<T>::operator=(TrainStep&&) noexcept = default;

template <class T>
double TrainStep<T>::run(MatrixView<const T> x, const Targets<T>& y, const Optimizer& optimizer) {
    return impl_->run(x, y, optimizer);
}

template <class T>
double TrainStep<T>::run(const RawView<T>& x, const Targets<T>& y, const Optimizer& optimizer) {
    return impl_->run(x, y, optimizer);
}

template <class T>
double TrainStep<T>::run(const SparseView<T>& x, const Targets<T>& y, const Optimizer& optimizer) {
    return impl_->run(x, y, optimizer);
}

template <class T>
void TrainStep<T>::set_threads(int n_threads) {
    impl_->n_threads = n_threads;
}

template class TrainStep<float>;
template class TrainStep<double>;

}  // namespace fastmlp
