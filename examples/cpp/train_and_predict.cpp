// Trains a network to tell the inside of a circle from the outside, saves it, and predicts.
//
//     train_and_predict MODEL
//
// Exits with 0 if it learned, 1 if not, 2 if the file could not be written.
#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;

struct Points {
    std::vector<float> inputs;         // x0, y0, x1, y1, ...
    std::vector<std::int32_t> labels;  // 1 inside, 0 outside

    fastmlp::MatrixView<const float> rows() const { return {inputs.data(), labels.size(), 2, 2}; }
    fastmlp::Targets<float> targets() const {
        return fastmlp::Targets<float>::of_labels(labels.data(), labels.size());
    }
};

Points draw_points(std::size_t count, std::uint64_t seed) {
    const fastmlp::RandomStream random{seed, fastmlp::Purpose::kInitialWeights, 0};
    Points points;
    for (std::size_t i = 0; i < count; ++i) {
        const auto x = static_cast<float>(2 * random.uniform(2 * i) - 1);
        const auto y = static_cast<float>(2 * random.uniform(2 * i + 1) - 1);
        points.inputs.insert(points.inputs.end(), {x, y});
        points.labels.push_back(x * x + y * y < 0.5F ? 1 : 0);
    }
    return points;
}

bool learn_circle(const char* model) {
    const Points training = draw_points(4000, 1), test = draw_points(1000, 2);
    fastmlp::Network<float> network(2, {{32, Activation::kRelu}, {2, Activation::kSoftmax}},
                                    fastmlp::default_loss(Activation::kSoftmax), 1);

    fastmlp::TrainOptions options;
    options.epochs = 30;
    options.optimizer.learning_rate = 0.2;
    options.on_epoch = [](const fastmlp::EpochReport& report) {
        if (report.epoch % 10 == 9)
            std::printf("epoch %zu: loss %.4f\n", report.epoch, report.loss);
        return false;  // continue
    };
    fastmlp::train(network, training.rows(), training.targets(), options);

    const fastmlp::Evaluation result = network.evaluate(test.rows(), test.targets());
    std::printf("test: %zu of %zu right\n", result.correct, result.decisions);

    fastmlp::Predictor<float> predictor(network);  // for many single predictions
    const std::array<float, 2> centre{0, 0};
    std::array<float, 2> probabilities{};
    predictor.predict_row(centre, probabilities);
    std::printf("the centre is inside with probability %.4f\n", probabilities[1]);

    const std::span<const float> biases = network.biases(0);  // every number is in reach
    std::printf("the first hidden bias is %.4f\n", biases[0]);

    fastmlp::save(network, model);
    return result.correct > 960 && probabilities[1] > 0.99F;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return learn_circle(argc > 1 ? argv[1] : "circle.safetensors") ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
