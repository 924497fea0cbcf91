// Hessian-vector products: weights, threads, memory that is kept, and what is refused.
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kRows = 300, kFeatures = 5, kOutputs = 3;

struct Data {
    Data() : x(kRows * kFeatures), y(kRows * kOutputs), weights(kRows) {
        const RandomStream stream{1, Purpose::kInitialWeights, 0};
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = stream.uniform(i) - 0.5;
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = stream.uniform(x.size() + i);
        for (std::size_t b = 0; b < kRows; ++b) weights[b] = static_cast<double>(b % 4) / 2;
    }

    MatrixView<const double> features() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<double> targets() const {
        return Targets<double>::of_values({y.data(), kRows, kOutputs, kOutputs});
    }
    Targets<double> weighted() const {
        Targets<double> result = targets();
        result.weights = weights.data();
        return result;
    }

    std::vector<double> x, y, weights;
};

Network<double> network(Loss loss = Loss::kMeanSquaredError,
                        Normalization normalization = Normalization::kNone) {
    return {kFeatures,
            {{20, Activation::kTanh, normalization}, {kOutputs, Activation::kIdentity}},
            loss,
            7};
}

std::vector<double> direction(const Network<double>& net) {
    std::vector<double> v(net.layout().size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i % 7) - 3;
    return v;
}

std::vector<double> product(const Network<double>& net, const Data& data, const Targets<double>& y,
                            int n_threads = 1) {
    std::vector<double> out(net.layout().size(), -1.0);
    HessianProduct<double>(net).compute(data.features(), y, direction(net), out, n_threads);
    return out;
}

void test_weights_and_threads(Data data) {
    const Network<double> net = network();
    const std::vector<double> ones(kRows, 1.0), zeros(kRows, 0.0);
    const std::vector<double> plain = product(net, data, data.targets());
    Targets<double> y = data.targets();
    y.weights = ones.data();
    CHECK(check::same(product(net, data, y), plain));
    y.weights = zeros.data();
    CHECK(check::same(product(net, data, y), std::vector<double>(plain.size(), 0.0)));
    const std::vector<double> weighted = product(net, data, data.weighted());
    CHECK(!check::same(weighted, plain));
    for (std::size_t b = 0; b < kRows; b += 4) {  // of weight 0, so ignored
        data.x[b * kFeatures] = std::numeric_limits<double>::infinity();
        data.y[b * kOutputs] = std::numeric_limits<double>::quiet_NaN();
    }
    for (const int n_threads : {1, 2, 3}) {
        CHECK(check::same(product(net, data, data.weighted(), n_threads), weighted));
    }
}

/// The memory of a large batch serves a smaller one, and the weights are those of now.
void test_reuse(const Data& data) {
    Network<double> net = network();
    HessianProduct<double> hessian(net);
    const std::vector<double> v = direction(net);
    std::vector<double> out(v.size());
    hessian.compute(data.features(), data.targets(), v, out);
    CHECK(check::same(out, product(net, data, data.targets())));
    net.biases(0)[0] += 1;
    hessian.compute(data.features(), data.weighted(), v, out);
    CHECK(check::same(out, product(net, data, data.weighted())));
}

template <class F>
bool is_refused(F f) {
    return check::throws<std::invalid_argument>(f);
}

void test_refused(const Data& data) {
    const Network<double> net = network();
    std::vector<double> v = direction(net), out(v.size() - 1);
    HessianProduct<double> hessian(net);
    CHECK(is_refused([&] { hessian.compute(data.features(), data.targets(), v, out); }));
    CHECK(is_refused([&] { hessian.compute(data.features(), data.targets(), out, v); }));
    for (const auto kind : {Normalization::kBatch, Normalization::kLayer}) {
        const Network<double> normalized = network(Loss::kMeanSquaredError, kind);
        CHECK(is_refused([&] { product(normalized, data, data.targets()); }));
    }
    bool asked = false;
    const CustomLoss<double> loss = [&](const LossBatch<double>&) { asked = true; };
    const Targets<double> custom = Targets<double>::of_function(loss, kRows);
    CHECK(is_refused([&] { product(network(Loss::kCustom), data, custom); }));
    CHECK(!asked);
}

}  // namespace

int main() {
    const Data data;
    test_weights_and_threads(data);
    test_reuse(data);
    test_refused(data);
    return check::report();
}
