// Trains for a given number of epochs and stops: something for valgrind to count.
//
//     train_steps [scaled] EPOCHS STEPS BATCH FEATURES NODES...
//
// One thread; relu and softmax (squared error where there is one output), STEPS batches an epoch.
// A scaled network scales its features, and its outputs if they are numbers.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "fastmlp/fastmlp.hpp"
#include "propagation/cache_size.hpp"

#if defined(__linux__)
/// No time passes: how many steps there are between two looks at the clock is counted as well, and
/// must not depend on what else the machine does.
extern "C" int clock_gettime(clockid_t, timespec* time) noexcept {
    *time = {};
    return 0;
}
#endif

namespace {

using fastmlp::Activation;

std::vector<fastmlp::Layer> relu_layers(const std::vector<std::size_t>& sizes, Activation output) {
    std::vector<fastmlp::Layer> layers;
    for (std::size_t i = 1; i < sizes.size(); ++i) layers.push_back({sizes[i], Activation::kRelu});
    layers.back().activation = output;
    return layers;
}

std::vector<float> uniform(std::size_t count) {
    const fastmlp::RandomStream stream{1, fastmlp::Purpose::kInitialWeights, 0};
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(stream.uniform(i));
    return values;
}

void scale(fastmlp::Network<float>& network) {
    const std::vector<float> features(network.features(), 1.5F), outputs(network.outputs(), 0.5F);
    network.set_input_scaling(features, features);
    if (network.layers().back().activation == Activation::kIdentity) {
        network.set_output_scaling(outputs, outputs);
    }
}

void train_steps(std::size_t epochs, std::size_t steps, std::size_t batch,
                 const std::vector<std::size_t>& sizes, bool scaled) {
    const std::size_t rows = steps * batch;
    const std::vector<float> inputs = uniform(rows * sizes.front());
    const std::vector<float> values = uniform(rows);
    std::vector<std::int32_t> labels(rows);
    for (std::size_t i = 0; i < rows; ++i) {
        labels[i] = static_cast<std::int32_t>(i % sizes.back());
    }
    const bool regression = sizes.back() == 1;
    const auto y = regression ? fastmlp::Targets<float>::of_values({values.data(), rows, 1, 1})
                              : fastmlp::Targets<float>::of_labels(labels.data(), rows);
    const Activation output = regression ? Activation::kIdentity : Activation::kSoftmax;
    fastmlp::Network<float> network(sizes.front(), relu_layers(sizes, output),
                                    fastmlp::default_loss(output), 1);
    if (scaled) scale(network);
    fastmlp::TrainOptions options;
    options.epochs = epochs;
    options.batch_size = batch;
    options.optimizer.learning_rate = 0.01;
    options.n_threads = 1;
    fastmlp::train<float>(network, {inputs.data(), rows, sizes.front(), sizes.front()}, y, options);
}

}  // namespace

int main(int argc, char** argv) {
    const bool scaled = argc > 1 && std::strcmp(argv[1], "scaled") == 0;
    std::vector<std::size_t> numbers;
    for (int i = scaled ? 2 : 1; i < argc; ++i) {
        numbers.push_back(std::strtoull(argv[i], nullptr, 10));
    }
    if (numbers.size() < 5) {
        std::printf("%s %d\n",
#if defined(__clang__)
                    "clang", __clang_major__
#else
                    "gcc", __GNUC__
#endif
        );
        return 0;
    }
    const fastmlp::CacheSizes sizes{48 << 10, 1 << 20};  // valgrind's processor has others
    fastmlp::assume_cache_sizes(&sizes);
    train_steps(numbers[0], numbers[1], numbers[2], {numbers.begin() + 3, numbers.end()}, scaled);
    return 0;
}
