// Every error is one of four exceptions, and leaves the network unchanged.

#include <functional>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;
using fastmlp::MatrixView;
using fastmlp::Network;
using fastmlp::Targets;

constexpr auto kHuge = std::numeric_limits<std::size_t>::max();

Network<float> make_network() {
    return {3,
            {{20, Activation::kRelu}, {2, Activation::kSoftmax}},
            fastmlp::default_loss(Activation::kSoftmax),
            1};
}

std::vector<float> parameters_of(const Network<float>& network) {
    const std::span<const float> all(*network.parameters());
    return {all.begin(), all.end()};
}

struct Data {
    std::vector<float> inputs = std::vector<float>(12, 0.5F);
    std::vector<std::int32_t> labels{0, 1, 1, 0};

    MatrixView<const float> x() const { return {inputs.data(), 4, 3, 3}; }
    Targets<float> y() const { return Targets<float>::of_labels(labels.data(), 4); }
};

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
    test_training();
    test_files();
    test_allocations();
    return check::report();
}
