// The prepared predictor: the bits of `Network::predict`, a snapshot, and no allocation at all.

#include "fastmlp/predictor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;
using fastmlp::Layer;
using fastmlp::MatrixView;
using fastmlp::Network;
using fastmlp::Predictor;

template <class T>
std::vector<T> uniform(std::size_t count) {
    const fastmlp::RandomStream stream{3, fastmlp::Purpose::kInitialWeights, 0};
    std::vector<T> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(stream.uniform(i) - 0.5);
    return values;
}

template <class T>
MatrixView<T> matrix(std::vector<std::remove_const_t<T>>& values, std::size_t rows) {
    const std::size_t cols = rows == 0 ? 0 : values.size() / rows;
    return {values.data(), rows, cols, cols};
}

template <class Call>
bool refused(Call call) {
    try {
        call();
    } catch (const std::invalid_argument&) {
        return true;
    }
    return false;
}

template <class T>
bool same(std::span<const T> a, std::span<const T> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](T x, T y) { return check::same(x, y); });
}

/// The first n rows for every n, together and one by one, give the network's outputs.
template <class T>
void test_bits(std::size_t features, std::vector<Layer> layers) {
    const fastmlp::Loss loss = fastmlp::default_loss(layers.back().activation);
    const Network<T> network(features, layers, loss, 5);
    Predictor<T> predictor(network);
    constexpr std::size_t kRows = 300;
    const std::size_t outputs = network.outputs();
    std::vector<T> inputs = uniform<T>(kRows * features);
    std::vector<T> expected(kRows * outputs), out(kRows * outputs);
    network.predict(matrix<const T>(inputs, kRows), matrix<T>(expected, kRows));
    for (const std::size_t rows : {1, 2, 7, 8, 16, 17, 127, 128, 129, 300}) {
        std::fill(out.begin(), out.end(), T(7));
        predictor.predict({inputs.data(), rows, features, features},
                          {out.data(), rows, outputs, outputs});
        CHECK(same<T>({out.data(), rows * outputs}, {expected.data(), rows * outputs}));
        CHECK(rows == kRows || out[rows * outputs] == T(7));
    }
    for (std::size_t b = 0; b < kRows; ++b) {
        predictor.predict_row({inputs.data() + b * features, features}, {out.data(), outputs});
        CHECK(same<T>({out.data(), outputs}, {expected.data() + b * outputs, outputs}));
    }
}

template <class T>
void test_no_allocation(std::size_t features, std::vector<Layer> layers) {
    const fastmlp::Loss loss = fastmlp::default_loss(layers.back().activation);
    Network<T> network(features, layers, loss, 5);
    Predictor<T> predictor(network);
    std::vector<T> inputs = uniform<T>(1000 * features), out(1000 * network.outputs());
    const std::size_t before = allocations::count;
    for (const std::size_t rows : {1, 3, 8, 17, 128, 1000}) {
        predictor.predict({inputs.data(), rows, features, features},
                          {out.data(), rows, network.outputs(), network.outputs()});
    }
    predictor.predict_row({inputs.data(), features}, {out.data(), network.outputs()});
    predictor.refresh(network);
    CHECK(allocations::count == before);
}

void test_snapshot() {
    Network<float> network(2, {{20, Activation::kTanh}, {1, Activation::kIdentity}},
                           fastmlp::default_loss(Activation::kIdentity), 1);
    Predictor<float> predictor(network);
    const std::vector<float> x = {0.3F, -0.7F};
    std::vector<float> first(1), second(1);
    predictor.predict_row(x, first);
    for (float& weight : network.weights(1)) weight *= 0.5F;
    predictor.predict_row(x, second);
    CHECK(first == second);
    predictor.refresh(network);
    predictor.predict_row(x, second);
    network.predict({x.data(), 1, 2, 2}, {first.data(), 1, 1, 1});
    CHECK(first == second);
    Predictor<float> moved(std::move(predictor));
    moved.predict_row(x, second);
    CHECK(first == second);
}

/// A network that scales its features and outputs: also of rows of another type.
void test_scaled() {
    const std::vector<float> scales = {2.0F, 0.25F}, offsets = {-1.0F, 3.0F};
    const std::vector<float> scale = {100.0F}, offset = {-7.0F};
    Network<float> network(2, {{20, Activation::kTanh}, {1, Activation::kIdentity}},
                           fastmlp::default_loss(Activation::kIdentity), 1);
    const std::vector<float> x = {0.3F, -0.7F}, z = {2.0F * 0.3F - 1.0F, 0.25F * -0.7F + 3.0F};
    std::vector<float> plain(1), out(1), again(1);
    network.predict({z.data(), 1, 2, 2}, {plain.data(), 1, 1, 1});
    CHECK(refused([&] { network.set_input_scaling(scale, offset); }));
    network.set_input_scaling(scales, offsets);
    network.set_output_scaling(scale, offset);
    network.predict({x.data(), 1, 2, 2}, {out.data(), 1, 1, 1});
    CHECK(std::abs(out[0] - (100.0F * plain[0] - 7.0F)) < 1e-4F);
    Predictor<float> predictor(network);
    const std::size_t before = allocations::count;
    predictor.predict_row(x, again);
    predictor.refresh(network);
    CHECK(allocations::count == before);
    CHECK(same<float>(out, again));
    const std::vector<double> wide(x.begin(), x.end());
    network.predict(fastmlp::RawView<float>::of<double>({wide.data(), 1, 2, 2}),
                    {again.data(), 1, 1, 1});
    CHECK(std::abs(out[0] - again[0]) < 1e-4F);
    network.set_input_scaling({}, {});
    network.set_output_scaling({}, {});
    predictor.refresh(network);
    predictor.predict_row(z, again);
    CHECK(same<float>(plain, again));
}

void test_refusals() {
    const auto loss = fastmlp::default_loss(Activation::kIdentity);
    const Network<float> network(2, {{3, Activation::kIdentity}}, loss, 1);
    const Network<float> other(2, {{3, Activation::kTanh}}, loss, 1);
    Predictor<float> predictor(network);
    std::vector<float> x(4), out(6, 7.0F);
    const std::vector<float> untouched = out;
    CHECK(refused([&] { predictor.refresh(other); }));
    CHECK(refused([&] { predictor.predict_row(x, {out.data(), 3}); }));
    CHECK(refused([&] { predictor.predict_row({x.data(), 2}, out); }));
    CHECK(refused([&] { predictor.predict({x.data(), 2, 2, 2}, {out.data(), 1, 3, 3}); }));
    CHECK(out == untouched);
    predictor.predict({x.data(), 0, 2, 2}, {out.data(), 0, 3, 3});  // nothing is fine
    CHECK(out == untouched);
}

template <class T>
void test_networks() {
    using enum Activation::Kind;
    test_bits<T>(40, {{100, kRelu}, {100, kRelu}, {10, kSoftmax}});
    test_bits<T>(7, {{16, kTanh}, {17, kSigmoid}, {1, kSigmoid}});
    test_bits<T>(3, {{1024, kRelu}, {1024, kTanh}, {33, kIdentity}});  // rows that alias
    test_no_allocation<T>(40, {{100, kRelu}, {100, kRelu}, {10, kSoftmax}});
    test_no_allocation<T>(3, {{1024, kRelu}, {1024, kTanh}, {33, kIdentity}});
}

/// The mean and the deviation of networks from a file, without an allocation.
template <class T>
void test_ensemble() {
    std::vector<Network<T>> networks;
    std::vector<fastmlp::AnyNetworkPointer> members;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        networks.emplace_back(
            4, std::vector<Layer>{{9, Activation::kRelu}, {2, Activation::kIdentity}},
            fastmlp::Loss::kMeanSquaredError, seed);
    }
    for (const Network<T>& network : networks) members.emplace_back(&network);
    const auto path = std::filesystem::temp_directory_path() / "fastmlp_test_ensemble.safetensors";
    fastmlp::save_ensemble(members, path);
    const std::vector<fastmlp::AnyNetwork> read = fastmlp::load_ensemble(path);
    std::filesystem::remove(path);
    fastmlp::EnsemblePredictor<T> predictor(read);
    CHECK(predictor.size() == 5 && predictor.features() == 4 && predictor.outputs() == 2);

    const std::vector<T> x = uniform<T>(4);
    std::vector<double> mean(2), deviation(2), total(2), squares(2);
    const std::size_t before = allocations::count;
    predictor.predict_row(x, mean, deviation);
    CHECK(allocations::count == before);
    std::vector<std::vector<T>> outputs;
    for (const Network<T>& network : networks) {
        outputs.emplace_back(2);
        Predictor<T>(network).predict_row(x, outputs.back());
        for (std::size_t j = 0; j < 2; ++j) total[j] += static_cast<double>(outputs.back()[j]);
    }
    for (std::size_t j = 0; j < 2; ++j) {
        CHECK(check::same(mean[j], total[j] / 5));
        for (const std::vector<T>& output : outputs) {
            const double apart = static_cast<double>(output[j]) - mean[j];
            squares[j] += apart * apart;
        }
        CHECK(check::same(deviation[j], std::sqrt(squares[j] / 5)) && deviation[j] > 0);
    }
    std::vector<double> alone(2);
    predictor.predict_row(x, alone);
    CHECK(check::same(alone, mean));
    CHECK(refused([&] { predictor.predict_row({x.data(), 3}, alone); }));
    CHECK(refused([&] { predictor.predict_row(x, {alone.data(), 1}); }));
    CHECK(refused([&] { predictor.predict_row(x, alone, {deviation.data(), 1}); }));
    using Other = std::conditional_t<std::is_same_v<T, float>, double, float>;
    CHECK(refused([&] { fastmlp::EnsemblePredictor<Other>{read}; }));
    CHECK(refused([&] { fastmlp::EnsemblePredictor<T>{{}}; }));
    std::vector<fastmlp::AnyNetwork> mixed;
    for (const std::size_t features : {4, 3}) {
        mixed.emplace_back(Network<T>(features, {{2, Activation::kIdentity}},
                                      fastmlp::Loss::kMeanSquaredError, 1));
    }
    CHECK(refused([&] { fastmlp::EnsemblePredictor<T>{mixed}; }));
}

}  // namespace

int main() {
    test_networks<float>();
    test_networks<double>();
    test_ensemble<float>();
    test_ensemble<double>();
    test_snapshot();
    test_scaled();
    test_refusals();
    return check::report();
}
