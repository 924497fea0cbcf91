/// The training loop over epochs, blocks and steps, with its callbacks; and `train`, which checks
/// its arguments and runs the loop.
///
/// Over 400 lines, as `train` has a form for each kind of source, and the loop is private to them.
#include "fastmlp/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "checks/checks.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/thread_count.hpp"
#include "training/finite_features.hpp"
#include "training/options.hpp"
#include "training/pacer.hpp"
#include "training/shared_sums.hpp"
#include "training/source.hpp"
#include "training/step.hpp"
#include "training/step_of_one_row.hpp"
#include "training/step_path.hpp"
#include "training/step_rate.hpp"
#include "training/step_rows.hpp"
#include "training/team_trial.hpp"

namespace fastmlp {
namespace {

template <class T>
class Trainer {
public:
    Trainer(Network<T>& network, SampleSource<T>& source, const TrainOptions& options,
            Conventions& conventions)
        : network_(network), source_(source), samples_(source.samples()), options_(options),
          conventions_(conventions), step_rows_(source.rows(), source.batch(), options.ranks),
          batch_(step_rows_.most()), steps_per_epoch_(step_rows_.count()), trial_(trial()),
          team_(tasks_at_once(trial_.most(), options.executor), options.executor),
          most_members_(team_.size()),
          work_(network.layout(), network.layers(),
                std::max<std::size_t>(
                    2, rows_at_once(network, samples_.x.is_sparse, batch_, most_members_))),
          state_(network, conventions.roll_back, options.ema > 0, Parts(team_)),
          pass_(training_pass()),
          path_(choose_step_path(pass_, samples_, options, conventions, batch_, most_members_)),
          step_(network, pass_, samples_, state_, options, conventions, path_, most_members_),
          rate_factor_(options.rate_factor), block_start_(options.first_epoch * steps_per_epoch_),
          steps_before_(network.optimizer_state().steps),
          averaged_before_(network.moving_average().steps) {
        work_.input.expect(samples_.x, work_.capacity);
        if (path_.one_row) one_row_.emplace(pass_, state_.targets());
        state_.load();
    }

    std::vector<EpochReport> run();

private:
    Propagation<T> training_pass() {
        Propagation<T> pass(network_, state_.parameters(), work_);
        pass.reports_in_units = true;
        return pass;
    }
    TeamTrial trial() const;
    bool finds_infinite() {
        return !features_finite(network_, samples_.x.dense, Parts(team_),
                                [&] { check_interrupted(); });
    }
    EpochReport run_epoch(std::size_t epoch);
    std::size_t steps_of_block(bool ends_epoch) const;
    void run_block(bool ends_epoch);
    void end_epoch(EpochReport& report);
    std::size_t run_steps(std::size_t first, std::size_t last);
    std::size_t run_in_team(std::size_t first, std::size_t last);
    bool step(std::size_t index, Share share);
    void account(std::size_t rows);
    void end_step(std::size_t number);
    std::size_t steps_of_one_row(std::size_t first, std::size_t last);
    T step_of_one_row();
    void choose_rate(std::size_t number) {
        if (!rate_is_constant_ || number == epoch_start_) {
            rate_ = rate_of_step<T>(options_, number, steps_per_epoch_, rate_factor_);
        }
    }
    void store() {
        if (one_row_) one_row_->flush();
        state_.store();
        network_.optimizer_state().steps = steps_before_ + steps_done_;
        if (options_.ema > 0) network_.moving_average().steps = averaged_before_ + steps_done_;
    }
    void check_interrupted() const {
        if (options_.interrupted && options_.interrupted()) throw Interrupted();
    }

    Network<T>& network_;
    SampleSource<T>& source_;
    const Samples<T>& samples_;  ///< the current ones: of an epoch, or of a block of it
    const TrainOptions& options_;
    Conventions& conventions_;
    StepRows step_rows_;
    std::size_t batch_, steps_per_epoch_;  ///< the most samples of a step
    TeamTrial trial_;
    ThreadTeam team_;
    int most_members_;  ///< of any run
    Workspace<T> work_;
    TrainingState<T> state_;
    Propagation<T> pass_;
    StepPath path_;
    TrainingStep<T> step_;
    std::optional<StepOfOneRow<T>> one_row_;  ///< instead of `step_` if `takes_one_row`
    double rules_rate_ = -1;                  ///< the rate of its rules; none yet
    Pacer pacer_;
    double rate_ = 0, rate_factor_;  ///< of the current step; factor of all rates
    bool rate_is_constant_ =         ///< within an epoch
        !options_.learning_rate && options_.schedule.kind == Schedule::Kind::kConstant &&
        options_.schedule.warm_up == 0;
    /// Step numbers, one per batch: the first of the epoch and of the current samples.
    std::size_t epoch_start_ = 0, block_start_;
    std::uint64_t steps_before_, averaged_before_;
    std::uint64_t steps_done_ = 0;                ///< without batches whose weights are all 0
    double loss_ = 0, weight_ = 0, squares_ = 0;  ///< summed over this epoch so far
    std::vector<double> head_losses_ = std::vector<double>(pass_.heads.size());
    double step_loss_ = 0, step_weight_ = 0;
    bool stopped_ = false;  ///< by a callback
};

template <class T>
TeamTrial Trainer<T>::trial() const {
    const double of_features = density(samples_.x);
    const auto threads = [&](ThreadCost cost) {
        return threads_for_steps(network_.layout(), batch_, of_features, options_.n_threads, cost);
    };
    // A run on an executor costs too much to time a few steps, and steps of ranks wait for others.
    const bool cannot_be_timed = options_.executor || options_.ranks;
    if (exact_threads() || cannot_be_timed) return TeamTrial(threads(kStepCost));
    const auto epochs = static_cast<double>(options_.epochs - options_.first_epoch);
    return {threads(kStepCost), threads(kTrialCost),
            flops_per_step(network_.layout(), batch_, of_features),
            epochs * static_cast<double>(steps_per_epoch_)};
}

template <class T>
std::vector<EpochReport> Trainer<T>::run() {
    if (conventions_.searches_features && finds_infinite()) throw NotFinite();
    if (network_.workspace()) network_.workspace()->has_deltas = false;
    std::vector<EpochReport> reports;
    const std::size_t until = options_.until_epoch ? options_.until_epoch : options_.epochs;
    for (std::size_t epoch = options_.first_epoch; epoch < until && !stopped_; ++epoch) {
        std::optional<EpochReport> report;
        try {
            report = run_epoch(epoch);
        } catch (...) {
            store();
            throw;
        }
        store();
        const std::uint32_t undone = network_.epoch();
        network_.set_epoch(undone + 1);
        const bool is_last = epoch + 1 == until && !options_.on_epoch;
        if (!std::isfinite(report->loss) || !state_.save_if_finite(pass_.kernel, is_last)) {
            state_.restore();
            network_.set_epoch(undone);
            throw Diverged(epoch, report->loss, report->learning_rate);
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
    const auto start = std::chrono::steady_clock::now();
    loss_ = weight_ = squares_ = 0;
    std::fill(head_losses_.begin(), head_losses_.end(), 0.0);
    epoch_start_ = block_start_;
    source_.begin_epoch();
    for (bool ended = false; !ended && !stopped_;) {
        ended = source_.next(epoch);
        run_block(ended);
    }
    if (conventions_.report_squares) conventions_.squares = squares_;
    std::vector<double> head_losses;
    for (const double loss : head_losses_) head_losses.push_back(weighted_mean(loss, weight_));
    return {epoch,        weighted_mean(loss_, weight_), seconds_since(start), rate_,
            rate_factor_, std::move(head_losses)};
}

/// Of ranks, a block has all samples of this process for some steps of all of them.
template <class T>
std::size_t Trainer<T>::steps_of_block(bool ends_epoch) const {
    const std::size_t rows = samples_.count();
    if (!options_.ranks) return (rows + batch_ - 1) / batch_;
    const std::size_t first = block_start_ - epoch_start_, until = samples_.before + rows;
    const std::size_t after = ends_epoch ? steps_per_epoch_ : step_rows_.after(until, first);
    if (after == first || step_rows_.of(after - 1, rows).last != until) {
        throw std::invalid_argument("a block must hold the samples of whole steps");
    }
    return after - first;
}

/// Trains on the current samples.
template <class T>
void Trainer<T>::run_block(bool ends_epoch) {
    const std::size_t steps = steps_of_block(ends_epoch);
    for (std::size_t first = 0; first < steps && !stopped_;) {
        const std::size_t last = std::min(steps, first + pacer_.steps());
        const auto start = std::chrono::steady_clock::now();
        const std::size_t done = run_steps(first, last);
        first += done;
        pacer_.measured(done, seconds_since(start));
        if (first < steps || !ends_epoch) check_interrupted();
    }
    block_start_ += steps;
}

template <class T>
std::size_t Trainer<T>::run_steps(std::size_t first, std::size_t last) {
    if (takes_one_row(path_, samples_)) return steps_of_one_row(first, last);
    std::size_t next = first;
    while (next < last && !stopped_) {
        team_.limit(trial_.members());
        if (!team_.ready()) {  // alone step by step, so that the others can join
            next += run_in_team(next, next + 1);
            continue;
        }
        const auto start = std::chrono::steady_clock::now();
        const std::size_t done = run_in_team(next, std::min(last - next, trial_.steps()) + next);
        trial_.measured(done, seconds_since(start));
        next += done;
    }
    return next - first;
}

template <class T>
std::size_t Trainer<T>::run_in_team(std::size_t first, std::size_t last) {
    std::size_t done = 0;
    const auto size = static_cast<std::size_t>(team_.size());
    team_.run([&](int rank) {
        const Share share{static_cast<std::size_t>(rank), size};
        bool carry_on = true;
        std::size_t index = first;
        while (index < last && carry_on) carry_on = step(index++, share);
        if (rank == 0) done = index - first;
    });
    return done;
}

/// This thread's share of step `index` over the current samples. False if the team should rest
/// now, or if a callback stops the training.
template <class T>
bool Trainer<T>::step(std::size_t index, Share share) {
    const std::size_t number = block_start_ + index, of_epoch = number - epoch_start_;
    Range rows = step_rows_.of(index, samples_.count());
    if (options_.ranks) {
        const Range all = step_rows_.of(of_epoch, samples_.count());
        rows = {all.first - samples_.before, all.last - samples_.before};
    }
    const int rank = static_cast<int>(share.rank);
    if (rank == 0) choose_rate(number);
    const std::uint64_t trained = steps_before_ + steps_done_;
    const bool taken =
        step_.run(rows, step_rows_.ahead(of_epoch), rate_, trained + 1, team_, share);
    if (rank == 0 && taken) account(rows.size());
    const bool carry_on = team_.barrier(rank);
    if (options_.ema > 0 && taken) {
        state_.average(pass_.kernel, averaged_before_ + steps_done_, share);
        if (options_.on_step) team_.barrier(rank);
    }
    if (!taken || !options_.on_step) return carry_on;
    if (rank == 0) end_step(number);
    return team_.barrier(rank) && carry_on && !stopped_;
}

/// Adds the losses of this step and its number of rows, before the next step overwrites them.
template <class T>
void Trainer<T>::account(std::size_t rows) {
    step_loss_ = step_.loss();
    step_weight_ = step_.weight();
    // The mean over the batches weights each of them by its number of rows.
    const auto all = static_cast<double>(rows);
    const double share = conventions_.batch_means ? weighted_mean(all, step_weight_) : 1;
    loss_ += share * step_loss_;
    for (std::size_t i = 0; i < head_losses_.size(); ++i) {
        head_losses_[i] += share * step_.head_loss(i);
    }
    weight_ += conventions_.batch_means ? all : step_weight_;
    squares_ += share * step_.squares();
    ++steps_done_;
}

/// Makes the parameters current for a callback, which may also change them.
template <class T>
void Trainer<T>::end_step(std::size_t number) {
    store();
    stopped_ = options_.on_step({number, weighted_mean(step_loss_, step_weight_)});
    state_.load();
}

/// After an exception an update may still be deferred: `store` applies it.
template <class T>
std::size_t Trainer<T>::steps_of_one_row(std::size_t first, std::size_t last) {
    for (std::size_t index = first; index < last; ++index) {
        choose_rate(block_start_ + index);
        samples_.gather(pass_.kernel, index, one_row_->row(), {0, 1}, work_);
        RowPrefetcher prefetch = samples_.next_rows(index + 1, {0, 1});
        prefetch.spread_over(1);
        prefetch.advance();
        const T loss = step_of_one_row();
        loss_ += static_cast<double>(loss);
        for (std::size_t i = 0; i < head_losses_.size(); ++i) {
            head_losses_[i] += static_cast<double>(work_.head_losses[i][one_row_->last_row()]);
        }
        weight_ += 1;
        ++steps_done_;
    }
    one_row_->flush();  // before the next block's rows overwrite these
    return last - first;
}

template <class T>
T Trainer<T>::step_of_one_row() {
    const StepFacts facts{rate_, steps_before_ + steps_done_ + 1};
    // But for Adam's, rules change with the rate only.
    if (rate_ != rules_rate_ || options_.optimizer.kind == Optimizer::Kind::kAdam) {
        one_row_->use(step_rules<T>(options_.optimizer, facts, conventions_));
        rules_rate_ = rate_;
    }
    return one_row_->step(samples_.y);
}

template <class T>
std::vector<EpochReport> run(Network<T>& network, SampleSource<T> source,
                             const TrainOptions& options, Conventions& conventions) {
    check_trainable(network);
    check_options(source.rows(), network.epoch(), options);
    check_batches(network, source.rows(), source.samples().y.weights, options);
    const OptimizerState<T> before = network.optimizer_state();
    const MovingAverage<T> average_before = network.moving_average();
    network.prepare_optimizer(options.optimizer);
    if (options.ema > 0) network.prepare_moving_average(options.ema);
    const std::uint64_t steps = network.optimizer_state().steps;
    const IeeeDefaults ieee;
    try {
        return Trainer<T>(network, source, options, conventions).run();
    } catch (...) {
        // Checked before the first step, so that an error leaves the previous optimizer's state
        // intact.
        if (network.optimizer_state().steps == steps) {
            network.set_optimizer_state(before);
            network.set_moving_average(average_before);
        }
        throw;
    }
}

/// Tells ranks that share memory with this one when its training is over, however it ends, so that
/// none waits for it.
template <class T>
class EndForRanks {
public:
    explicit EndForRanks(const Ranks* ranks) : ranks_(ranks) {}
    ~EndForRanks() {
        if (ranks_ && ranks_->shared) SharedSums<T>::end(*ranks_);
    }
    EndForRanks(const EndForRanks&) = delete;
    EndForRanks& operator=(const EndForRanks&) = delete;

private:
    const Ranks* ranks_;
};

/// x is searched only once the loss was not finite, so that no other training pays for it.
template <class T>
std::vector<EpochReport> train_on(Network<T>& network, const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options) {
    const EndForRanks<T> end(options.ranks);
    check_targets(network, y, x.rows);
    check_content(network, y);
    Conventions conventions;
    try {
        return train_by(conventions, network, x, y, options);
    } catch (const Diverged&) {
        check_finite(checked_features(network, x), y.weights, options);
        throw;
    }
}

}  // namespace

Diverged::Diverged(std::size_t at_epoch, double its_loss, double last_rate)
    : std::runtime_error("the loss of epoch " + std::to_string(at_epoch) + " is " +
                         shortest(its_loss)),
      epoch(at_epoch), loss(its_loss), learning_rate(last_rate) {}

template <class T>
std::size_t shared_bytes(const Network<T>& network, std::size_t ranks) {
    const Ranks any{0, std::vector<std::size_t>(ranks), {}};
    return StoredUpdate<T>::shared_bytes(network, any) +
           SumsOfRanks<T>::bytes(any, network.layout());
}

template <class T>
int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads,
                     double density) {
    return threads_for_steps(network.layout(), batch_size, density, n_threads);
}

template <class T>
std::vector<EpochReport> train_by(Conventions& conventions, Network<T>& network,
                                  const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options) {
    const Features<T> features = checked_features(network, x);
    check_targets(network, y, x.rows);
    return run<T>(network, {network, features, y, options}, options, conventions);
}

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

template <class T>
std::vector<EpochReport> train(Network<T>& network, const RawView<T>& x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, const BlockSource<T>& blocks,
                               const TrainOptions& options) {
    const EndForRanks<T> end(options.ranks);
    Conventions conventions;
    return run<T>(network, {network, blocks, options}, options, conventions);
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template std::size_t shared_bytes(const Network<T>&, std::size_t);                            \
    template int training_threads(const Network<T>&, std::size_t, int, double);                   \
    template std::vector<EpochReport> train_by(Conventions&, Network<T>&, const Features<T>&,     \
                                               const Targets<T>&, const TrainOptions&);           \
    template std::vector<EpochReport> train(Network<T>&, MatrixView<const T>, const Targets<T>&,  \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const RawView<T>&, const Targets<T>&,    \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const SparseView<T>&, const Targets<T>&, \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const BlockSource<T>&,                   \
                                            const TrainOptions&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
