// Derivatives with respect to the features: times the sample's weight; no custom loss.
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kRows = 300, kFeatures = 5, kOutputs = 3;  // more rows than go together

struct Data {
    Data() : x(kRows * kFeatures), y(kRows * kOutputs), labels(kRows), weights(kRows) {
        const RandomStream stream{1, Purpose::kInitialWeights, 0};
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = stream.uniform(i) - 0.5;
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = stream.uniform(x.size() + i);
        for (std::size_t b = 0; b < kRows; ++b) {
            labels[b] = static_cast<std::int32_t>(b * b % kOutputs);
            weights[b] = static_cast<double>(b % 4) / 2;
        }
    }

    MatrixView<const double> features() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<double> values() const {
        return Targets<double>::of_values({y.data(), kRows, kOutputs, kOutputs});
    }

    std::vector<double> x, y;
    std::vector<std::int32_t> labels;
    std::vector<double> weights;
};

Network<double> network(Activation output, Loss loss) {
    return {kFeatures, {{16, Activation::kTanh}, {kOutputs, output}}, loss, 7};
}

std::vector<double> gradient(const Network<double>& net, const Data& data, const Targets<double>& y,
                             int n_threads) {
    std::vector<double> result(kRows * kFeatures);
    net.input_gradient(data.features(), y, {result.data(), kRows, kFeatures, kFeatures}, n_threads);
    return result;
}

void test_weights(const Data& data, const Network<double>& net, Targets<double> y) {
    std::vector<double> expected = gradient(net, data, y, 1);
    const std::vector<double> ones(kRows, 1.0);
    y.weights = ones.data();
    CHECK(check::same(gradient(net, data, y, 1), expected));
    y.weights = data.weights.data();
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= data.weights[i / kFeatures];
    for (const int n_threads : {1, 2}) {  // powers of two: exact wherever they are multiplied
        const std::vector<double> weighted = gradient(net, data, y, n_threads);
        bool equal = true;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            equal = equal && std::abs(weighted[i] - expected[i]) <= 1e-15;
        }
        CHECK(equal);
    }
}

/// A sample of weight 0 is ignored, whatever its values.
void test_weight_zero(Data data) {
    const Network<double> net = network(Activation::kIdentity, Loss::kMeanSquaredError);
    Targets<double> y = data.values();
    y.weights = data.weights.data();
    const std::vector<double> before = gradient(net, data, y, 2);
    for (std::size_t b = 0; b < kRows; b += 4) {
        data.x[b * kFeatures] = std::numeric_limits<double>::infinity();
        data.y[b * kOutputs] = std::numeric_limits<double>::quiet_NaN();
    }
    CHECK(check::same(gradient(net, data, y, 2), before));
}

void test_custom_loss(const Data& data) {
    const Network<double> net = network(Activation::kIdentity, Loss::kCustom);
    bool asked = false, refused = false;
    const CustomLoss<double> loss = [&](const LossBatch<double>&) { asked = true; };
    try {
        gradient(net, data, Targets<double>::of_function(loss, kRows), 2);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    CHECK(refused && !asked);
}

}  // namespace

int main() {
    const Data data;
    test_weights(data, network(Activation::kIdentity, Loss::kMeanSquaredError), data.values());
    test_weights(data, network(Activation::kSoftmax, Loss::kCrossEntropy),
                 Targets<double>::of_labels(data.labels.data(), kRows));
    test_weight_zero(data);
    test_custom_loss(data);
    return check::report();
}
