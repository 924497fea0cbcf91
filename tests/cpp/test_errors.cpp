// Every error is one of four exceptions, and leaves the network unchanged.

#include <exception>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "small_network.hpp"

namespace {

using fastmlp::Activation;
using fastmlp::MatrixView;
using fastmlp::Network;
using fastmlp::Targets;

constexpr auto kHuge = std::numeric_limits<std::size_t>::max();

void test_construction() {
    const auto make = [](std::size_t features, std::vector<fastmlp::Layer> layers) {
        return [=] {
            Network<float>(features, layers, fastmlp::default_loss(Activation::kIdentity), 1);
        };
    };
    CHECK(check::throws<std::invalid_argument>(make(0, {{1, Activation::kIdentity}})));
    CHECK(check::throws<std::invalid_argument>(make(1, {{0, Activation::kIdentity}})));
    CHECK(check::throws<std::invalid_argument>(
        make(1, {{1, Activation::kSoftmax}, {1, Activation::kIdentity}})));
    CHECK(check::throws<std::bad_alloc>(make(kHuge, {{kHuge, Activation::kIdentity}})));
    CHECK(check::throws<std::bad_alloc>(make(1, {{kHuge / 8, Activation::kIdentity}})));
    CHECK(check::throws<std::invalid_argument>([] { fastmlp::activation_from_name("relo"); }));
}

void test_training() {
    Network<float> network = make_network();
    const std::vector<float> before = parameters_of(network);
    const Data data;
    const auto refused = [&](MatrixView<const float> x, Targets<float> y,
                             const std::function<void(fastmlp::TrainOptions&)>& change) {
        fastmlp::TrainOptions options;
        change(options);
        return check::throws<std::invalid_argument>(
            [&] { fastmlp::train(network, x, y, options); });
    };
    const auto nothing = [](fastmlp::TrainOptions&) {};
    const std::vector<std::int32_t> bad{0, 1, 2, 0};
    CHECK(refused({data.inputs.data(), 4, 2, 3}, data.y(), nothing));
    CHECK(refused({data.inputs.data(), 3, 3, 3}, data.y(), nothing));
    CHECK(refused(data.x(), Targets<float>::of_labels(bad.data(), 4), nothing));
    CHECK(
        refused({data.inputs.data(), 0, 3, 3}, Targets<float>::of_labels(bad.data(), 0), nothing));
    CHECK(refused(data.x(), data.y(), [](auto& options) { options.batch_size = 0; }));
    CHECK(refused(data.x(), data.y(), [](auto& options) { options.optimizer.learning_rate = -1; }));
    CHECK(parameters_of(network) == before);
}

/// They name what is wrong.
void test_messages_of_construction() {
    using enum fastmlp::Activation::Kind;
    using fastmlp::Loss;
    const auto words = [](std::size_t features, std::size_t nodes, Activation output, Loss loss) {
        try {
            Network<float>(features, {{nodes, kRelu}, {2, output}}, loss, 1);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(words(0, 1, kIdentity, Loss::kMeanSquaredError) == "features must be at least 1, got 0");
    CHECK(words(1, 0, kIdentity, Loss::kMeanSquaredError) ==
          "layer 0 must have at least one node, got 0");
    CHECK(words(1, 1, kIdentity, Loss::kCrossEntropy) ==
          "the loss cross_entropy does not go with the output activation identity");
    CHECK(words(1, 1, kIdentity, {Loss::kHuber, -1}) ==
          "the parameter of the loss huber must be above 0 and finite, got -1");
    CHECK(words(1, 1, kSoftmax, {Loss::kCrossEntropy, 2}) ==
          "the parameter of the loss cross_entropy must be from 0 to 1, got 2");
    CHECK(words(1, 1, kIdentity, {Loss::kMeanSquaredError, 1}) ==
          "the parameter of the loss mean_squared_error must be 0, as there is none, got 1");
}

/// Rows of less than their length would overlap, and a result be lost.
void test_strides() {
    Network<float> network = make_network();
    const Data data;
    const auto refused = [](const std::function<void()>& call) {
        return check::throws<std::invalid_argument>(call);
    };
    fastmlp::Predictor<float> predictor(network);
    fastmlp::TrainStep<float> step(network);
    fastmlp::Objective<float> objective(network);
    fastmlp::HessianProduct<float> product(network);
    std::vector<float> room(100), v(network.layout().size()), hv(v.size());
    const MatrixView<float> good_out{room.data(), 4, 2, 2};
    for (const std::size_t stride : {0, 1, 2}) {
        const MatrixView<const float> x{data.inputs.data(), 4, 3, stride};
        CHECK(refused([&] { fastmlp::train(network, x, data.y(), {}); }));
        CHECK(refused([&] { network.predict(x, good_out); }));
        CHECK(refused([&] { network.evaluate(x, data.y()); }));
        CHECK(refused([&] { network.forward(x); }));
        CHECK(refused([&] { network.jacobian(x, {room.data(), 8, 3, 3}); }));
        CHECK(refused([&] { network.input_gradient(x, data.y(), {room.data(), 4, 3, 3}); }));
        CHECK(refused([&] { predictor.predict(x, good_out); }));
        CHECK(refused([&] { step.run(x, data.y(), {}); }));
        CHECK(refused([&] { objective.compute(x, data.y()); }));
        CHECK(refused([&] { product.compute(x, data.y(), v, hv); }));
        const auto jobs = fastmlp::train_many<float>({{&network, x, data.y(), {}}}, 1, {});
        CHECK(refused([&] { std::rethrow_exception(jobs[0].error); }));
    }
    const std::vector<float> targets(8, 0.5F);
    for (const std::size_t stride : {0, 1}) {
        const MatrixView<float> out{room.data(), 4, 2, stride};
        CHECK(refused([&] { network.predict(data.x(), out); }));
        CHECK(refused([&] { predictor.predict(data.x(), out); }));
        CHECK(refused([&] { objective.compute(data.x(), data.y(), out); }));
        const auto y = Targets<float>::of_values({targets.data(), 4, 2, stride});
        CHECK(refused([&] { fastmlp::train(network, data.x(), y, {}); }));
        CHECK(refused([&] { network.evaluate(data.x(), y); }));
        CHECK(refused([&] { step.run(data.x(), y, {}); }));
    }
    network.predict({data.inputs.data(), 1, 3, 0}, {room.data(), 1, 2, 0});  // nothing overlaps
}

/// Rows follow each other if no stride is given.
void test_left_out_stride() {
    Network<float> network = make_network();
    const Data data;
    std::vector<float> out(8), expected(8);
    network.predict({data.inputs.data(), 4, 3, 3}, {expected.data(), 4, 2, 2});
    network.predict({data.inputs.data(), 4, 3}, {out.data(), 4, 2});
    CHECK(out == expected);
    CHECK(MatrixView<float>{}.stride == 0);
}

/// Numbers in messages are short and exact, however large or small.
void test_numbers() {
    const auto words = [](double l1) {
        fastmlp::Optimizer optimizer;
        optimizer.l1 = l1;
        Network<float> network = make_network();
        const Data data;
        std::string message;
        try {
            fastmlp::TrainStep<float>(network).run(data.x(), data.y(), optimizer);
        } catch (const std::invalid_argument& error) {
            message = error.what();
        }
        return message;
    };
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(words(-1e-30) == "l1 must be at least 0 and finite, got -1e-30");
    CHECK(words(-1e300) == "l1 must be at least 0 and finite, got -1e+300");
    CHECK(words(-0.1) == "l1 must be at least 0 and finite, got -0.1");
    CHECK(words(infinity) == "l1 must be at least 0 and finite, got inf");
}

/// What a loss is not made for is refused with its row, before anything has changed.
void test_targets() {
    using enum fastmlp::Activation::Kind;
    using fastmlp::Loss;
    const Data data;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto words = [&](Activation output, Loss loss, const std::vector<float>& values,
                           const float* weights, MatrixView<const float> x) {
        Network<float> network(3, {{4, kRelu}, {1, output}}, loss, 1);
        const std::vector<float> before = parameters_of(network);
        Targets<float> y = Targets<float>::of_values({values.data(), 4, 1, 1});
        y.weights = weights;
        std::string message;
        try {
            fastmlp::train(network, x, y, {});
        } catch (const std::invalid_argument& error) {
            message = error.what();
            CHECK(parameters_of(network) == before && network.epoch() == 0);
        }
        return message;
    };
    const auto of = [&](Activation output, Loss loss, const std::vector<float>& values,
                        const std::vector<float>& weights = {1, 1, 1, 1}) {
        return words(output, loss, values, weights.data(), data.x());
    };
    CHECK(of(kSigmoid, Loss::kBinaryCrossEntropy, {1, 0, -1, 1}) ==
          "y must be from 0 to 1, row 2 is not");
    CHECK(of(kSoftmax, Loss::kCrossEntropy, {1, 0, 1, -1}) ==
          "y must be at least 0 and finite, row 3 is not");
    CHECK(of(kExp, Loss::kPoisson, {1, -7, 0, 1}) ==
          "y must be at least 0 and finite, row 1 is not");
    CHECK(of(kIdentity, Loss::kMeanSquaredError, {1, 0, 0, nan}) ==
          "y must be finite, row 3 is not");
    CHECK(of(kIdentity, Loss::kMeanSquaredError, {1, 0, 0, 1}, {1, 1, -1, 1}) ==
          "weights must be at least 0 and finite, row 2 is not");
    CHECK(of(kIdentity, Loss::kMeanSquaredError, {1, 0, 0, 1}, {nan, 1, 1, 1}) ==
          "weights must be at least 0 and finite, row 0 is not");
    CHECK(of(kIdentity, Loss::kMeanSquaredError, {1, 0, nan, 1}, {1, 1, 0, 1}).empty());
    std::vector<float> inputs = data.inputs;
    inputs[4] = nan;
    const std::vector<float> zero_one{0, 1, 0, 1}, left_out{1, 0, 1, 1};
    const MatrixView<const float> x{inputs.data(), 4, 3, 3};
    CHECK(words(kIdentity, Loss::kMeanSquaredError, zero_one, nullptr, x) ==
          "x must be finite as the network reads it, row 1 is not");
    CHECK(words(kIdentity, Loss::kMeanSquaredError, zero_one, left_out.data(), x).empty());
}

/// Whatever computes a loss refuses the same targets as training.
void test_targets_without_training() {
    using enum fastmlp::Activation::Kind;
    const Data data;
    Network<float> network(3, {{4, kRelu}, {1, kSigmoid}}, fastmlp::Loss::kBinaryCrossEntropy, 1);
    fastmlp::Objective<float> objective(network);
    fastmlp::HessianProduct<float> product(network);
    std::vector<float> gradient(12), v(network.layout().size(), 1), hv(v.size());
    const auto words = [](const std::function<void()>& call) {
        try {
            call();
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    const auto check_all = [&](const Targets<float>& y, const std::string& expected) {
        CHECK(words([&] { network.evaluate(data.x(), y); }) == expected);
        CHECK(words([&] { network.input_gradient(data.x(), y, {gradient.data(), 4, 3, 3}); }) ==
              expected);
        CHECK(words([&] { product.compute(data.x(), y, v, hv); }) == expected);
    };
    const std::vector<float> good{1, 0, 1, 1}, bad{1, 0, -1, 1}, weights{1, -1, 1, 1};
    const auto of = [](const std::vector<float>& values) {
        return Targets<float>::of_values({values.data(), 4, 1, 1});
    };
    check_all(of(good), "");
    check_all(of(bad), "y must be from 0 to 1, row 2 is not");
    CHECK(words([&] { objective.compute(data.x(), of(bad)); }) ==
          "y must be from 0 to 1, row 2 is not");
    Targets<float> weighted = of(good);
    weighted.weights = weights.data();
    check_all(weighted, "weights must be at least 0 and finite, row 1 is not");
    CHECK(words([&] { objective.compute(data.x(), weighted); }).empty());
}

/// The setter and files have the rule of training.
void test_output_scales() {
    using enum fastmlp::Activation::Kind;
    Network<float> network(3, {{2, kIdentity}}, fastmlp::Loss::kMeanSquaredError, 1);
    const std::vector<float> zeros(2), ones(2, 1.0F);
    for (const float bad :
         {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const std::vector<float> scales{1, bad};
        CHECK(check::throws<std::invalid_argument>(
            [&] { network.set_output_scaling(scales, zeros); }));
        CHECK(network.output_scaling() == nullptr);
    }
    network.set_output_scaling(ones, zeros);
    fastmlp::Archive archive = fastmlp::to_archive(network);
    const std::vector<float> negative{1, -1};
    for (fastmlp::Tensor& tensor : archive.tensors) {
        if (tensor.name == "output_scale") tensor.bytes = std::as_bytes(std::span(negative));
    }
    CHECK(check::throws<fastmlp::FormatError>([&] { fastmlp::from_archive(archive, "file"); }));
    (*network.output_scaling())[1] = -1;  // live
    CHECK(check::throws<std::invalid_argument>([&] { fastmlp::to_archive(network); }));
}

void test_files() {
    CHECK(check::throws<std::system_error>([] { fastmlp::load<float>("no/such/file"); }));
    CHECK(check::throws<std::system_error>(
        [] { fastmlp::save(make_network(), "no/such/folder/file"); }));
    fastmlp::save(make_network(), "errors.safetensors");
    CHECK(check::throws<fastmlp::FormatError>([] { fastmlp::load<double>("errors.safetensors"); }));
    std::filesystem::resize_file("errors.safetensors", 100);
    CHECK(check::throws<fastmlp::FormatError>([] { fastmlp::load<float>("errors.safetensors"); }));
    CHECK(check::throws<std::invalid_argument>([] { fastmlp::load<float>("errors.safetensors"); }));
    std::filesystem::remove("errors.safetensors");
}

/// Every single allocation of a call fails once: std::bad_alloc each time, and `holds` after it.
void test_no_memory(const std::function<void()>& call, const std::function<bool()>& holds) {
    for (std::size_t n = 0; n < 10000; ++n) {
        allocations::refused = allocations::count + n;
        const bool refused = check::throws<std::bad_alloc>(call);
        allocations::refused = kHuge;
        if (!refused) return CHECK(n > 0);
        if (!holds()) return CHECK(!"holds");
    }
    CHECK(!"never done");
}

void test_allocations() {
    const Data data;
    Network<float> network = make_network();
    const std::vector<float> before = parameters_of(network);
    const auto unchanged = [&] { return parameters_of(network) == before; };
    test_no_memory([] { make_network(); }, [] { return true; });
    test_no_memory([&] { const fastmlp::Predictor<float> predictor(network); }, unchanged);
    fastmlp::get_num_threads();  // queries the machine once, and tolerates failure
    fastmlp::TrainOptions options;
    options.n_threads = 1;
    // Memory may also run out between epochs: the network is then that of the last one.
    const auto usable = [&] { return network.evaluate(data.x(), data.y(), 1).loss < 10; };
    test_no_memory([&] { fastmlp::train(network, data.x(), data.y(), options); }, usable);
}

}  // namespace

int main() {
    test_construction();
    test_messages_of_construction();
    test_training();
    test_strides();
    test_left_out_stride();
    test_numbers();
    test_targets();
    test_targets_without_training();
    test_output_scales();
    test_files();
    test_allocations();
    return check::report();
}
