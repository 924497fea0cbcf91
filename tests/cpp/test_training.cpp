// Training has the same bits on any number of threads, with every part that makes threads meet:
// batch statistics, dropout, clipping by the norm, a custom loss, callbacks. Built with
// ThreadSanitizer this also shows that threads do not race.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"
#include "training/options.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;

constexpr std::size_t kRows = 150, kFeatures = 9;

template <class T>
std::vector<T> copied(const Network<T>& network) {
    const Buffer<T>& parameters = *network.parameters();
    return {parameters.data(), parameters.data() + parameters.size()};
}

template <class T>
struct Trained {
    std::vector<T> parameters;
    std::vector<double> losses;
};

template <class T>
Trained<T> train_on(int n_threads, const Layers& layers, Loss loss, TrainOptions options,
                    Conventions conventions) {
    const std::size_t outputs = layers.back().nodes;
    const auto x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows * outputs, 2);
    auto weights = numbers<T>(kRows, 3);
    for (std::size_t b = 0; b < kRows; ++b) weights[b] = b % 3 == 0 ? 0 : weights[b] + T(0.5);
    const CustomLoss<T> absolute = [&](const LossBatch<T>& batch) {
        for (std::size_t b = 0; b < batch.nodes.rows; ++b) {
            batch.losses[b] = 0;
            for (std::size_t j = 0; j < outputs; ++j) {
                const T error = batch.nodes.row(b)[j] - y[batch.samples[b] * outputs + j];
                batch.losses[b] += error * error;
                batch.gradients.row(b)[j] = 2 * error;
            }
        }
    };
    const MatrixView<const T> rows{y.data(), kRows, outputs, outputs};
    Targets<T> targets = loss.kind == Loss::kCustom ? Targets<T>::of_function(absolute, kRows)
                                                    : Targets<T>::of_values(rows);
    targets.weights = weights.data();
    Network<T> network(kFeatures, layers, loss, 7);
    options.epochs = 3;
    options.batch_size = 40;
    options.n_threads = n_threads;
    std::size_t steps = 0;
    if (loss.kind == Loss::kCustom) {
        options.on_step = [&](const StepReport&) { return ++steps > 1000; };
    }
    Trained<T> result;
    for (const EpochReport& report : train_by<T>(
             conventions, network, MatrixView<const T>{x.data(), kRows, kFeatures, kFeatures},
             targets, options)) {
        result.losses.push_back(report.loss);
    }
    result.losses.push_back(conventions.squares);
    result.parameters = copied(network);
    if (options.ema > 0) {
        const Buffer<T>& average = *network.moving_average().parameters;
        result.parameters.insert(result.parameters.end(), average.begin(), average.end());
    }
    return result;
}

template <class T>
void same_on_any_team(const Layers& layers, Loss loss, const TrainOptions& options,
                      const Conventions& conventions = {}) {
    const Trained<T> alone = train_on<T>(1, layers, loss, options, conventions);
    for (const int n_threads : {2, 3, 5}) {
        const Trained<T> team = train_on<T>(n_threads, layers, loss, options, conventions);
        CHECK(check::same(team.parameters, alone.parameters));
        CHECK(check::same(team.losses, alone.losses));
    }
    CHECK(alone.losses[2] < alone.losses[0]);
    CHECK((alone.losses[3] > 0) == conventions.report_squares);
}

template <class T>
void every_meeting() {
    using enum Activation::Kind;
    TrainOptions options;
    options.optimizer.kind = Optimizer::Kind::kAdam;
    options.optimizer.learning_rate = 0.01;
    const Layers plain{{33, kRelu}, {17, kGelu}, {3, kIdentity}};
    const Layers averaged{{33, kRelu, Normalization::kBatch, 0.2},
                          {17, kTanh, Normalization::kBatch},
                          {3, kIdentity}};
    const Layers normalized{{20, kSilu, Normalization::kLayer, 0.1}, {3, kIdentity}};
    same_on_any_team<T>(plain, Loss::kHuber, options);
    same_on_any_team<T>(averaged, Loss::kMeanSquaredError, options);
    same_on_any_team<T>(normalized, Loss::kCustom, options);
    options.optimizer.clip_norm = 0.1;
    options.optimizer.l2 = 0.001;
    Conventions conventions;
    conventions.report_squares = true;
    same_on_any_team<T>(averaged, Loss::kMeanSquaredError, options, conventions);
    same_on_any_team<T>(plain, Loss::kCustom, options, conventions);
    options.ema = 0.9;
    same_on_any_team<T>(averaged, Loss::kMeanSquaredError, options);
    same_on_any_team<T>(plain, Loss::kCustom, options);
    Layers frozen = averaged;
    frozen[0].trainable = false;
    frozen[1].rate_factor = 0.5;
    same_on_any_team<T>(frozen, Loss::kMeanSquaredError, options);
}

template <class F>
bool is_refused(F f) {
    try {
        f();
        return false;
    } catch (const std::invalid_argument&) {
        return true;
    }
}

/// A copy with the optimizer's memory, made in the middle of an epoch, trains on to the same bits.
template <class T>
void copies() {
    const auto x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows, 2);
    const MatrixView<const T> samples{x.data(), kRows, kFeatures, kFeatures};
    const auto targets = Targets<T>::of_values({y.data(), kRows, 1, 1});
    const Layers layers{{12, Activation::kRelu, Normalization::kNone, 0.5},
                        {1, Activation::kIdentity}};
    Network<T> network(kFeatures, layers, Loss::kMeanSquaredError, 1);
    Optimizer adam;
    adam.kind = Optimizer::Kind::kAdam;
    const auto step = [&](Network<T>& net) {
        net.forward(samples);
        net.backward(targets);
        net.update(adam);
    };
    step(network);
    TrainOptions averaging;
    averaging.ema = 0.9;
    averaging.optimizer = adam;
    train(network, samples, targets, averaging);
    step(network);
    Network<T> twin = network.copy(true), forgetful = network.copy();
    CHECK(forgetful.optimizer_state().steps == 0 && !forgetful.moving_average().parameters);
    CHECK(twin.moving_average().steps == network.moving_average().steps);
    for (Network<T>* net : {&network, &twin, &forgetful}) {
        step(*net);
        train(*net, samples, targets, averaging);
    }
    CHECK(check::same(copied(twin), copied(network)));
    CHECK(check::same(std::vector<T>(twin.moving_average().parameters->begin(),
                                     twin.moving_average().parameters->end()),
                      std::vector<T>(network.moving_average().parameters->begin(),
                                     network.moving_average().parameters->end())));
    CHECK(!check::same(copied(forgetful), copied(network)));
}

/// A frozen layer keeps every bit, in steps by hand too; and a network follows another.
template <class T>
void frozen_and_followed() {
    const auto x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows, 2);
    const MatrixView<const T> samples{x.data(), kRows, kFeatures, kFeatures};
    const auto targets = Targets<T>::of_values({y.data(), kRows, 1, 1});
    const Layers layers{{12, Activation::kRelu}, {1, Activation::kIdentity}};
    Network<T> network(kFeatures, layers, Loss::kMeanSquaredError, 1);
    network.set_trainable(0, false);
    const Network<T> before = network.copy();
    const auto is_frozen = [&] {
        return std::equal(network.weights(0).begin(), network.weights(0).end(),
                          before.weights(0).begin()) &&
               network.weights(1)[0] != before.weights(1)[0];
    };
    train(network, samples, targets, {});
    CHECK(is_frozen());
    network.forward(samples);
    network.backward(targets);
    CHECK(network.weight_gradients(0)[0] == 0 && network.weight_gradients(1)[0] != 0);
    network.update(0.1);
    CHECK(is_frozen());
    Network<T> follower = before.copy();
    follower.soft_update(network, 0.5);
    const T between = follower.weights(1)[0];
    CHECK(between != network.weights(1)[0] && between != before.weights(1)[0]);
    follower.soft_update(network, 1);
    CHECK(check::same(copied(follower), copied(network)));
    Network<T> other(kFeatures, {{12, Activation::kTanh}, {1, Activation::kIdentity}},
                     Loss::kMeanSquaredError, 1);
    CHECK(is_refused([&] { other.soft_update(network, 0.5); }));
    CHECK(is_refused([&] { follower.soft_update(network, 1.5); }));
    CHECK(is_refused([&] { network.set_rate_factor(0, 0); }));
    CHECK(is_refused([&] { network.set_trainable(2, false); }));
}

/// Some in lanes, some by themselves; `weighted` with samples of weight 0 that are NaN, of which
/// some fill a batch, `scaled` with outputs and losses that each network scales in its own way.
template <class T>
void many_at_once(Optimizer::Kind optimizer, bool weighted, bool scaled,
                  Normalization normalization) {
    constexpr std::size_t kOutputs = 3;
    auto x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows * kOutputs, 2);
    std::vector<T> weights(kRows);
    for (std::size_t b = 0; b < kRows; ++b) {
        weights[b] = static_cast<T>(b % 3 == 0 ? b % 5 : 0);
        if (!weighted || weights[b] > 0) continue;
        std::fill_n(&x[b * kFeatures], kFeatures, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(&y[b * kOutputs], kOutputs, std::numeric_limits<T>::quiet_NaN());
    }
    const MatrixView<const T> samples{x.data(), kRows, kFeatures, kFeatures};
    auto targets = Targets<T>::of_values({y.data(), kRows, kOutputs, kOutputs});
    if (weighted) targets.weights = weights.data();
    Layers layers{{12, Activation::kTanh, normalization}, {kOutputs, Activation::kIdentity}};
    layers[0].input_normalization = normalization;
    TrainOptions options;
    options.optimizer.kind = optimizer;
    options.batch_size = 4;
    std::vector<Network<T>> networks, alone;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Network<T> network(kFeatures, layers, Loss::kMeanSquaredError, seed);
        const T own = static_cast<T>(seed + 1);
        const std::vector<T> scales(kOutputs, own), weighing{1, 0, own / 7};
        if (scaled) network.set_output_scaling(scales, scales);
        if (scaled) network.set_loss_weights(weighing);
        alone.push_back(network.copy());
        networks.push_back(std::move(network));
    }
    std::vector<TrainJob<T>> jobs;
    for (Network<T>& network : networks) jobs.push_back({&network, samples, targets, options});
    const auto outcomes = train_many<T>(jobs, 4, {});
    for (std::size_t i = 0; i < networks.size(); ++i) {
        const auto reports = train(alone[i], samples, targets, options);
        CHECK(!outcomes[i].error && outcomes[i].reports.size() == reports.size());
        CHECK(outcomes[i].reports.back().loss == reports.back().loss);
        CHECK(networks[i].optimizer_state().steps == alone[i].optimizer_state().steps);
        CHECK(check::same(copied(networks[i]), copied(alone[i])));
    }
}

template <class T>
void many_at_once() {
    for (const bool weighted : {false, true}) {
        for (const bool scaled : {false, true}) {
            for (const auto kind :
                 {Normalization::kNone, Normalization::kBatch, Normalization::kLayer}) {
                many_at_once<T>(Optimizer::Kind::kSgd, weighted, scaled, kind);
                many_at_once<T>(Optimizer::Kind::kAdam, weighted, scaled, kind);
            }
        }
    }
}

}  // namespace

int main() {
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // before the first call reads it
    every_meeting<float>();
    every_meeting<double>();
    copies<float>();
    copies<double>();
    frozen_and_followed<float>();
    frozen_and_followed<double>();
    many_at_once<float>();
    many_at_once<double>();
    return check::report();
}
