/// Which networks may be trained side by side, and their update rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "checks/checks.hpp"
#include "fastmlp/trainer.hpp"
#include "kernels/dispatch.hpp"
#include "training/options.hpp"
#include "training/step_rules.hpp"

namespace fastmlp {

/// The widest layer that is trained in lanes: beyond it the nodes of a whole vector of networks
/// leave the cache, and one network alone fills a vector well.
inline constexpr std::size_t kWidestInLanes = 32;

/// The most memory of parameters, gradients and moments in lanes, which every step goes through: an
/// L2 cache holds it. With Adam 10-32-32-3 is beyond it, and slower in lanes.
inline constexpr std::size_t kMostBytesInLanes = std::size_t{1} << 18;

/// The most memory of the rows of a batch in lanes: beyond the caches, a network by itself is
/// faster, which divides a batch into blocks (10-8-2, batch 200,000: 4 times).
inline constexpr std::size_t kMostBytesOfBatch = std::size_t{1} << 24;

template <class T>
bool fits_in_lanes(const Network<T>& network, const Optimizer& optimizer, std::size_t batch) {
    const std::size_t arrays = 2u + optimizer.has_first() + optimizer.has_second();
    const std::size_t bytes = kernels::active_table<T>().in_lanes.lanes * sizeof(T);
    std::size_t of_row = network.features();
    for (const Layer& layer : network.layers()) of_row += 2 * layer.nodes;
    return network.layout().size() * arrays * bytes <= kMostBytesInLanes &&
           batch <= kMostBytesOfBatch / (of_row * bytes);
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

/// Equal for jobs that may be trained side by side; empty for one that must be trained by itself.
template <class T>
std::string lane_key(const TrainJob<T>& job) {
    const Network<T>& network = *job.network;
    const TrainOptions& options = job.options;
    const Optimizer& optimizer = options.optimizer;
    const bool plain_data = job.y.custom == nullptr && job.y.weights == nullptr &&
                            !job.y.is_gradient && samples_of(job) > 0 &&
                            (job.is_scaled || !network.input_scaling());
    const bool plain_network = network.heads().empty() && !network.output_scaling() &&
                               !network.loss_weights() && network.loss().kind != Loss::kCustom;
    const bool plain_options = !options.order && !options.learning_rate && !options.ranks &&
                               options.ema == 0 && optimizer.clip_norm == Optimizer::kUnlimited;
    if (!plain_data || !plain_network || !plain_options) return {};
    const std::size_t batch = std::min(options.batch_size, samples_of(job));
    if (!fits_in_lanes(network, optimizer, batch)) return {};
    std::string key;
    const auto add = [&key](auto... values) {
        const auto one = [&key](auto value) {
            key.append(reinterpret_cast<const char*>(&value), sizeof value);
        };
        (one(values), ...);
    };
    for (const Layer& layer : network.layers()) {
        const bool plain = layer.normalization == Normalization::kNone && layer.dropout == 0 &&
                           layer.input_normalization == Normalization::kNone && layer.trainable &&
                           layer.rate_factor == 1 && layer.nodes <= kWidestInLanes;
        if (!plain) return {};
        add(layer.nodes, layer.activation.kind, layer.activation.parameter);
    }
    try {  // what is refused is refused by itself
        check_features<T>(network.features(), job.x);
        check_targets(network, job.y, job.x.rows);
        check_options(samples_of(job), options);
        for (std::size_t i = 0; options.rows && i < options.row_count; ++i) {
            if (options.rows[i] >= job.x.rows) return {};
        }
    } catch (const std::exception&) {
        return {};
    }
    const Schedule& s = options.schedule;
    const bool continues = network.has_state_for(optimizer);
    add(network.features(), network.loss().kind, network.loss().parameter, samples_of(job),
        job.y.labels != nullptr, options.epochs, options.batch_size, options.first_epoch,
        options.until_epoch, options.shuffle, continues ? network.optimizer_state().steps : 0,
        s.kind, s.factor, s.every, s.final, s.initial, s.rise, s.power, s.warm_up, s.shift,
        s.total_epochs, optimizer.kind, optimizer.momentum, optimizer.nesterov, optimizer.beta_1,
        optimizer.beta_2, optimizer.rho, optimizer.epsilon, optimizer.l1, optimizer.clip_value,
        optimizer.decay_biases, penalizes(optimizer));
    return key;
}

/// The rules of a step of all networks in lanes.
template <class T>
struct LaneRules {
    struct Part {
        kernels::UpdateRule<T> rule;
        kernels::LaneRule<T> by;
    };
    Part weights, others;

    /// Of step `number` since the optimizers' states were 0; lanes have a `job` and a `rate`.
    template <class Lanes>
    void choose(const Lanes& lanes, std::uint64_t number, std::size_t batch) {
        StepRules<T> rules{};
        for (std::size_t l = 0; l < kernels::kMostLanes; ++l) {
            const auto& lane = lanes[l < lanes.size() ? l : 0];
            const auto& before = lanes[l > 0 && l - 1 < lanes.size() ? l - 1 : 0];
            if (l == 0 || !alike(lane, before)) {
                rules = step_rules<T>(lane.job->options.optimizer,
                                      {lane.rate, number, static_cast<double>(batch)});
            }
            put(weights, rules.weights, l);
            put(others, rules.others, l);
        }
    }

private:
    template <class Lane>
    static bool alike(const Lane& a, const Lane& b) {
        const Optimizer &one = a.job->options.optimizer, &other = b.job->options.optimizer;
        return a.rate == b.rate && one.l2 == other.l2 && one.weight_decay == other.weight_decay;
    }
    static void put(Part& part, const kernels::UpdateRule<T>& rule, std::size_t l) {
        if (l == 0) part.rule = rule;
        part.by.rate[l] = rule.rate;
        part.by.l2[l] = rule.l2;
        part.by.keep[l] = rule.keep;
    }
};

}  // namespace fastmlp
