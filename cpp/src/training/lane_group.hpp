/// Networks of one shape that are trained side by side, one in each lane of a vector, with the bits
/// that each has by itself: `lane_key` says which may be.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checks/checks.hpp"
#include "fastmlp/random.hpp"
#include "fastmlp/trainer.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/lanes.hpp"
#include "propagation/loss.hpp"
#include "threads/ieee_defaults.hpp"
#include "training/lane_rules.hpp"
#include "training/options.hpp"
#include "training/pacer.hpp"
#include "training/state.hpp"
#include "training/step_rate.hpp"

namespace fastmlp {

/// A network and its samples in a lane.
template <class T>
struct Lane {
    const TrainJob<T>* job;
    TrainOutcome* outcome;
    OptimizerState<T> before;                 ///< of the optimizer, if no step is completed
    std::vector<std::uint32_t> order{};       ///< of this epoch; empty: 0, 1, 2, ...
    double loss = 0, rate = 0;                ///< summed over this epoch; of the last step
    std::optional<std::uint64_t> finished{};  ///< steps, if the network is no longer trained

    std::size_t sample(std::size_t i) const { return order.empty() ? i : order[i]; }
};

template <class T>
class LaneGroup {
public:
    /// Jobs of one `lane_key`, at most one for each lane; their outcomes are written.
    LaneGroup(const std::vector<TrainJob<T>>& jobs, const std::vector<std::size_t>& members,
              std::vector<TrainOutcome>& outcomes, std::function<bool()> interrupted)
        : kernel_(kernels::active_table<T>()), lane_kernel_(kernel_.in_lanes),
          width_(lane_kernel_.lanes), interrupted_(std::move(interrupted)),
          options_(jobs[members[0]].options), network_(*jobs[members[0]].network),
          rows_(samples_of(jobs[members[0]])), batch_(std::min(options_.batch_size, rows_)),
          steps_per_epoch_((rows_ + batch_ - 1) / batch_), parameters_(network_.layout(), width_),
          sums_(network_.layout(), width_), x_(batch_, network_.features(), width_),
          y_(batch_, network_.outputs(), width_), sources_(batch_ * width_),
          targets_(batch_ * width_), labels_(batch_ * width_), losses_(batch_ * width_) {
        for (const std::size_t i : members) {
            Network<T>& network = *jobs[i].network;
            lanes_.push_back({&jobs[i], &outcomes[i], network.optimizer_state()});
        }
        try {
            for (const Lane<T>& lane : lanes_) {
                Network<T>& network = *lane.job->network;
                network.prepare_optimizer(options_.optimizer);
                if (network.workspace()) network.workspace()->has_deltas = false;
                network.epoch_end().begin(network, true);
                ++begun_;
            }
            allocate();
        } catch (...) {
            end();
            throw;
        }
        load();
    }
    ~LaneGroup() { end(); }
    LaneGroup(const LaneGroup&) = delete;
    LaneGroup& operator=(const LaneGroup&) = delete;

    void run() {
        const IeeeDefaults ieee;
        try {
            const std::size_t until = options_.until_epoch ? options_.until_epoch : options_.epochs;
            for (std::size_t epoch = options_.first_epoch; epoch < until; ++epoch) {
                run_epoch(epoch);
                ask();
            }
        } catch (...) {
            for (std::size_t l = 0; l < lanes_.size(); ++l) {
                if (!lanes_[l].finished) store(l);
            }
            throw;
        }
    }

private:
    void allocate();
    void load();
    void run_epoch(std::size_t epoch);
    void end_epoch(std::size_t epoch, double seconds);
    void step(std::size_t number, std::size_t first, std::size_t batch);
    void gather(std::size_t first, std::size_t batch);
    void forward(std::size_t batch);
    void backward(std::size_t batch);
    void update(std::size_t batch);
    void choose_rates(std::size_t number);
    void account(std::size_t batch);

    void ask() const {
        if (interrupted_()) throw Interrupted();
    }

    /// The network of a lane gets its parameters and its optimizer's state.
    void store(std::size_t l) {
        Network<T>& network = *lanes_[l].job->network;
        parameters_.store(l, network.parameters()->data());
        OptimizerState<T>& state = network.optimizer_state();
        if (first_moment_) first_moment_->store(l, state.first->data());
        if (second_moment_) second_moment_->store(l, state.second->data());
        state.steps = steps_before_ + steps_done_;
    }

    /// The network of a lane is no longer trained.
    void finish(std::size_t l, std::exception_ptr error) {
        lanes_[l].finished = steps_done_;
        lanes_[l].outcome->error = std::move(error);
        lanes_[l].outcome->reports.clear();
    }

    /// A training without any step leaves the state of the optimizer before it.
    void end() noexcept {
        for (std::size_t l = 0; l < begun_; ++l) {
            Network<T>& network = *lanes_[l].job->network;
            network.epoch_end().end();
            const bool untouched = lanes_[l].finished.value_or(steps_done_) == 0;
            if (untouched) network.set_optimizer_state(std::move(lanes_[l].before));
        }
        begun_ = 0;
    }

    Activation activation(std::size_t i) const {
        const Activation given = network_.layers()[i].activation;
        return i + 1 < nodes_.size() ? given : score_activation(network_.loss(), given);
    }

    const kernels::KernelTable<T>& kernel_;
    const kernels::LaneKernels<T>& lane_kernel_;
    std::size_t width_;  ///< lanes of a vector
    std::function<bool()> interrupted_;
    const TrainOptions& options_;  ///< of the first network, like the others' but for the rates
    const Network<T>& network_;    ///< the first one
    std::vector<Lane<T>> lanes_;
    std::size_t begun_ = 0;
    std::size_t rows_, batch_, steps_per_epoch_;
    LaneParameters<T> parameters_, sums_;
    std::optional<LaneParameters<T>> first_moment_, second_moment_;
    LaneRows<T> x_, y_;
    std::vector<LaneRows<T>> z_, nodes_, deltas_;  ///< z only where it is kept apart
    std::vector<const T*> sources_, targets_;      ///< rows of X and y; of `y_`
    std::vector<std::int32_t> labels_;
    Buffer<T> losses_;
    LaneRules<T> rules_;
    Pacer pacer_;
    std::uint64_t steps_before_ = 0, steps_done_ = 0;
};

template <class T>
void LaneGroup<T>::allocate() {
    const Optimizer& optimizer = options_.optimizer;
    if (optimizer.has_first()) first_moment_.emplace(network_.layout(), width_);
    if (optimizer.has_second()) second_moment_.emplace(network_.layout(), width_);
    for (const Layer& layer : network_.layers()) {
        z_.emplace_back(keeps_z(layer.activation) ? batch_ : 0, layer.nodes, width_);
        nodes_.emplace_back(batch_, layer.nodes, width_);
        deltas_.emplace_back(batch_, layer.nodes, width_);
    }
    for (std::size_t b = 0; b < batch_; ++b) {
        targets_[b * width_] = y_.values.data() + b * y_.stride * width_;
    }
    for (Lane<T>& lane : lanes_) {
        if (options_.shuffle) lane.order.resize(rows_);
        const std::uint32_t* const rows = lane.job->options.rows;
        if (rows && !options_.shuffle) lane.order.assign(rows, rows + rows_);
    }
    steps_before_ = network_.optimizer_state().steps;
}

/// Lanes without a network repeat the first one.
template <class T>
void LaneGroup<T>::load() {
    for (std::size_t l = 0; l < width_; ++l) {
        const Network<T>& network = *lanes_[l < lanes_.size() ? l : 0].job->network;
        parameters_.load(l, network.parameters()->data());
        const OptimizerState<T>& state = network.optimizer_state();
        if (first_moment_) first_moment_->load(l, state.first->data());
        if (second_moment_) second_moment_->load(l, state.second->data());
    }
}

template <class T>
void LaneGroup<T>::run_epoch(std::size_t epoch) {
    const auto start = std::chrono::steady_clock::now();
    for (Lane<T>& lane : lanes_) {
        lane.loss = 0;
        if (!options_.shuffle || lane.finished) continue;
        const Network<T>& network = *lane.job->network;
        draw_order(network.seed(), network.epoch(), lane.order.data(), lane.order.size());
        const std::uint32_t* const rows = lane.job->options.rows;
        if (!rows) continue;
        for (std::uint32_t& sample : lane.order) sample = rows[sample];
    }
    for (std::size_t first = 0; first < steps_per_epoch_;) {
        const std::size_t last = std::min(steps_per_epoch_, first + pacer_.steps());
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t index = first; index < last; ++index) {
            const std::size_t row = index * batch_;
            step(epoch * steps_per_epoch_ + index, row, std::min(batch_, rows_ - row));
        }
        pacer_.measured(last - first, seconds_since(begin));
        first = last;
        if (first < steps_per_epoch_) ask();
    }
    end_epoch(epoch, seconds_since(start) / static_cast<double>(lanes_.size()));
}

template <class T>
void LaneGroup<T>::end_epoch(std::size_t epoch, double seconds) {
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        Lane<T>& lane = lanes_[l];
        if (lane.finished) continue;
        store(l);
        Network<T>& network = *lane.job->network;
        const double loss = weighted_mean(lane.loss, static_cast<double>(rows_));
        const std::uint32_t undone = network.epoch();
        network.set_epoch(undone + 1);
        if (std::isfinite(loss) && all_finite(kernel_, network)) {
            network.epoch_end().save();
            lane.outcome->reports.push_back(
                {epoch, loss, seconds, lane.rate, lane.job->options.rate_factor});
            continue;
        }
        network.epoch_end().restore();
        network.set_epoch(undone);
        finish(l, std::make_exception_ptr(Diverged(epoch, loss, lane.rate)));
    }
}

template <class T>
void LaneGroup<T>::step(std::size_t number, std::size_t first, std::size_t batch) {
    choose_rates(number);
    gather(first, batch);
    forward(batch);   // (1.1), (1.2)
    backward(batch);  // (2.4) to (2.9), (2.12)
    account(batch);
    update(batch);  // (2.6), (2.7), (2.13), (2.14)
    ++steps_done_;
}

/// The rate of every network; one whose rate is invalid is trained no further.
template <class T>
void LaneGroup<T>::choose_rates(std::size_t number) {
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        Lane<T>& lane = lanes_[l];
        if (lane.finished) continue;
        try {
            lane.rate = rate_of_step<T>(lane.job->options, number, steps_per_epoch_,
                                        lane.job->options.rate_factor);
        } catch (...) {
            store(l);
            finish(l, std::current_exception());
            lane.rate = 0;
        }
    }
}

template <class T>
void LaneGroup<T>::gather(std::size_t first, std::size_t batch) {
    const std::size_t features = network_.features();
    const auto fill = [&](auto row_of) {
        for (std::size_t b = 0; b < batch; ++b) {
            for (std::size_t l = 0; l < width_; ++l) {
                const Lane<T>& lane = lanes_[l < lanes_.size() ? l : 0];
                row_of(b * width_ + l, *lane.job, lane.sample(first + b));
            }
        }
    };
    const bool labelled = lanes_[0].job->y.labels != nullptr;
    fill([&](std::size_t at, const TrainJob<T>& job, std::size_t sample) {
        sources_[at] = job.x.row(sample);
        if (labelled) labels_[at] = job.y.labels[sample];
    });
    lane_kernel_.gather(sources_.data(), batch, features, x_.values.data(), x_.stride);
    if (labelled) return;
    fill([&](std::size_t at, const TrainJob<T>& job, std::size_t sample) {
        sources_[at] = job.y.values.row(sample);
    });
    lane_kernel_.gather(sources_.data(), batch, network_.outputs(), y_.values.data(), y_.stride);
}

template <class T>
void LaneGroup<T>::forward(std::size_t batch) {
    const LaneRows<T>* from = &x_;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const LaneLayer<T>& layer = parameters_[i];
        const bool apart = z_[i].values.size() > 0;
        T* const z = (apart ? z_[i] : nodes_[i]).values.data();
        lane_kernel_.forward(from->values.data(), from->stride, batch, layer.k, layer.w, layer.ldw,
                             layer.bias, layer.n, z, nodes_[i].stride);
        activate(kernel_, activation(i), z, 0, nodes_[i].values.data(), 0, 1,
                 batch * nodes_[i].stride * width_);
        from = &nodes_[i];
    }
}

template <class T>
void LaneGroup<T>::backward(std::size_t batch) {
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        LaneRows<T>& delta = deltas_[i];
        if (i + 1 == nodes_.size()) {
            const bool labelled = lanes_[0].job->y.labels != nullptr;
            const OutputRows<T> at{batch * width_,
                                   network_.outputs(),
                                   nodes_[i].values.data(),
                                   nodes_[i].stride,
                                   labelled ? labels_.data() : nullptr,
                                   targets_.data(),
                                   delta.values.data(),
                                   delta.stride,
                                   losses_.data()};
            apply_loss(lane_kernel_, network_.loss(), at);
        } else {
            const LaneLayer<T>& next = parameters_[i + 1];
            lane_kernel_.backward(deltas_[i + 1].values.data(), deltas_[i + 1].stride, batch,
                                  next.n, next.w, next.ldw, next.k, delta.values.data(),
                                  delta.stride);
        }
        const Buffer<T>& nodes = nodes_[i].values;
        const T* from = keeps_z(activation(i)) ? z_[i].values.data() : nodes.data();
        activate_backward(kernel_, activation(i), from, 0, delta.values.data(), 0, 1,
                          batch * delta.stride * width_);
    }
}

/// Adds the losses of each network, in order.
template <class T>
void LaneGroup<T>::account(std::size_t batch) {
    std::array<double, kernels::kMostLanes> sums{};
    for (std::size_t b = 0; b < batch; ++b) {
        const T* losses = losses_.data() + b * width_;
        for (std::size_t l = 0; l < width_; ++l) sums[l] += static_cast<double>(losses[l]);
    }
    for (std::size_t l = 0; l < lanes_.size(); ++l) lanes_[l].loss += sums[l];
}

template <class T>
void LaneGroup<T>::update(std::size_t batch) {
    rules_.choose(lanes_, steps_before_ + steps_done_ + 1, batch);
    const T scale = static_cast<T>(1 / static_cast<double>(batch));
    const LaneRows<T>* from = &x_;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const LaneLayer<T>&sums = sums_[i], &layer = parameters_[i];
        lane_kernel_.gradients(from->values.data(), from->stride, deltas_[i].values.data(),
                               deltas_[i].stride, batch, layer.k, layer.n, sums.w, sums.ldw,
                               sums.bias);
        from = &nodes_[i];
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const LaneLayer<T>&sums = sums_[i], &layer = parameters_[i];
        const LaneLayer<T> none{};
        const LaneLayer<T>& first = first_moment_ ? (*first_moment_)[i] : none;
        const LaneLayer<T>& second = second_moment_ ? (*second_moment_)[i] : none;
        // Row by row where zeros between the rows would cost: quotients of such are slow.
        const std::size_t rows = second_moment_ ? layer.k : 1;
        const std::size_t row = second_moment_ ? layer.ldw : layer.k * layer.ldw;
        for (std::size_t k = 0; k < rows; ++k) {
            const std::size_t at = k * row * width_;
            lane_kernel_.update(rules_.weights.rule, rules_.weights.by, scale,
                                second_moment_ ? layer.n : row, sums.w + at, layer.w + at,
                                first.w ? first.w + at : nullptr,
                                second.w ? second.w + at : nullptr);
        }
        lane_kernel_.update(rules_.others.rule, rules_.others.by, scale, layer.n, sums.bias,
                            layer.bias, first.bias, second.bias);
    }
}

}  // namespace fastmlp
