// A pipeline: several threads take batches of rows and predict with the one network.
//
// `Network::predict` is const and may run on any number of threads at once. Each worker asks for
// one thread, as the pipeline has threads enough. Where rows come singly, give each worker a
// `Predictor` of its own. The outputs have the same bits whoever computes them, and in whatever
// batches.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;

constexpr std::size_t kRows = 10000, kFeatures = 40, kOutputs = 10, kBatch = 64;

std::vector<float> draw_inputs() {
    const fastmlp::RandomStream random{1, fastmlp::Purpose::kInitialWeights, 0};
    std::vector<float> inputs(kRows * kFeatures);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = static_cast<float>(random.uniform(i));
    }
    return inputs;
}

/// A counter of batches: each free worker takes the next.
class Batches {
public:
    /// The first row of the next batch, kRows or more if there is none.
    std::size_t take() { return next_.fetch_add(kBatch); }

private:
    std::atomic<std::size_t> next_{0};
};

void work(const fastmlp::Network<float>& network, const std::vector<float>& inputs,
          std::vector<float>& outputs, Batches& batches) {
    for (std::size_t first = batches.take(); first < kRows; first = batches.take()) {
        const std::size_t rows = std::min(kBatch, kRows - first);
        network.predict({inputs.data() + first * kFeatures, rows, kFeatures, kFeatures},
                        {outputs.data() + first * kOutputs, rows, kOutputs, kOutputs}, 1);
    }
}

}  // namespace

int main() {
    const fastmlp::Network<float> network(
        kFeatures, {{100, Activation::kRelu}, {100, Activation::kRelu}, {10, Activation::kSoftmax}},
        fastmlp::default_loss(Activation::kSoftmax), 1);
    const std::vector<float> inputs = draw_inputs();
    std::vector<float> outputs(kRows * kOutputs), alone(kRows * kOutputs);

    Batches batches;
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; ++i) {
        workers.emplace_back([&] { work(network, inputs, outputs, batches); });
    }
    for (std::thread& worker : workers) worker.join();

    network.predict({inputs.data(), kRows, kFeatures, kFeatures},
                    {alone.data(), kRows, kOutputs, kOutputs});
    std::printf("%zu rows by four threads: %s\n", kRows,
                outputs == alone ? "the same bits as at once" : "different from at once");
    return outputs == alone ? 0 : 1;
}
