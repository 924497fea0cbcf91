// Heads: slices of the outputs with an activation and a loss of their own. Their bits are those of
// networks without hidden layers that have one of them only.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using namespace fastmlp;
using check::throws;
using enum Activation::Kind;

constexpr std::size_t kRows = 21, kFeatures = 9, kOutputs = 8;

const std::vector<Head> kHeads{
    {"value", 1, kGelu, Loss::kHuber, 0.5},
    {"kind", 3, kSoftmax, {Loss::kCrossEntropy, 0.1}},
    {"counts", 2, kExp, Loss::kPoisson},
    {"chances", 2, kSigmoid, Loss::kBinaryCrossEntropy, 0.25},
};
const std::vector<Layer> kLayers{{kOutputs, kIdentity}};
const std::vector<Layer> kDeep{{20, kTanh, Normalization::kBatch, 0.1}, {kOutputs, kIdentity}};

template <class T>
struct Data {
    Data() : x(kRows * kFeatures), labelled(kRows * 6), whole(kRows * kOutputs) {
        const RandomStream stream{1, Purpose::kInitialWeights, 0};
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(stream.uniform(i) - 0.5);
        for (std::size_t b = 0; b < kRows; ++b) {
            T* const row = &labelled[b * 6];
            T* const numbers = &whole[b * kOutputs];
            const std::size_t label = b % 3;
            for (std::size_t j = 0; j < 6; ++j)
                row[j] = static_cast<T>(stream.uniform(1000 + 6 * b + j));
            row[1] = static_cast<T>(label);
            numbers[0] = row[0];
            numbers[1 + label] = 1;
            for (std::size_t j = 0; j < 4; ++j) numbers[4 + j] = row[2 + j];
        }
    }
    MatrixView<const T> features() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<T> labels() const { return Targets<T>::of_values({labelled.data(), kRows, 6, 6}); }
    Targets<T> numbers() const {
        return Targets<T>::of_values({whole.data(), kRows, kOutputs, kOutputs});
    }

    std::vector<T> x, labelled, whole;
};

template <class T>
std::vector<T> all(const std::shared_ptr<Buffer<T>>& buffer) {
    return {buffer->begin(), buffer->end()};
}

// Labels are rows of 0 and 1, and all ways of a step have the same bits, on any number of threads.
template <class T>
void steps() {
    const Data<T> data;
    for (const auto& layers : {kLayers, kDeep}) {
        Network<T> net(kFeatures, layers, kHeads, 7);
        Network<T> twin = net.copy(), fitted = net.copy(), stepped = net.copy();
        TrainStep<T> step(stepped, 3);
        Optimizer optimizer;
        optimizer.learning_rate = 0.1;
        TrainOptions options;
        options.optimizer = optimizer;
        options.epochs = 1;
        options.shuffle = false;
        options.batch_size = kRows;
        net.forward(data.features());
        const double loss = net.backward(data.labels());
        net.update(optimizer);
        twin.forward(data.features(), true, nullptr, 3);
        CHECK(twin.backward(data.numbers(), 3) == loss);
        twin.update(optimizer, 3);
        const EpochReport report = train(fitted, data.features(), data.labels(), options)[0];
        CHECK(report.loss == loss && report.head_losses.size() == kHeads.size());
        CHECK(step.run(data.features(), data.labels(), optimizer) == loss);
        for (const Network<T>* other : {&twin, &fitted, &stepped}) {
            CHECK(check::same(all(net.parameters()), all(other->parameters())));
        }
    }
}

/// Targets with a factor of the loss of each head.
template <class T>
std::vector<T> with_factors(const Data<T>& data, const std::vector<T>& factors) {
    std::vector<T> rows;
    for (std::size_t b = 0; b < kRows; ++b) {
        const auto first = data.whole.begin() + static_cast<std::ptrdiff_t>(b * kOutputs);
        rows.insert(rows.end(), first, first + kOutputs);
        rows.insert(rows.end(), factors.begin(), factors.end());
    }
    return rows;
}

// A factor is a weight of the head; 0 leaves it out, even if its loss is NaN.
template <class T>
void factors() {
    constexpr std::size_t kColumns = kOutputs + 4;
    Data<T> data;
    std::vector<Head> twice = kHeads;
    twice[0].weight *= 2;
    Network<T> net(kFeatures, kLayers, kHeads, 7), twin(kFeatures, kLayers, twice, 7);
    const auto targets = [&](const std::vector<T>& rows) {
        return Targets<T>::of_values({rows.data(), kRows, kColumns, kColumns});
    };
    const std::vector<T> doubled = with_factors(data, {2, 1, 1, 1});
    const std::size_t n = net.parameters()->size();
    const std::vector<T> v(n, T(0.5));
    std::vector<T> product(n), expected(n);
    HessianProduct<T>(net).compute(data.features(), targets(doubled), v, product);
    HessianProduct<T>(twin).compute(data.features(), data.numbers(), v, expected);
    CHECK(check::same(product, expected));
    Optimizer optimizer;
    optimizer.learning_rate = 0.1;
    CHECK(TrainStep<T>(net, 2).run(data.features(), targets(doubled), optimizer) ==
          TrainStep<T>(twin, 2).run(data.features(), data.numbers(), optimizer));
    CHECK(check::same(all(net.parameters()), all(twin.parameters())));
    for (std::size_t b = 0; b < kRows; ++b)
        data.whole[b * kOutputs] = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> without = with_factors(data, {0, 1, 1, 1});
    CHECK(std::isfinite(TrainStep<T>(net, 1).run(data.features(), targets(without), optimizer)));
    for (const T bad : {T(-1), std::numeric_limits<T>::infinity()}) {
        const std::vector<T> refused = with_factors(data, {1, 1, bad, 1});
        CHECK(throws<std::invalid_argument>(
            [&] { TrainStep<T>(net, 1).run(data.features(), targets(refused), optimizer); }));
    }
}

template <class T>
void allocates_nothing() {
    const Data<T> data;
    Network<T> net(kFeatures, kDeep, kHeads, 7);
    TrainStep<T> step(net, 1);
    step.run(data.features(), data.labels(), Optimizer{});
    const auto before = allocations::count.load();
    for (int i = 0; i < 3; ++i) {
        step.run(data.features(), data.labels(), Optimizer{});
        step.run(data.features(), data.numbers(), Optimizer{});
        step.run(data.features(), Targets<T>::of_gradient(data.numbers().values), Optimizer{});
    }
    CHECK(allocations::count == before);
}

// Each head is what a network with it alone is.
template <class T>
void alone() {
    const Data<T> data;
    Network<T> net(kFeatures, kLayers, kHeads, 7);
    std::vector<T> outputs(kRows * kOutputs), rows(kRows * kOutputs);
    net.predict(data.features(), {outputs.data(), kRows, kOutputs, kOutputs});
    Predictor<T> predictor(net);
    predictor.predict(data.features(), {rows.data(), kRows, kOutputs, kOutputs});
    CHECK(check::same(outputs, rows));
    const Evaluation evaluation = net.evaluate(data.features(), data.labels());
    CHECK(net.evaluate(data.features(), data.numbers()).loss == evaluation.loss);
    std::size_t first = 0;
    T total = 0;
    for (std::size_t i = 0; i < kHeads.size(); ++i) {
        const Head& head = kHeads[i];
        Network<T> twin(kFeatures, {{head.nodes, head.activation}}, head.loss, 7);
        for (std::size_t k = 0; k < kFeatures; ++k) {
            for (std::size_t j = 0; j < head.nodes; ++j) {
                twin.weights(0)[k * head.nodes + j] = net.weights(0)[k * kOutputs + first + j];
            }
        }
        std::vector<T> own(kRows * head.nodes);
        twin.predict(data.features(), {own.data(), kRows, head.nodes, head.nodes});
        for (std::size_t b = 0; b < kRows; ++b) {
            for (std::size_t j = 0; j < head.nodes; ++j) {
                CHECK(own[b * head.nodes + j] == outputs[b * kOutputs + first + j]);
            }
        }
        const auto targets =
            Targets<T>::of_values({data.whole.data() + first, kRows, head.nodes, kOutputs});
        const Evaluation of_twin = twin.evaluate(data.features(), targets);
        CHECK(evaluation.heads[i].loss == of_twin.loss);
        CHECK(evaluation.heads[i].correct == of_twin.correct);
        CHECK(evaluation.heads[i].decisions == of_twin.decisions);
        total += static_cast<T>(head.weight * of_twin.loss);
        first += head.nodes;
    }
    CHECK(std::abs(static_cast<T>(evaluation.loss) - total) <=
          8 * total * std::numeric_limits<T>::epsilon());
}

// A head of scaled numbers is a network that scales its outputs, wherever it is used.
template <class T>
void scaled() {
    const Data<T> data;
    for (const Loss loss : {Loss(Loss::kMeanSquaredError), Loss(Loss::kHuber, 0.3)}) {
        Network<T> plain(kFeatures, kLayers, loss, 7);
        Network<T> net(kFeatures, kLayers, {{"all", kOutputs, kIdentity, loss}}, 7);
        std::vector<T> scales(kOutputs, 3), offsets(kOutputs, T(0.5));
        scales[1] = 0;
        std::vector<T> outputs[2];
        double losses[2][4];
        std::size_t i = 0;
        for (Network<T>* const each : {&plain, &net}) {
            each->set_output_scaling(scales, offsets);
            TrainOptions options;
            options.epochs = 1;
            options.batch_size = 8;
            double* const of = losses[i];
            of[0] = train(*each, data.features(), data.numbers(), options)[0].loss;
            TrainStep<T> step(*each);
            of[1] = step.run(data.features(), data.numbers(), options.optimizer);
            const auto before = allocations::count.load();
            of[2] = step.run(data.features(), data.numbers(), options.optimizer);
            CHECK(allocations::count == before);
            of[3] = each->evaluate(data.features(), data.numbers()).loss;
            outputs[i].resize(kRows * kOutputs);
            Predictor<T>(*each).predict(data.features(),
                                        {outputs[i].data(), kRows, kOutputs, kOutputs});
            ++i;
        }
        CHECK(check::same(outputs[0], outputs[1]));
        CHECK(check::same(all(plain.parameters()), all(net.parameters())));
        CHECK(std::equal(losses[0], losses[0] + 4, losses[1]));
        CHECK(outputs[1][1] == offsets[1]);  // the output of scale 0
    }
}

// Several heads of scaled numbers, some constant, are networks with one of them each.
template <class T>
void scaled_alone() {
    const Data<T> data;
    const std::vector<Head> heads{{"one", 1, kIdentity, {Loss::kHuber, 0.3}},
                                  {"three", 3, kIdentity, Loss::kMeanSquaredError},
                                  {"four", 4, kIdentity, {Loss::kHuber, 0.2}}};
    const std::vector<T> scales{2, 3, 0, 1, T(0.5), 2, 1, 0}, offsets(kOutputs, T(0.5));
    TrainOptions options;
    options.epochs = 3;
    options.batch_size = 8;
    Network<T> net(kFeatures, kLayers, heads, 7);
    net.set_output_scaling(scales, offsets);
    const Network<T> before = net.copy();
    const std::vector<EpochReport> reports = train(net, data.features(), data.numbers(), options);
    const Evaluation evaluation = net.evaluate(data.features(), data.numbers());
    std::size_t first = 0;
    for (std::size_t i = 0; i < heads.size(); ++i) {
        const std::size_t n = heads[i].nodes;
        Network<T> twin(kFeatures, {{n, kIdentity}}, heads[i].loss, 7);
        twin.set_output_scaling({scales.data() + first, n}, {offsets.data() + first, n});
        for (std::size_t k = 0; k < kFeatures; ++k) {
            std::copy_n(&before.weights(0)[k * kOutputs + first], n, &twin.weights(0)[k * n]);
        }
        const auto targets = Targets<T>::of_values({data.whole.data() + first, kRows, n, kOutputs});
        const std::vector<EpochReport> own = train(twin, data.features(), targets, options);
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            CHECK(reports[epoch].head_losses[i] == own[epoch].loss);
        }
        for (std::size_t k = 0; k < kFeatures; ++k) {
            CHECK(std::equal(&twin.weights(0)[k * n], &twin.weights(0)[k * n] + n,
                             &net.weights(0)[k * kOutputs + first]));
        }
        CHECK(evaluation.heads[i].loss == twin.evaluate(data.features(), targets).loss);
        first += n;
    }
}

template <class T>
void files() {
    Network<T> net(kFeatures, kDeep, kHeads, 7);
    const AnyNetwork loaded = from_archive(to_archive(net), "memory");
    const auto& again = std::get<Network<T>>(loaded);
    CHECK(again.heads() == kHeads);
    CHECK(check::same(all(net.parameters()), all(again.parameters())));
}

void refusals() {
    const Data<float> data;
    const auto refused = [&](std::vector<Head> heads, std::vector<Layer> layers = kLayers) {
        return throws<std::invalid_argument>(
            [&] { Network<float>(kFeatures, std::move(layers), std::move(heads), 7); });
    };
    CHECK(refused({}));
    CHECK(refused({{"a", 7, kIdentity, Loss::kMeanSquaredError}}));
    CHECK(refused({{"a", 8, kIdentity, Loss::kCrossEntropy}}));
    CHECK(refused({{"a", 8, kIdentity, Loss::kCustom}}));
    CHECK(refused({{"a", 8, kIdentity, Loss::kHuber, 0}}));
    CHECK(refused({{"a", 8, kIdentity, Loss::kHuber}}, {{8, kTanh}}));
    CHECK(
        throws<std::invalid_argument>([] { Network<float>(kFeatures, kLayers, Loss::kHeads, 7); }));
    Network<float> net(kFeatures, kLayers, kHeads, 7);
    const std::vector<float> ones(kOutputs, 1), none(kOutputs);
    CHECK(throws<std::invalid_argument>([&] { net.set_output_scaling(ones, ones); }));
    CHECK(throws<std::invalid_argument>([&] { net.set_output_scaling(none, none); }));
    net.set_output_scaling(ones, none);  // as they are
    net.set_output_scaling({}, {});
    const std::vector<std::int32_t> labels(kRows);
    CHECK(throws<std::invalid_argument>(
        [&] { net.evaluate(data.features(), Targets<float>::of_labels(labels.data(), kRows)); }));
    for (const float label : {-1.0F, 3.0F, 0.5F, std::numeric_limits<float>::quiet_NaN()}) {
        Data<float> wrong;
        wrong.labelled[6 + 1] = label;
        CHECK(
            throws<std::invalid_argument>([&] { net.evaluate(wrong.features(), wrong.labels()); }));
        CHECK(throws<std::invalid_argument>(
            [&] { train(net, wrong.features(), wrong.labels(), TrainOptions{}); }));
    }
}

}  // namespace

int main() {
    steps<float>();
    steps<double>();
    factors<float>();
    factors<double>();
    allocates_nothing<float>();
    allocates_nothing<double>();
    alone<float>();
    alone<double>();
    scaled<float>();
    scaled<double>();
    scaled_alone<float>();
    scaled_alone<double>();
    files<float>();
    files<double>();
    refusals();
    return check::report();
}
