/// Networks of one shape that are trained side by side, one in each lane of a vector, with the bits
/// that each has by itself: `lane_key` says which may be, `may_follow` which of them may take the
/// lane of another one that has ended. Over 400 lines, as it is one class.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checks/checks.hpp"
#include "fastmlp/random.hpp"
#include "fastmlp/trainer.hpp"
#include "kernels/dispatch.hpp"
#include "lanes/arrays.hpp"
#include "lanes/norm.hpp"
#include "lanes/pass.hpp"
#include "lanes/rules.hpp"
#include "threads/ieee_defaults.hpp"
#include "training/options.hpp"
#include "training/pacer.hpp"
#include "training/power.hpp"
#include "training/state.hpp"
#include "training/step_rate.hpp"

namespace fastmlp {

template <class T>
class LaneGroup {
public:
    /// Jobs of one `lane_key`; their outcomes are written. If they are more than the lanes, all
    /// `may_follow`.
    LaneGroup(const std::vector<TrainJob<T>>& jobs, std::vector<Manner>& manners,
              const std::vector<std::size_t>& members, std::vector<TrainOutcome>& outcomes,
              std::function<bool()> interrupted)
        : kernel_(kernels::active_table<T>()), lane_kernel_(kernel_.in_lanes),
          width_(lane_kernel_.lanes), interrupted_(std::move(interrupted)), jobs_(jobs),
          manners_(manners), outcomes_(outcomes), waiting_(members.rbegin(), members.rend()),
          options_(jobs[members[0]].options),
          until_(options_.until_epoch ? options_.until_epoch : options_.epochs),
          network_(*jobs[members[0]].network), rows_(most_samples(jobs, members)),
          steps_per_epoch_(steps_of(jobs[members[0]])),
          batch_(steps_per_epoch_ > 1 ? options_.batch_size : rows_),
          parameters_(network_.layout(), width_), running_(network_.layout(), width_), rules_(1) {
        while (lanes_.size() < width_ && !waiting_.empty()) lanes_.push_back(next());
        try {
            for (Lane<T>& lane : lanes_) begin(lane);
            allocate();
        } catch (...) {
            end();
            throw;
        }
        for (std::size_t l = 0; l < width_; ++l) load(l);
    }
    ~LaneGroup() { end(); }
    LaneGroup(const LaneGroup&) = delete;
    LaneGroup& operator=(const LaneGroup&) = delete;

    /// Trains until few are left.
    void run() {
        const IeeeDefaults ieee;
        try {
            while (is_worth_it()) {
                run_epoch();
                fill();
                ask();
            }
        } catch (...) {
            for (std::size_t l = 0; l < lanes_.size(); ++l) {
                if (!lanes_[l].finished) store(l);
            }
            throw;
        }
    }

    /// What is left to be trained one by one: jobs, and their next epochs.
    std::vector<std::pair<std::size_t, std::size_t>> left() const {
        std::vector<std::pair<std::size_t, std::size_t>> jobs;
        for (const Lane<T>& lane : lanes_) {
            if (!lane.finished) jobs.emplace_back(lane.job - jobs_.data(), lane.epoch);
        }
        for (const std::size_t i : waiting_) jobs.emplace_back(i, options_.first_epoch);
        return jobs;
    }

private:
    void allocate();
    void begin(Lane<T>& lane);
    void put_in_order(Lane<T>& lane);
    void load(std::size_t l);
    void fill();
    void draw_orders();
    void draw_numpy_orders();
    void run_epoch();
    void end_epoch(double seconds);
    void step(std::size_t index);
    void add_squares();
    void move_averages();
    void choose_rules();
    void update();
    void choose_rates(std::size_t index);

    /// Of one of its jobs.
    static std::size_t most_samples(const std::vector<TrainJob<T>>& jobs,
                                    const std::vector<std::size_t>& members) {
        std::size_t most = 0;
        for (const std::size_t i : members) most = std::max(most, samples_of(jobs[i]));
        return most;
    }

    void ask() const {
        if (interrupted_()) throw Interrupted();
    }

    /// Whether enough lanes are used: the others cost as much. Three networks take about as long
    /// by themselves, of eight lanes of float64 four of 30-16-1 and five of 64-16-10.
    bool is_worth_it() const {
        constexpr std::size_t kEnough = 4, kBytesOfALane = 32768;
        const std::size_t bytes = network_.layout().size() * sizeof(T);
        const std::size_t more = width_ * bytes / kBytesOfALane;
        const auto used = std::count_if(lanes_.begin(), lanes_.end(),
                                        [](const Lane<T>& lane) { return !lane.finished; });
        return static_cast<std::size_t>(used) >= std::min(kEnough, width_ / 2) + more;
    }

    /// The next one that waits.
    Lane<T> next() {
        const std::size_t i = waiting_.back();
        waiting_.pop_back();
        const Network<T>& network = *jobs_[i].network;
        return {&jobs_[i], &manners_[i], &outcomes_[i], network.optimizer_state(),
                network.moving_average()};
    }

    /// The network of a lane gets its parameters and its optimizer's state.
    void store(std::size_t l) {
        Network<T>& network = *lanes_[l].job->network;
        parameters_.store(l, network.parameters()->data());
        running_.store(l, network.statistics()->data());
        OptimizerState<T>& state = network.optimizer_state();
        if (first_moment_) first_moment_->store(l, state.first->data());
        if (second_moment_) second_moment_->store(l, state.second->data());
        state.steps = steps_before_ + lanes_[l].steps_done;
        if (!average_) return;
        average_->store(l, network.moving_average().parameters->data());
        average_running_->store(l, network.moving_average().statistics->data());
        network.moving_average().steps = averaged_before_ + lanes_[l].steps_done;
    }

    /// The network of a lane is no longer trained.
    void finish(std::size_t l, std::exception_ptr error) {
        lanes_[l].finished = true;
        lanes_[l].outcome->error = std::move(error);
        lanes_[l].outcome->reports.clear();
    }

    /// A training without any step that counts leaves the state of the optimizer before it.
    static void end(Lane<T>& lane) noexcept {
        if (!std::exchange(lane.begun, false)) return;
        Network<T>& network = *lane.job->network;
        network.epoch_end().end();
        if (network.optimizer_state().steps != lane.steps_before) return;
        network.set_optimizer_state(std::move(lane.before));
        network.set_moving_average(std::move(lane.average_before));
    }
    void end() noexcept {
        for (Lane<T>& lane : lanes_) end(lane);
    }

    const kernels::KernelTable<T>& kernel_;
    const kernels::LaneKernels<T>& lane_kernel_;
    std::size_t width_;  ///< lanes of a vector
    std::function<bool()> interrupted_;
    const std::vector<TrainJob<T>>& jobs_;
    std::vector<Manner>& manners_;
    std::vector<TrainOutcome>& outcomes_;
    std::vector<std::size_t> waiting_;  ///< jobs without a lane, the next one last
    const TrainOptions& options_;  ///< of the first network, like the others' but for the rates
    std::size_t until_;            ///< the epoch that is not trained any more
    const Network<T>& network_;    ///< the first one
    std::vector<Lane<T>> lanes_;
    std::size_t rows_;  ///< the most samples of a job
    std::size_t steps_per_epoch_, batch_;
    LaneParameters<T> parameters_;
    LaneStatistics<T> running_;
    std::optional<LaneParameters<T>> first_moment_, second_moment_, average_;
    std::optional<LaneStatistics<T>> average_running_;
    std::optional<LanePass<T>> pass_;
    std::vector<LaneRules<T>> rules_;  ///< of each layer, or one if their rates are the same
    Pacer pacer_;
    std::uint64_t steps_before_ = 0, averaged_before_ = 0;
};

template <class T>
void LaneGroup<T>::allocate() {
    const Optimizer& optimizer = options_.optimizer;
    if (optimizer.has_first()) first_moment_.emplace(network_.layout(), width_);
    if (optimizer.has_second()) second_moment_.emplace(network_.layout(), width_);
    if (options_.ema > 0) {
        average_.emplace(network_.layout(), width_);
        average_running_.emplace(network_.layout(), width_);
    }
    for (const Layer& layer : network_.layers()) {
        if (layer.rate_factor != 1) rules_.resize(network_.layers().size());
    }
    for (Lane<T>& lane : lanes_) put_in_order(lane);
    pass_.emplace(kernel_, lanes_, batch_);
    steps_before_ = network_.optimizer_state().steps;
    averaged_before_ = network_.moving_average().steps;
}

template <class T>
void LaneGroup<T>::begin(Lane<T>& lane) {
    Network<T>& network = *lane.job->network;
    network.prepare_optimizer(options_.optimizer);
    lane.steps_before = network.optimizer_state().steps;
    if (options_.ema > 0) network.prepare_moving_average(options_.ema);
    if (network.workspace()) network.workspace()->has_deltas = false;
    network.epoch_end().begin(network, lane.by->roll_back);
    lane.epoch = options_.first_epoch;
    lane.begun = true;
    lane.finished = lane.epoch >= until_;
}

/// The order of the samples before the first epoch.
template <class T>
void LaneGroup<T>::put_in_order(Lane<T>& lane) {
    lane.rows = samples_of(*lane.job);
    lane.order.assign(rows_, 0);
    const std::uint32_t* const rows = lane.job->options.rows;
    if (rows) {
        std::copy_n(rows, lane.rows, lane.order.begin());
    } else {
        std::iota(lane.order.data(), lane.order.data() + lane.rows, 0U);
    }
}

/// Lanes without a network repeat the first one.
template <class T>
void LaneGroup<T>::load(std::size_t l) {
    const Network<T>& network = *lanes_[l < lanes_.size() ? l : 0].job->network;
    parameters_.load(l, network.parameters()->data());
    running_.load(l, network.statistics()->data());
    const OptimizerState<T>& state = network.optimizer_state();
    if (first_moment_) first_moment_->load(l, state.first->data());
    if (second_moment_) second_moment_->load(l, state.second->data());
    if (!average_) return;
    average_->load(l, network.moving_average().parameters->data());
    average_running_->load(l, network.moving_average().statistics->data());
}

/// Those that wait take the lanes of those that have ended.
template <class T>
void LaneGroup<T>::fill() {
    for (std::size_t l = 0; l < lanes_.size() && !waiting_.empty(); ++l) {
        Lane<T>& lane = lanes_[l];
        if (!lane.finished) continue;
        end(lane);
        std::vector<std::uint32_t> order = std::move(lane.order);
        lane = next();
        lane.order = std::move(order);
        lane.finished = true;  // if it cannot begin, what the lane holds is not stored
        begin(lane);
        put_in_order(lane);
        load(l);
        pass_->take(l);
    }
}

/// Draws those of NumPy; fits of a search often have equal ones, which are drawn once.
template <class T>
void LaneGroup<T>::draw_numpy_orders() {
    std::array<NumpyOrders*, kernels::kMostLanes> orders{}, first{};
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        if (lanes_[l].finished || !lanes_[l].by->orders) continue;
        orders[l] = &*lanes_[l].by->orders;
        first[l] = *std::find_if(orders.begin(), orders.end(), [&](const NumpyOrders* each) {
            return each != nullptr && *each == *orders[l];
        });
    }
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        if (orders[l] == nullptr) continue;
        if (first[l] == orders[l]) {
            orders[l]->draw();
        } else {
            *orders[l] = *first[l];
        }
    }
}

template <class T>
void LaneGroup<T>::draw_orders() {
    draw_numpy_orders();
    for (Lane<T>& lane : lanes_) {
        if (lane.finished) continue;
        if (lane.by->orders) {
            std::ranges::copy(lane.by->orders->order(), lane.order.begin());
        } else if (options_.shuffle) {
            const Network<T>& network = *lane.job->network;
            draw_order(network.seed(), network.epoch(), lane.order.data(), lane.rows);
            const std::uint32_t* const rows = lane.job->options.rows;
            if (!rows) continue;
            for (std::size_t i = 0; i < lane.rows; ++i) lane.order[i] = rows[lane.order[i]];
        }
    }
}

template <class T>
void LaneGroup<T>::run_epoch() {
    const auto start = std::chrono::steady_clock::now();
    for (Lane<T>& lane : lanes_) lane.loss = lane.weight_of_epoch = lane.squares = 0;
    draw_orders();
    for (std::size_t first = 0; first < steps_per_epoch_;) {
        const std::size_t last = std::min(steps_per_epoch_, first + pacer_.steps());
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t index = first; index < last; ++index) step(index);
        pacer_.measured(last - first, seconds_since(begin));
        first = last;
        if (first < steps_per_epoch_) ask();
    }
    end_epoch(seconds_since(start) / static_cast<double>(lanes_.size()));
}

template <class T>
void LaneGroup<T>::end_epoch(double seconds) {
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        Lane<T>& lane = lanes_[l];
        if (lane.finished) continue;
        store(l);
        Network<T>& network = *lane.job->network;
        const double loss = weighted_mean(lane.loss, lane.weight_of_epoch);
        const std::uint32_t undone = network.epoch();
        network.set_epoch(undone + 1);
        if (std::isfinite(loss) && all_finite(kernel_, network)) {
            network.epoch_end().save();
            lane.outcome->reports.push_back(
                {lane.epoch, loss, seconds, lane.rate, lane.job->options.rate_factor});
            lane.by->squares = lane.squares;
            std::optional<Convergence>& convergence = lane.by->convergence;
            const bool converged = convergence && convergence->ends(loss, lane.squares, lane.rows);
            lane.finished = ++lane.epoch == until_ || converged;
            continue;
        }
        if (lane.by->roll_back) network.epoch_end().restore();
        network.set_epoch(undone);
        finish(l, std::make_exception_ptr(Diverged(lane.epoch, loss, lane.rate)));
    }
}

template <class T>
void LaneGroup<T>::step(std::size_t index) {
    choose_rates(index);
    if (lanes_[0].by->report_squares) add_squares();
    const std::size_t first = index * batch_;
    pass_->run(parameters_, running_, first,
               std::min(batch_, rows_ - first));  // (1.1), (1.2), (2.4) to (2.9), (2.12)
    const auto rests = [](const Lane<T>& lane) { return !(lane.weight > 0) && !lane.finished; };
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        if (rests(lanes_[l])) store(l);
    }
    update();  // (2.13), (2.14)
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        if (rests(lanes_[l])) {
            load(l);  // as before: a batch whose weights are all 0 is no step
        } else {
            ++lanes_[l].steps_done;
        }
    }
    if (average_) move_averages();
}

/// Those of the weights before the step.
template <class T>
void LaneGroup<T>::add_squares() {
    std::array<T, kernels::kMostLanes> ones;
    ones.fill(1);
    LaneSquares<T> squares(ones.data(), width_, false);
    for (std::size_t i = 0; i < network_.layers().size(); ++i) squares.add(parameters_[i]);
    for (std::size_t l = 0; l < lanes_.size(); ++l) lanes_[l].squares += squares.of(l);
}

template <class T>
void LaneGroup<T>::move_averages() {
    const std::uint64_t steps = averaged_before_ + lanes_[0].steps_done;
    const double decay = options_.ema, left = power(decay, steps);
    const auto gain = static_cast<T>((1 - decay) / (1 - left));
    const auto move = [&](const Buffer<T>& from, Buffer<T>& to) {
        kernel_.approach(gain, from.size(), from.data(), to.data());
    };
    move(parameters_.values(), average_->values());
    move(running_.values(), average_running_->values());
}

/// The rate of every network in a step of its epoch; one whose rate is invalid is trained no
/// further.
template <class T>
void LaneGroup<T>::choose_rates(std::size_t index) {
    const Lane<T>* before = nullptr;  // often its rate is that of the next one
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        Lane<T>& lane = lanes_[l];
        if (lane.finished) continue;
        const TrainOptions& options = lane.job->options;
        if (before != nullptr && before->has_rate_of(lane)) {
            lane.rate = before->rate;
            continue;
        }
        try {
            const std::size_t number = lane.epoch * steps_per_epoch_ + index;
            lane.rate = rate_of_step<T>(options, number, steps_per_epoch_, options.rate_factor);
            before = &lane;
        } catch (...) {
            store(l);
            finish(l, std::current_exception());
            lane.rate = 0;
        }
    }
}

/// The rules of this step, which may need the norm of all gradients.
template <class T>
void LaneGroup<T>::choose_rules() {
    const std::vector<Layer>& layers = network_.layers();
    if (options_.optimizer.clip_norm != Optimizer::kUnlimited) {
        std::array<T, kernels::kMostLanes> scales{};
        for (std::size_t l = 0; l < lanes_.size(); ++l) {
            scales[l] = scale_of_gradients<T>(lanes_[l].weight, *lanes_[0].by);
        }
        LaneSquares<T> norm(scales.data(), width_, true);
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (layers[i].trainable) norm.add(pass_->sums()[i]);
        }
        for (std::size_t l = 0; l < lanes_.size(); ++l) lanes_[l].norm = std::sqrt(norm.of(l));
    }
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        rules_[i].choose(lanes_, steps_before_, layers[i].rate_factor, *lanes_[0].by);
    }
}

template <class T>
void LaneGroup<T>::update() {
    choose_rules();
    for (std::size_t i = 0; i < network_.layers().size(); ++i) {
        if (!network_.layers()[i].trainable) continue;
        const LaneRules<T>& rules = rules_[rules_.size() > 1 ? i : 0];
        const LaneLayer<T>&sums = pass_->sums()[i], &layer = parameters_[i];
        const LaneLayer<T> none{};
        const LaneLayer<T>& first = first_moment_ ? (*first_moment_)[i] : none;
        const LaneLayer<T>& second = second_moment_ ? (*second_moment_)[i] : none;
        // Row by row where zeros between the rows would cost: quotients of such are slow.
        const std::size_t rows = second_moment_ ? layer.k : 1;
        const std::size_t row = second_moment_ ? layer.ldw : layer.k * layer.ldw;
        for (std::size_t k = 0; k < rows; ++k) {
            const std::size_t at = k * row * width_;
            lane_kernel_.update(
                rules.weights.rule, rules.weights.by, second_moment_ ? layer.n : row, sums.w + at,
                layer.w + at, first.w ? first.w + at : nullptr, second.w ? second.w + at : nullptr);
        }
        for_each_vector(layer, [&](T* LaneLayer<T>::* part, std::size_t size) {
            lane_kernel_.update(rules.others.rule, rules.others.by, size, sums.*part, layer.*part,
                                first.*part, second.*part);
        });
    }
}

}  // namespace fastmlp
