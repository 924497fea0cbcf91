/// Which networks may be trained side by side, and their update rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "checks/checks.hpp"
#include "fastmlp/trainer.hpp"
#include "kernels/dispatch.hpp"
#include "lanes/block.hpp"
#include "lanes/inputs.hpp"
#include "lanes/manner.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/scaling.hpp"
#include "training/options.hpp"
#include "training/step_rules.hpp"

namespace fastmlp {

/// The widest layer that is trained in lanes: beyond it the nodes of a whole vector of networks
/// leave the cache, and one network alone fills a vector well.
inline constexpr std::size_t kWidestInLanes = 32;

/// Numbers of samples with equal quotients by it are alike enough for one vector: folds of
/// cross-validation often differ by a sample. With as many steps, so do only the last batches.
inline constexpr std::size_t kAlikeSamples = 16;

/// Whether no layer has more nodes.
template <class T>
bool no_wider(const Network<T>& network, std::size_t nodes) {
    return std::all_of(network.layers().begin(), network.layers().end(),
                       [=](const Layer& layer) { return layer.nodes <= nodes; });
}

/// Whether networks of this size are quicker in lanes, in batches of this size. Each block of rows
/// goes through the parameters of a whole vector of networks, which have to stay in the L2 cache;
/// and beyond 8 KiB each, one network fills its vectors about as well (measured: 10-32-32-3
/// of float32 is quicker in lanes, 70-32-2 is not; of float64 20-24-1 is, 30-32-1 is not).
/// Many features make rows long to transpose, which does not pay in small batches (60-8-2 of
/// float64 is as quick in lanes, 100-8-2 in batches of 4 takes 1.1 times as long); where all layers
/// are so narrow that one network alone cannot fill its vectors, it pays up to 10 KiB (64-16-10 in
/// batches of 64: 1.06 times as fast in vectors of 256 bits, 1.16 in those of 512). A step of one
/// sample has kernels of its own, which only the smallest networks leave room to beat.
template <class T>
bool fits_in_lanes(const Network<T>& network, std::size_t batch) {
    constexpr std::size_t kMost = 8192, kMostOfOneSample = 1536;
    constexpr std::size_t kFewFeatures = 320, kMostFeatures = 512;
    constexpr std::size_t kMostOfManyFeatures = 6144, kLargeBatch = 32;
    constexpr std::size_t kMostOfNarrow = 10240, kMostFeaturesOfNarrow = 64,
                          kLargeBatchOfNarrow = 64;
    const std::size_t bytes = network.layout().size() * sizeof(T);
    const std::size_t features = network.features() * sizeof(T);
    const std::size_t lanes = kernels::active_table<T>().in_lanes.lanes;
    if (bytes * lanes > cache_sizes().l2 * 3 / 16) return false;
    if (batch == 1) return bytes <= kMostOfOneSample;
    if (features <= kFewFeatures) return bytes <= kMost;
    if (features > kMostFeatures) return false;
    if (bytes <= kMostOfManyFeatures && batch >= kLargeBatch) return true;
    return network.features() <= kMostFeaturesOfNarrow && no_wider(network, kernels::kNarrow) &&
           bytes <= kMostOfNarrow && batch >= kLargeBatchOfNarrow;
}

/// Whether gradients are adjusted by a penalty, however large: a rule with and without one differs.
inline bool penalizes(const Optimizer& optimizer) {
    return optimizer.l1 != 0 || optimizer.l2 != 0 || optimizer.weight_decay != 0;
}

/// The number of samples of an epoch.
template <class T>
std::size_t samples_of(const TrainJob<T>& job) {
    return job.options.rows ? job.options.row_count : job.x.rows;
}

/// The number of batches of an epoch.
template <class T>
std::size_t steps_of(const TrainJob<T>& job) {
    const std::size_t rows = samples_of(job), batch = std::min(job.options.batch_size, rows);
    return (rows + batch - 1) / batch;
}

/// Whether the weights of all samples of a job, if there are any, pass a test.
template <class T, class Test>
bool all_weights(const TrainJob<T>& job, Test test) {
    const T* const weights = job.y.weights;
    if (weights == nullptr) return true;
    const std::uint32_t* const rows = job.options.rows;
    for (std::size_t i = 0; i < samples_of(job); ++i) {
        if (!test(weights[rows ? rows[i] : i])) return false;
    }
    return true;
}

/// Whether an output is constant, whose loss in units of the targets is computed apart.
template <class T>
bool has_constant_output(const Network<T>& network) {
    const ColumnScaling<T> by(network.output_scaling().get());
    return by && by.has_constant(network.outputs());
}

/// Whether the kernels of lanes compute all that a job has, quicker than by itself.
template <class T>
bool suits_lanes(const TrainJob<T>& job, const Conventions& by) {
    const Network<T>& network = *job.network;
    const TrainOptions& options = job.options;
    const std::size_t rows = samples_of(job), lanes = kernels::active_table<T>().in_lanes.lanes;
    const std::size_t batch = std::min(options.batch_size, rows);
    const bool plain_data = job.y.custom == nullptr && !job.y.is_gradient && rows > 0;
    const bool plain_network = network.heads().empty() && !has_constant_output(network) &&
                               network.loss().kind != Loss::kCustom;
    const bool plain_options = !options.order && !options.learning_rate && !options.ranks &&
                               !(by.batch_means && job.y.weights);
    return plain_data && plain_network && plain_options && no_wider(network, kWidestInLanes) &&
           fits_in_lanes(network, batch) && batch_fits_in_lanes(network, lanes, batch);
}

/// Whether two jobs have the same targets, for the same loss: what they contain is valid for both.
template <class T>
bool has_targets_of(const TrainJob<T>& job, const TrainJob<T>& other) {
    const Targets<T>&own = job.y, &its = other.y;
    return own.values.data == its.values.data && own.values.cols == its.values.cols &&
           own.values.stride == its.values.stride && own.labels == its.labels &&
           own.weights == its.weights && own.rows == its.rows &&
           job.network->loss() == other.network->loss();
}

/// Whether nothing of a job is refused, which happens where it is trained by itself. That of
/// `valid`, if it is not null, is known not to be.
template <class T>
bool is_valid(const TrainJob<T>& job, const TrainJob<T>* valid) {
    const Network<T>& network = *job.network;
    const TrainOptions& options = job.options;
    try {
        check_trainable(network);
        check_features<T>(network.features(), job.x);
        check_targets(network, job.y, job.x.rows);
        if (!valid || !has_targets_of(job, *valid)) check_content(network, job.y);
        check_options(samples_of(job), network.epoch(), options);
        for (std::size_t i = 0; options.rows && i < options.row_count; ++i) {
            if (options.rows[i] >= job.x.rows) return false;
        }
        check_batches(network, samples_of(job), job.y.weights, options);
        // A batch without a sample that counts is no step, and a moving average would then have
        // another number of steps in each lane.
        const bool all_must_count = options.ema > 0;
        return all_weights(job, [=](T w) { return all_must_count ? w > 0 : w >= 0; });
    } catch (const std::exception&) {
        return false;
    }
}

/// Equal for jobs that may be trained side by side; empty for one that must be trained by itself.
/// Another one, `valid`, has a key already, unless it is null.
template <class T>
std::string lane_key(const TrainJob<T>& job, const Conventions& by = {},
                     const TrainJob<T>* valid = nullptr) {
    if (!suits_lanes(job, by) || !is_valid(job, valid)) return {};
    const Network<T>& network = *job.network;
    const TrainOptions& options = job.options;
    const Optimizer& optimizer = options.optimizer;
    std::string key;
    const auto add = [&key](auto... values) {
        const auto one = [&key](auto value) {
            key.append(reinterpret_cast<const char*>(&value), sizeof value);
        };
        (one(values), ...);
    };
    for (const Layer& layer : network.layers()) {
        add(layer.nodes, layer.activation.kind, layer.activation.parameter, layer.dropout,
            layer.trainable, layer.rate_factor);
        for (const Normalization each : {layer.normalization, layer.input_normalization}) {
            add(each.kind, each.epsilon, each.momentum, each.after_activation);
        }
    }
    const Schedule& s = options.schedule;
    const MovingAverage<T>& average = network.moving_average();
    const bool averages_on = average.parameters && average.decay == options.ema;
    const bool continues = network.has_state_for(optimizer);
    const std::size_t alike = samples_of(job) / kAlikeSamples, steps = steps_of(job);
    add(network.features(), network.loss().kind, network.loss().parameter, alike, steps,
        job.y.labels != nullptr, job.y.weights != nullptr, scales_features(job),
        network.output_scaling() != nullptr, network.loss_weights() != nullptr, options.epochs,
        steps > 1 ? options.batch_size : 0, options.first_epoch, options.until_epoch,
        options.shuffle, continues ? network.optimizer_state().steps : 0, options.ema,
        averages_on ? average.steps : 0, s.kind, s.factor, s.every, s.final, s.initial, s.rise,
        s.power, s.warm_up, s.shift, s.total_epochs, optimizer.kind, optimizer.momentum,
        optimizer.nesterov, optimizer.beta_1, optimizer.beta_2, optimizer.rho, optimizer.epsilon,
        optimizer.l1, optimizer.clip_value, optimizer.clip_norm, optimizer.decay_biases,
        penalizes(optimizer));
    // A velocity that holds the rate has it in a word of the rule that is one for all lanes.
    const bool one_rate = by.velocity_holds_rate && optimizer.momentum != 0;
    add(by.gradient_scale, by.loss_limit, by.roll_back, by.report_squares, by.penalty_per_sample,
        by.velocity_holds_rate, by.uncorrected_epsilon,
        one_rate ? optimizer.learning_rate * options.rate_factor : 0.0);
    return key;
}

/// Whether a job may begin when others of its `lane_key` are in later epochs: a moving average has
/// one number of steps in all lanes. Only those end early that say when.
template <class T>
bool may_follow(const TrainJob<T>& job, const Manner& by) {
    const TrainOptions& options = job.options;
    const bool one_rate =
        options.schedule.kind == Schedule::Kind::kConstant && options.schedule.warm_up == 0;
    return by.convergence && one_rate && options.ema == 0;
}

/// The factor of sums over a batch of this weight; 0 if no sample counts.
template <class T>
T scale_of_gradients(double weight, const Conventions& by) {
    return static_cast<T>(weight > 0 ? by.gradient_scale / weight : 0);
}

/// The rules of a step of all networks in lanes.
template <class T>
struct LaneRules {
    struct Part {
        kernels::UpdateRule<T> rule;
        kernels::LaneRule<T> by;
    };
    Part weights, others;

    /// Of the next step after `steps` of the optimizer, with the rates times `factor`; lanes have a
    /// `job`, `steps_done` since then, a `rate`, the `weight` of the batch and the `norm` of their
    /// gradients.
    template <class Lanes>
    void choose(const Lanes& lanes, std::uint64_t steps, double factor, const Conventions& by) {
        StepRules<T> rules{};
        bool adjusted_weights = false, adjusted_others = false;
        for (std::size_t l = 0; l < kernels::kMostLanes; ++l) {
            const auto& lane = lanes[l < lanes.size() ? l : 0];
            const auto& before = lanes[l > 0 && l - 1 < lanes.size() ? l - 1 : 0];
            if (l == 0 || !alike(lane, before)) {
                rules = step_rules<T>(
                    lane.job->options.optimizer,
                    {lane.rate * factor, steps + lane.steps_done + 1, lane.weight, lane.norm}, by);
                adjusted_weights = adjusted_weights || rules.weights.adjusted;
                adjusted_others = adjusted_others || rules.others.adjusted;
            }
            put(weights, rules.weights, l);
            put(others, rules.others, l);
            weights.by.scale[l] = others.by.scale[l] = scale_of_gradients<T>(lane.weight, by);
        }
        // Where gradients are not to be shrunk, it is by 1.
        weights.rule.adjusted = adjusted_weights;
        others.rule.adjusted = adjusted_others;
    }

private:
    template <class Lane>
    static bool alike(const Lane& a, const Lane& b) {
        const Optimizer &one = a.job->options.optimizer, &other = b.job->options.optimizer;
        return a.rate == b.rate && a.steps_done == b.steps_done && a.weight == b.weight &&
               a.norm == b.norm && one.l2 == other.l2 && one.weight_decay == other.weight_decay;
    }
    static void put(Part& part, const kernels::UpdateRule<T>& rule, std::size_t l) {
        if (l == 0) part.rule = rule;
        part.by.rate[l] = rule.rate;
        part.by.l2[l] = rule.l2;
        part.by.keep[l] = rule.keep;
        part.by.shrink[l] = rule.shrink;
        part.by.epsilon[l] = rule.epsilon;
    }
};

}  // namespace fastmlp
