// Samples in blocks, and of another type than the network's, train with the bits of a matrix in
// memory; invalid blocks are refused.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "training/options.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kRows = 103, kFeatures = 6, kOutputs = 3, kBatch = 10;

/// The same samples for every network.
struct Data {
    Data() : labels(kRows) {
        const RandomStream stream{1, Purpose::kInitialWeights, 0};
        for (std::size_t i = 0; i < kRows * kFeatures; ++i) {
            bytes.push_back(static_cast<std::uint8_t>(256 * stream.uniform(i)));
            x.push_back(bytes.back());
        }
        for (std::size_t i = 0; i < kRows; ++i) labels[i] = static_cast<std::int32_t>(i % kOutputs);
    }

    Block<float> block(std::size_t first, std::size_t rows, bool last) const {
        return {{x.data() + first * kFeatures, rows, kFeatures, kFeatures},
                Targets<float>::of_labels(labels.data() + first, rows),
                last};
    }

    std::vector<float> x;
    std::vector<std::uint8_t> bytes;
    std::vector<std::int32_t> labels;
};

Network<float> network() {
    return {kFeatures,
            {{12, Activation::kRelu, Normalization::kLayer, 0.2}, {kOutputs, Activation::kSoftmax}},
            Loss::kCrossEntropy,
            3};
}

TrainOptions options() {
    TrainOptions options;
    options.epochs = 3;
    options.batch_size = kBatch;
    options.shuffle = false;
    options.optimizer.learning_rate = 1e-3;
    return options;
}

std::vector<float> parameters(const Network<float>& network) {
    const Buffer<float>& values = *network.parameters();
    return {values.data(), values.data() + values.size()};
}

std::vector<float> trained_in_memory(const Data& data, const TrainOptions& options) {
    Network<float> net = network();
    const Block<float> all = data.block(0, kRows, true);
    train(net, all.x, all.y, options);
    return parameters(net);
}

/// An epoch cut before these rows.
BlockSource<float> blocks(const Data& data, const std::vector<std::size_t>& cuts) {
    return {[&data, cuts, i = std::size_t{0}]() mutable {
                const std::size_t first = i == 0 ? 0 : cuts[i - 1];
                const bool last = i == cuts.size();
                const std::size_t end = last ? kRows : cuts[i];
                i = last ? 0 : i + 1;
                return data.block(first, end - first, last);
            },
            kRows};
}

void test_blocks(const Data& data) {
    TrainOptions chosen = options();
    chosen.schedule.kind = Schedule::Kind::kCosine;
    for (const int n_threads : {1, 2, 3}) {
        chosen.n_threads = n_threads;
        const auto expected = trained_in_memory(data, chosen);
        for (const std::vector<std::size_t>& cuts : {std::vector<std::size_t>{},
                                                     {10},
                                                     {50, 60},
                                                     {10, 20, 30, 40, 50, 60, 70, 80, 90, 100}}) {
            Network<float> net = network();
            train(net, blocks(data, cuts), chosen);
            CHECK(check::same(parameters(net), expected));
        }
    }
}

/// Trains, and returns the message of std::invalid_argument; empty if nothing was thrown.
std::string refused(const BlockSource<float>& source, const TrainOptions& options) {
    Network<float> net = network();
    try {
        train(net, source, options);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

void test_what_is_no_block(const Data& data) {
    CHECK(refused(blocks(data, {15}), options()).find("whole batches") != std::string::npos);
    BlockSource<float> source = blocks(data, {50});
    source.rows = kRows + 1;
    CHECK(refused(source, options()).find("not as many as announced") != std::string::npos);
    source = blocks(data, {50});
    source.rows = 0;
    CHECK(refused(source, options()).empty());
    TrainOptions cosine = options();
    cosine.schedule.kind = Schedule::Kind::kCosine;
    CHECK(refused(source, cosine).find("need the number of rows") != std::string::npos);
    TrainOptions ordered = options();
    const std::vector<std::uint32_t> order(kRows, 0);
    ordered.order = order.data();
    ordered.order_rows = 1;
    CHECK(refused(blocks(data, {}), ordered).find("order of their source") != std::string::npos);
    source.next = [&] { return data.block(0, 0, true); };
    CHECK(!refused(source, options()).empty());
}

void test_another_type(const Data& data) {
    const auto expected = trained_in_memory(data, options());
    const MatrixView<const std::uint8_t> bytes{data.bytes.data(), kRows, kFeatures, kFeatures};
    const auto raw = RawView<float>::of(bytes);
    Network<float> net = network();
    train(net, raw, Targets<float>::of_labels(data.labels.data(), kRows), options());
    CHECK(check::same(parameters(net), expected));
    std::vector<float> ours(kRows * kOutputs), theirs(kRows * kOutputs);
    net.predict(raw, {ours.data(), kRows, kOutputs, kOutputs});
    net.predict(data.block(0, kRows, true).x, {theirs.data(), kRows, kOutputs, kOutputs});
    CHECK(check::same(ours, theirs));
}

/// A training that diverges is rolled back, or not, as requested.
void test_roll_back(const Data& data) {
    TrainOptions wild = options();
    wild.optimizer.learning_rate = 1e30;
    for (const bool roll_back : {true, false}) {
        Network<float> net = network();
        const auto before = parameters(net);
        Conventions conventions;
        conventions.roll_back = roll_back;
        std::string why;
        try {
            const Block<float> all = data.block(0, kRows, true);
            train_by<float>(conventions, net, all.x, all.y, wild);
        } catch (const Diverged& error) {
            why = error.what();
        }
        CHECK(why == "the loss of epoch 0 is nan");
        CHECK(check::same(parameters(net), before) == roll_back);
    }
}

}  // namespace

int main() {
    const Data data;
    test_blocks(data);
    test_what_is_no_block(data);
    test_another_type(data);
    test_roll_back(data);
    return check::report();
}
