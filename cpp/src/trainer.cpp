#include "fastmlp/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "executor.hpp"
#include "fastmlp/random.hpp"
#include "ieee_defaults.hpp"
#include "inference.hpp"
#include "kernels/dispatch.hpp"
#include "pacer.hpp"
#include "single_row.hpp"
#include "thread_limits.hpp"
#include "training_step.hpp"

namespace fastmlp {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Work of one step in flops: forward, gradient, and backward for all layers but the first.
/// Of the features a share of `density` is stored.
double flops_per_step(const Layout& layout, std::size_t batch, double density) {
    double products = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        products += static_cast<double>(layout[i].weights.size()) * (i == 0 ? 2 * density : 3);
    }
    return 2.0 * static_cast<double>(batch) * products;
}

/// A thread pays from this much work and this many rows a step: below, the barriers and the lines
/// of weights that move between cores cost more than it brings.
constexpr double kFlopsPerThread = 0.4e6;
constexpr double kRowsPerThread = 8;

/// As many threads as pay for the work of a step.
int threads_worth(const Layout& layout, std::size_t batch_size, double density, int n_threads) {
    const int allowed = threads_allowed(n_threads);
    if (exact_threads()) return allowed;
    const double worth = std::min(flops_per_step(layout, batch_size, density) / kFlopsPerThread,
                                  static_cast<double>(batch_size) / kRowsPerThread);
    return static_cast<int>(std::clamp(worth, 1.0, static_cast<double>(allowed)));
}

/// The share of the features that is stored.
template <class T>
double density(const Features<T>& x) {
    return x.is_sparse ? static_cast<double>(x.sparse.count) / static_cast<double>(x.rows) /
                             static_cast<double>(x.cols)
                       : 1;
}

template <class T>
class Trainer {
public:
    Trainer(Network<T>& network, const Features<T>& x, const Targets<T>& y,
            const TrainOptions& options)
        : network_(network), samples_{x, y}, options_(options),
          batch_(std::min(options.batch_size, x.rows)),
          steps_per_epoch_((x.rows + batch_ - 1) / batch_),
          team_(
              tasks_at_once(threads_worth(network.layout(), batch_, density(x), options.n_threads),
                            options.executor),
              options.executor),
          scratch_(static_cast<std::size_t>(team_.size())),
          work_(network.layout(), network.layers(), std::max<std::size_t>(2, batch_)),
          state_(network), pass_(network, state_.parameters(), work_),
          step_(network, pass_, samples_, state_, options, team_.size()),
          rate_factor_(options.rate_factor), steps_before_(network.optimizer_state().steps) {
        if (x.is_sparse) work_.expect_sparse(scratch_.size());
        if (serves_single_rows()) single_.emplace(pass_, state_.targets());
        if (options.shuffle && !options.order) shuffled_.resize(x.rows);
        state_.load();
    }

    std::vector<EpochReport> run();

private:
    EpochReport run_epoch(std::size_t epoch);
    void end_epoch(EpochReport& report);
    std::size_t run_steps(std::size_t first, std::size_t last);
    bool step(std::size_t index, Share share, Scratch<T>& scratch);
    void account();
    void end_step(std::size_t number);
    std::size_t single_steps(std::size_t first, std::size_t last);
    void choose_rate(std::size_t number);
    const std::uint32_t* order_of(std::size_t epoch);
    void store() {
        state_.store();
        network_.optimizer_state().steps = steps_before_ + steps_done_;
    }
    void check_interrupted() const {
        if (options_.interrupted && options_.interrupted()) throw Interrupted();
    }
    bool serves_single_rows() const {
        const Optimizer& optimizer = options_.optimizer;
        return batch_ == 1 && team_.size() == 1 && !samples_.x.is_sparse &&
               SingleRow<T>::serves(network_.layers()) && !samples_.y.weights &&
               !options_.on_step && !options_.report_squares && options_.gradient_scale == 1 &&
               options_.loss_limit == TrainOptions::kUnlimited &&
               optimizer.clip_norm == Optimizer::kUnlimited &&
               step_rules<T>(optimizer, {}).weights.plain();
    }

    Network<T>& network_;
    Samples<T> samples_;
    const TrainOptions& options_;
    std::size_t batch_, steps_per_epoch_;
    ThreadTeam team_;
    std::vector<Scratch<T>> scratch_;
    Workspace<T> work_;
    TrainedState<T> state_;
    Propagation<T> pass_;
    TrainingStep<T> step_;
    std::optional<SingleRow<T>> single_;  ///< instead of `step_` where it serves
    Pacer pacer_;
    std::vector<std::uint32_t> shuffled_;
    double rate_ = 0, rate_factor_;  ///< of the step at hand; on all rates
    bool rate_is_constant_ =         ///< inside an epoch
        !options_.learning_rate && options_.schedule.kind == Schedule::Kind::kConstant &&
        options_.schedule.warm_up == 0;
    std::size_t epoch_start_ = 0;  ///< the number of the epoch's first step
    std::uint64_t steps_before_, steps_done_ = 0;
    double loss_ = 0, weight_ = 0, squares_ = 0;  ///< summed over this epoch so far
    double step_loss_ = 0, step_weight_ = 0;
    bool stopped_ = false;  ///< a callback said so
};

template <class T>
std::vector<EpochReport> Trainer<T>::run() {
    std::vector<EpochReport> reports;
    for (std::size_t epoch = options_.first_epoch; epoch < options_.epochs && !stopped_; ++epoch) {
        std::optional<EpochReport> report;
        try {
            report = run_epoch(epoch);
        } catch (...) {
            store();
            throw;
        }
        store();
        network_.set_epoch(network_.epoch() + 1);
        if (!std::isfinite(report->loss) || !state_.save_if_finite(pass_.kernel)) {
            state_.restore();
            throw Diverged(epoch, report->loss);
        }
        check_interrupted();
        end_epoch(*report);
        reports.push_back(*report);
    }
    return reports;
}

template <class T>
void Trainer<T>::end_epoch(EpochReport& report) {
    if (!options_.on_epoch) return;
    stopped_ = options_.on_epoch(report) || stopped_;
    rate_factor_ = report.rate_factor;
    state_.load();
}

template <class T>
EpochReport Trainer<T>::run_epoch(std::size_t epoch) {
    const auto start = Clock::now();
    samples_.order = order_of(epoch);
    loss_ = weight_ = squares_ = 0;
    epoch_start_ = epoch * steps_per_epoch_;
    for (std::size_t first = 0; first < steps_per_epoch_ && !stopped_;) {
        const std::size_t last = std::min(steps_per_epoch_, first + pacer_.steps());
        const auto chunk_start = Clock::now();
        const std::size_t done = run_steps(first, last);
        first += done;
        pacer_.measured(done, seconds_since(chunk_start));
        if (first < steps_per_epoch_) check_interrupted();
    }
    return {epoch,       weighted_mean(loss_, weight_), seconds_since(start), rate_, squares_,
            rate_factor_};
}

template <class T>
std::size_t Trainer<T>::run_steps(std::size_t first, std::size_t last) {
    if (single_) return single_steps(first, last);
    std::size_t done = 0;
    const auto size = static_cast<std::size_t>(team_.size());
    team_.run([&](int rank) {
        const Share share{static_cast<std::size_t>(rank), size};
        bool carry_on = true;
        std::size_t index = first;
        while (index < last && carry_on) carry_on = step(index++, share, scratch_[share.rank]);
        if (rank == 0) done = index - first;
    });
    return done;
}

/// Step `index` of the epoch, this thread's share. False if the team had better rest now, or a
/// callback wants to stop.
template <class T>
bool Trainer<T>::step(std::size_t index, Share share, Scratch<T>& scratch) {
    const std::size_t first = index * batch_, batch = std::min(batch_, samples_.count() - first);
    const std::size_t number = epoch_start_ + index;
    const int rank = static_cast<int>(share.rank);
    if (rank == 0) choose_rate(number);
    const std::size_t trained = number - options_.first_epoch * steps_per_epoch_;
    step_.run(first, batch, rate_, steps_before_ + trained + 1, team_, share, scratch);
    if (rank == 0) account();
    const bool carry_on = team_.barrier(rank);
    if (!options_.on_step) return carry_on;
    if (rank == 0) end_step(number);
    return team_.barrier(rank) && carry_on && !stopped_;
}

/// Before the next step overwrites them: this one's losses.
template <class T>
void Trainer<T>::account() {
    step_loss_ = add_losses(0.0, work_);
    step_weight_ = weight_sum(samples_.y, work_);
    // A mean over the batches is a sum in which each of them weighs as much as it has rows.
    const auto rows = static_cast<double>(work_.batch);
    const double share = options_.batch_means ? weighted_mean(rows, step_weight_) : 1;
    loss_ += share * step_loss_;
    weight_ += options_.batch_means ? rows : step_weight_;
    squares_ += share * step_.squares();
    ++steps_done_;
}

/// The parameters exact for a callback, which may write them.
template <class T>
void Trainer<T>::end_step(std::size_t number) {
    store();
    stopped_ = options_.on_step({number, weighted_mean(step_loss_, step_weight_)});
    state_.load();
}

template <class T>
std::size_t Trainer<T>::single_steps(std::size_t first, std::size_t last) {
    for (std::size_t index = first; index < last; ++index) {
        choose_rate(epoch_start_ + index);
        samples_.gather(index, single_->row(), {0, 1}, work_);
        RowPrefetcher<T> prefetch = samples_.next_rows(index + 1, {0, 1});
        prefetch.spread_over(1);
        prefetch.advance();
        const T loss = single_->step(samples_.y, static_cast<T>(rate_), scratch_[0]);
        loss_ += static_cast<double>(loss);
    }
    single_->flush(scratch_[0]);
    weight_ += static_cast<double>(last - first);
    steps_done_ += last - first;
    return last - first;
}

template <class T>
void Trainer<T>::choose_rate(std::size_t number) {
    if (rate_is_constant_ && number != epoch_start_) return;
    if (options_.learning_rate) {
        rate_ = options_.learning_rate(number) * rate_factor_;
    } else {
        const double factor =
            schedule_factor(options_.schedule, {number, steps_per_epoch_, options_.epochs});
        rate_ = options_.optimizer.learning_rate * factor * rate_factor_;
    }
    if (rate_ >= 0 && std::isfinite(static_cast<T>(rate_))) return;
    throw std::invalid_argument("the learning rate of step " + std::to_string(number) +
                                " must be at least 0 and finite, got " + std::to_string(rate_));
}

template <class T>
const std::uint32_t* Trainer<T>::order_of(std::size_t epoch) {
    if (options_.order) return options_.order + epoch % options_.order_rows * samples_.count();
    if (!options_.shuffle) return nullptr;
    draw_order(network_.seed(), network_.epoch(), shuffled_.data(), shuffled_.size());
    return shuffled_.data();
}

template <class T>
void check_options(const Features<T>& x, const TrainOptions& options) {
    if (x.rows == 0) throw std::invalid_argument("x has 0 rows; training needs at least one");
    if (x.rows > UINT32_MAX) throw std::invalid_argument("x has more than 2^32 - 1 rows");
    if (options.batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
    check_optimizer(options.optimizer);
    check_schedule(options.schedule);
    if (options.first_epoch > options.epochs) {
        throw std::invalid_argument("first_epoch must be at most epochs");
    }
    if (options.order) {
        const std::uint32_t* end = options.order + options.order_rows * x.rows;
        if (options.order_rows == 0 ||
            std::any_of(options.order, end, [&](std::uint32_t i) { return i >= x.rows; })) {
            throw std::invalid_argument("order must hold indices of rows of x");
        }
    }
}

}  // namespace

Diverged::Diverged(std::size_t at_epoch, double its_loss)
    : std::runtime_error("the loss of epoch " + std::to_string(at_epoch) + " is " +
                         std::to_string(its_loss)),
      epoch(at_epoch), loss(its_loss) {}

Interrupted::Interrupted() : std::runtime_error("interrupted") {}

template <class T>
int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads) {
    return threads_worth(network.layout(), batch_size, 1, n_threads);
}

namespace {

template <class T>
std::vector<EpochReport> train_on(Network<T>& network, const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options) {
    check_features(network.features(), x);
    check_targets(network, y, x.rows);
    check_options(x, options);
    network.prepare_optimizer(options.optimizer);
    const IeeeDefaults ieee;
    return Trainer<T>(network, x, y, options).run();
}

}  // namespace

template <class T>
std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, const SparseView<T>& x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template int training_threads(const Network<float>&, std::size_t, int);
template int training_threads(const Network<double>&, std::size_t, int);
template std::vector<EpochReport> train(Network<float>&, MatrixView<const float>,
                                        const Targets<float>&, const TrainOptions&);
template std::vector<EpochReport> train(Network<double>&, MatrixView<const double>,
                                        const Targets<double>&, const TrainOptions&);
template std::vector<EpochReport> train(Network<float>&, const SparseView<float>&,
                                        const Targets<float>&, const TrainOptions&);
template std::vector<EpochReport> train(Network<double>&, const SparseView<double>&,
                                        const Targets<double>&, const TrainOptions&);

}  // namespace fastmlp
