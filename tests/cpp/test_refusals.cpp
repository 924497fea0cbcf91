// What would read or write beyond a buffer, train a network twice at the same time, or give numbers
// that are none, is refused in words, and changes nothing.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "kernels/dispatch.hpp"
#include "small_network.hpp"

namespace {

using fastmlp::Activation;
using fastmlp::MatrixView;
using fastmlp::Network;
using fastmlp::Targets;
using fastmlp::TrainOptions;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The message of the std::invalid_argument that a call throws; empty if it throws none.
std::string refusal(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return {};
}

/// What would read or write beyond the memory of networks, or train one twice at the same time.
void test_networks_that_do_not_fit() {
    using fastmlp::Activation;
    const Data data;
    Network<float> network = make_network();
    const std::vector<float> before = parameters_of(network);

    const auto networks = [](const fastmlp::Layer& hidden) {
        return fastmlp::Networks<float>(
            {3, {hidden, {2, Activation::kIdentity}}, fastmlp::Loss::kMeanSquaredError, 1}, 3);
    };
    const fastmlp::Networks<float> many = networks({4, Activation::kRelu});
    std::vector<float> out(16, 7.0F);
    const auto predict = [&](const fastmlp::Networks<float>& of, std::vector<std::size_t> places) {
        return refusal([&] { of.predict(data.x(), places, out.data()); });
    };
    fastmlp::Layer normalized{4, Activation::kRelu};
    normalized.normalization = fastmlp::Normalization::kLayer;
    CHECK(predict(networks(normalized), {0}) == "these layers are not predicted side by side");
    CHECK(many.predicts_together() ==
          (std::string_view(fastmlp::kernels::active_isa().name) != "scalar"));
    if (many.predicts_together()) {
        CHECK(predict(many, {0, 3}) == "there is no network 3 of 3");
    }
    CHECK(out == std::vector<float>(16, 7.0F));

    fastmlp::OptimizerState<float> state;
    state.first = std::make_shared<fastmlp::Buffer<float>>(before.size() - 1);
    CHECK(refusal([&] { network.set_optimizer_state(state); }) ==
          "the state of the optimizer is of other layers");
    CHECK(network.optimizer_state().first == nullptr);

    network.forward(data.x());
    network.backward(data.y());
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(refusal([&] { network.update(nan); }) ==
          "learning_rate must be at least 0 and finite, got nan");
    CHECK(refusal([&] { network.update(-0.5); }) ==
          "learning_rate must be at least 0 and finite, got -0.5");
    CHECK(!refusal([&] { network.update(1e300); }).empty());

    const fastmlp::TrainJob<float> job{&network, data.x(), data.y(), {}};
    const fastmlp::TrainJob<float> none{nullptr, data.x(), data.y(), {}};
    CHECK(refusal([&] { fastmlp::train_many<float>({job, job}, 2, {}); }) ==
          "two jobs have the same network");
    CHECK(refusal([&] { fastmlp::train_many<float>({job, none}, 2, {}); }) ==
          "a job has no network");
    CHECK(parameters_of(network) == before && network.epoch() == 0);
}

/// A network counts its epochs, by which it draws its orders of samples, in 32 bits.
void test_too_many_epochs() {
    const Data data;
    Network<float> network = make_network();
    const std::vector<float> before = parameters_of(network);
    const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
    network.set_epoch(most - 2);
    TrainOptions options;
    options.epochs = 3;
    const std::string words =
        "epochs must be at most 2 more, as a network counts them in 32 bits, got 3";
    CHECK(refusal([&] { fastmlp::train(network, data.x(), data.y(), options); }) == words);
    const auto outcomes =
        fastmlp::train_many<float>({{&network, data.x(), data.y(), options}}, 1, {});
    CHECK(refusal([&] { std::rethrow_exception(outcomes[0].error); }) == words);
    CHECK(parameters_of(network) == before);
    options.until_epoch = 2;
    CHECK(fastmlp::train(network, data.x(), data.y(), options).size() == 2);
    CHECK(network.epoch() == most);
}

/// Side by side or each by itself, as `train`: the row is named, unless its weight is 0.
void test_rows_that_are_not_finite() {
    Data data;
    data.inputs[7] = kNan;
    const std::string words = "x must be finite as the network reads it, row 2 is not";
    for (const std::size_t count : {1, 16}) {
        std::vector<Network<float>> networks;
        std::vector<fastmlp::TrainJob<float>> jobs;
        for (std::size_t i = 0; i < count; ++i) networks.push_back(make_network(i));
        for (Network<float>& network : networks) {
            jobs.push_back({&network, data.x(), data.y(), {}});
        }
        for (const fastmlp::TrainOutcome& outcome : fastmlp::train_many(jobs, 1, {})) {
            CHECK(refusal([&] { std::rethrow_exception(outcome.error); }) == words);
        }
        const std::vector<float> weights{1, 1, 0, 1};
        for (fastmlp::TrainJob<float>& job : jobs) job.y.weights = weights.data();
        for (const fastmlp::TrainOutcome& outcome : fastmlp::train_many(jobs, 1, {})) {
            CHECK(!outcome.error && outcome.reports.size() == 10);
        }
    }
}

void test_scalings() {
    Network<float> network(2, {{2, Activation::kIdentity}}, fastmlp::Loss::kMeanSquaredError, 1);
    const std::vector<float> ones{1, 1};
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
        const std::vector<float> numbers{1, bad};
        const std::string words = "scales and offsets must be finite";
        CHECK(refusal([&] { network.set_input_scaling(numbers, ones); }) == words);
        CHECK(refusal([&] { network.set_input_scaling(ones, numbers); }) == words);
        CHECK(refusal([&] { network.set_output_scaling(ones, numbers); }) == words);
        CHECK(!network.input_scaling() && !network.output_scaling());
    }
    network.set_input_scaling(std::vector<float>{-2, 0}, ones);
    CHECK(network.input_scaling());
}

void test_layers_that_are_not_there() {
    Network<float> network = make_network();
    const Network<float>& constant = network;
    const std::string words = "there is no layer 2 of 2";
    CHECK(refusal([&] { network.weights(2); }) == words);
    CHECK(refusal([&] { network.biases(2); }) == words);
    CHECK(refusal([&] { network.weight_gradients(2); }) == words);
    CHECK(refusal([&] { network.bias_gradients(2); }) == words);
    CHECK(refusal([&] { constant.weights(2); }) == words);
    CHECK(refusal([&] { constant.biases(2); }) == words);
    CHECK(refusal([&] { network.set_trainable(2, false); }) == words);
    CHECK(network.weights(1).size() == 40 && constant.biases(1).size() == 2);
}

/// An integer is divided by both.
void test_schedules_of_no_epochs_or_steps() {
    fastmlp::Schedule schedule;
    schedule.kind = fastmlp::Schedule::Kind::kStep;
    schedule.factor = 0.5;
    CHECK(fastmlp::schedule_factor(schedule, {3, 2, 4}) == 0.5);
    CHECK(refusal([&] { fastmlp::schedule_factor(schedule, {3, 0, 4}); }) ==
          "steps_per_epoch must be at least 1, got 0");
    schedule.every = 0;
    CHECK(refusal([&] { fastmlp::schedule_factor(schedule, {3, 2, 4}); }) ==
          "every must be at least 1, got 0");
}

/// A variance below 0 would make every prediction NaN.
void test_variances_below_0() {
    fastmlp::Layer hidden{3, Activation::kRelu};
    hidden.normalization = fastmlp::Normalization::kBatch;
    const Network<float> network(2, {hidden, {1, Activation::kIdentity}},
                                 fastmlp::Loss::kMeanSquaredError, 1);
    fastmlp::Archive archive = fastmlp::to_archive(network);
    const std::vector<float> variances{1, 0, -0.5F};
    for (fastmlp::Tensor& tensor : archive.tensors) {
        if (tensor.name.ends_with("variances")) tensor.bytes = std::as_bytes(std::span(variances));
    }
    const std::string read = refusal([&] { fastmlp::from_archive(archive, "file"); });
    CHECK(read.find("'layers.0.running_variances'") != std::string::npos);
    CHECK(read.find("element 2 is a variance below 0") != std::string::npos);
    auto& statistics = *network.statistics();
    std::copy(variances.begin(), variances.end(), statistics.data() + 3);
    CHECK(refusal([&] {
              fastmlp::to_archive(network);
          }).starts_with("layers.0.running_variances: element 2 is a variance below 0"));
}

}  // namespace

int main() {
    test_networks_that_do_not_fit();
    test_too_many_epochs();
    test_rows_that_are_not_finite();
    test_scalings();
    test_layers_that_are_not_there();
    test_schedules_of_no_epochs_or_steps();
    test_variances_below_0();
    return check::report();
}
