// The public headers alone are enough to train a network: exclusive or, the first problem that
// needs a hidden layer.
#include <array>
#include <cstdint>
#include <cstdio>

#include "fastmlp/fastmlp.hpp"

namespace {

constexpr std::array<float, 8> kInputs = {0, 0, 0, 1, 1, 0, 1, 1};
constexpr std::array<std::int32_t, 4> kLabels = {0, 1, 1, 0};

template <class T>
bool learns_xor() {
    using fastmlp::Activation;
    std::array<T, 8> inputs{};
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = static_cast<T>(kInputs[i]);
    const fastmlp::MatrixView<const T> x{inputs.data(), 4, 2, 2};
    const auto y = fastmlp::Targets<T>::of_labels(kLabels.data(), kLabels.size());

    fastmlp::Network<T> network(2, {{8, Activation::kTanh}, {2, Activation::kSoftmax}},
                                fastmlp::Loss::kCrossEntropy, 7);
    fastmlp::TrainOptions options;
    options.epochs = 2000;
    options.batch_size = 4;
    options.optimizer.learning_rate = 0.5;
    const auto reports = fastmlp::train(network, x, y, options);

    std::array<T, 8> outputs{};
    network.predict(x, {outputs.data(), 4, 2, 2});
    bool right = true;
    for (std::size_t i = 0; i < kLabels.size(); ++i) {
        right = right && (outputs[2 * i + 1] > outputs[2 * i]) == (kLabels[i] == 1);
    }
    const fastmlp::Evaluation evaluation = network.evaluate(x, y);
    std::printf("loss %.6f -> %.6f, %zu of %zu right\n", reports.front().loss, evaluation.loss,
                evaluation.correct, evaluation.decisions);
    return right && evaluation.loss < 0.01 && evaluation.correct == 4 && reports.size() == 2000;
}

}  // namespace

int main() {
    return learns_xor<float>() && learns_xor<double>() ? 0 : 1;
}
