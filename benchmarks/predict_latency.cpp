// Microseconds a call for predictions on one thread, hot caches, the best of several runs: the rows
// of docs/performance.md as JSON.
//
//     predict_latency [FEATURES NODES...]        (default: 40 100 100 10)
//
// relu inside, softmax at the output, float32. `Predictor` is the prepared object, `Network` the
// network's own predict.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;
using fastmlp::MatrixView;
using Clock = std::chrono::steady_clock;

/// Seconds a call: the best of runs of about a millisecond, for a quarter of a second.
template <class Function>
double seconds_per_call(Function&& call) {
    const auto time = [&](std::size_t calls) {
        const auto start = Clock::now();
        for (std::size_t i = 0; i < calls; ++i) call();
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    std::size_t calls = 1;
    while (time(calls) < 1e-3) calls *= 2;
    double best = 1e9;
    const auto end = Clock::now() + std::chrono::milliseconds(250);
    do best = std::min(best, time(calls) / static_cast<double>(calls));
    while (Clock::now() < end);
    return best;
}

fastmlp::Network<float> make_network(const std::vector<std::size_t>& sizes) {
    std::vector<fastmlp::Layer> layers;
    for (std::size_t i = 1; i < sizes.size(); ++i) layers.push_back({sizes[i], Activation::kRelu});
    layers.back().activation = Activation::kSoftmax;
    return {sizes.front(), layers, fastmlp::default_loss(Activation::kSoftmax), 1};
}

void measure(const fastmlp::Network<float>& network, std::size_t rows) {
    const std::size_t features = network.features(), outputs = network.outputs();
    std::vector<float> inputs(rows * features), results(rows * outputs);
    const fastmlp::RandomStream stream{1, fastmlp::Purpose::kInitialWeights, 0};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = static_cast<float>(stream.uniform(i));
    }
    const MatrixView<const float> x{inputs.data(), rows, features, features};
    const MatrixView<float> out{results.data(), rows, outputs, outputs};
    fastmlp::Predictor<float> predictor(network);
    const double prepared = seconds_per_call([&] { predictor.predict(x, out); });
    const double direct = seconds_per_call([&] { network.predict(x, out, 1); });
    std::printf("{\"rows\": %zu, \"Predictor\": %.3f, \"Network::predict\": %.3f}\n", rows,
                prepared * 1e6, direct * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::size_t> sizes;
    for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    if (sizes.size() < 2) sizes = {40, 100, 100, 10};
    const fastmlp::Network<float> network = make_network(sizes);
    for (const std::size_t rows : {1, 8, 64, 1000}) measure(network, rows);
    return 0;
}
