// Which networks are trained side by side, in lanes: what a feature needs must not silently cost
// its users the lanes, nor may lanes take what they compute wrongly. What is refused is refused by
// itself.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "lanes/rules.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;
using enum Activation::Kind;

constexpr std::size_t kRows = 60, kFeatures = 5, kOutputs = 3;

/// A network and its training, which a test changes.
struct Case {
    explicit Case(Network<float> its_network) : network(std::move(its_network)) {
        for (std::size_t b = 0; b < kRows; ++b) {
            labels.push_back(static_cast<std::int32_t>(b % kOutputs));
        }
    }
    Case(const Case&) = delete;  // the targets are its own
    Case& operator=(const Case&) = delete;

    TrainJob<float> job() {
        return {&network, {x.data(), kRows, kFeatures, kFeatures}, targets, options, is_scaled};
    }
    bool in_lanes() { return !lane_key(job()).empty(); }

    Network<float> network;
    TrainOptions options{};
    bool is_scaled = false;
    std::vector<float> x = numbers<float>(kRows * kFeatures, 1),
                       y = numbers<float>(kRows * kOutputs, 2),
                       weights = std::vector<float>(kRows, 0.5F);
    std::vector<std::int32_t> labels{};
    std::vector<std::uint32_t> rows = std::vector<std::uint32_t>(40, 7);
    Targets<float> targets = Targets<float>::of_values({y.data(), kRows, kOutputs, kOutputs});
};

Case case_of(const Layers& layers, Loss loss = Loss::kMeanSquaredError) {
    return Case(Network<float>(kFeatures, layers, loss, 7));
}

bool in_lanes(const std::function<void(Case&)>& change) {
    Case changed = case_of({{12, kTanh}, {kOutputs, kIdentity}});
    change(changed);
    return changed.in_lanes();
}
bool in_lanes(const std::function<void(TrainOptions&)>& change) {
    return in_lanes([&](Case& each) { change(each.options); });
}
bool in_lanes(const std::function<void(Optimizer&)>& change) {
    return in_lanes([&](Case& each) { change(each.options.optimizer); });
}

void optimizers_and_options() {
    CHECK(in_lanes([](Case&) {}));
    for (const auto kind :
         {Optimizer::Kind::kSgd, Optimizer::Kind::kAdam, Optimizer::Kind::kRmsprop}) {
        CHECK(in_lanes([=](Optimizer& o) { o.kind = kind; }));
    }
    CHECK(in_lanes([](Optimizer& o) { o.momentum = 0.9, o.nesterov = true; }));
    CHECK(in_lanes([](Optimizer& o) { o.l1 = 0.1, o.l2 = 0.1, o.decay_biases = false; }));
    CHECK(in_lanes([](Optimizer& o) { o.weight_decay = 0.1; }));
    CHECK(in_lanes([](Optimizer& o) { o.clip_value = 0.1; }));
    CHECK(in_lanes([](Optimizer& o) { o.clip_norm = 0.1; }));
    CHECK(in_lanes([](TrainOptions& o) { o.schedule.kind = Schedule::Kind::kCosine; }));
    CHECK(in_lanes([](TrainOptions& o) { o.rate_factor = 0.5; }));
    CHECK(in_lanes([](TrainOptions& o) { o.ema = 0.9; }));
    CHECK(in_lanes([](TrainOptions& o) { o.shuffle = false; }));
    CHECK(in_lanes([](TrainOptions& o) { o.first_epoch = 1, o.until_epoch = 2; }));
    CHECK(in_lanes([](TrainOptions& o) { o.batch_size = 1; }));
    CHECK(in_lanes([](TrainOptions& o) { o.batch_size = 1000; }));
    CHECK(!in_lanes([](TrainOptions& o) { o.learning_rate = [](std::size_t) { return 0.1; }; }));
    const std::vector<std::uint32_t> order(kRows);
    CHECK(!in_lanes([&](TrainOptions& o) { o.order = order.data(), o.order_rows = 1; }));
    const Ranks ranks{0, {kRows}, [](void*, std::size_t, std::vector<double>&) {}};
    CHECK(!in_lanes([&](TrainOptions& o) { o.ranks = &ranks; }));
}

void samples() {
    CHECK(in_lanes([](Case& c) { c.targets.weights = c.weights.data(); }));
    CHECK(in_lanes([](Case& c) { c.options.rows = c.rows.data(), c.options.row_count = 40; }));
    const auto leave_one_out = [](Case& c) {
        c.weights[9] = 0, c.targets.weights = c.weights.data();
    };
    CHECK(in_lanes(leave_one_out));
    CHECK(!in_lanes([=](Case& c) { leave_one_out(c), c.options.ema = 0.9; }));
    CHECK(!in_lanes([](Case& c) {
        c.targets = Targets<float>::of_gradient({c.y.data(), kRows, kOutputs, kOutputs});
    }));
    const CustomLoss<float> custom = [](const LossBatch<float>&) {};
    CHECK(!in_lanes([&](Case& c) { c.targets = Targets<float>::of_function(custom, kRows); }));
}

/// Numbers of samples may differ a little, those of batches not at all.
void numbers_of_samples() {
    const auto key = [](std::size_t rows, std::size_t batch_size) {
        Case some = case_of({{12, kTanh}, {kOutputs, kIdentity}});
        some.options.rows = some.rows.data();
        some.options.row_count = rows;
        some.options.batch_size = batch_size;
        return lane_key(some.job());
    };
    CHECK(key(32, 16) == key(32, 16));
    CHECK(key(33, 16) == key(40, 16));
    CHECK(key(32, 16) != key(33, 16));
    CHECK(key(20, 200) == key(31, 200));
    CHECK(key(20, 200) != key(40, 200));
}

/// All lanes of a vector scale the features that they gather, or none.
void scaled_features() {
    const std::vector<float> ones(kFeatures, 1);
    const auto key = [&](bool scales, bool is_scaled) {
        Case some = case_of({{12, kTanh}, {kOutputs, kIdentity}});
        if (scales) some.network.set_input_scaling(ones, ones);
        some.is_scaled = is_scaled;
        return lane_key(some.job());
    };
    CHECK(key(true, true) == key(false, false));
    CHECK(key(true, false) == key(true, false));
    CHECK(key(true, false) != key(true, true));
}

/// Of 32 columns, with a layer of 24 nodes, 16 rows take half the cache.
void whole_batches() {
    constexpr std::size_t kLanes = 16, kRow = 32 * kLanes * sizeof(float);
    const CacheSizes sizes{.l2 = 32 * kRow};
    assume_cache_sizes(&sizes);
    for (const std::size_t nodes : {24, 25}) {
        const Case wide = case_of({{nodes, kRelu, Normalization::kBatch}, {kOutputs, kIdentity}});
        const auto fit = [&](std::size_t batch) {
            return batch_fits_in_lanes(wide.network, kLanes, batch);
        };
        CHECK(fit(15));
        CHECK(fit(17) == (nodes == 24));
        CHECK(fit(256) == (nodes == 24));
        CHECK(!fit(257));
    }
    assume_cache_sizes(nullptr);
}

/// 64-16-10 of float64 has 9680 bytes of parameters.
void many_features() {
    const CacheSizes sizes{.l2 = std::size_t{1} << 20};
    assume_cache_sizes(&sizes);
    const auto fit = [](std::size_t features, const Layers& layers, std::size_t batch) {
        return fits_in_lanes(Network<double>(features, layers, Loss::kMeanSquaredError, 7), batch);
    };
    CHECK(fit(64, {{8, kRelu}, {10, kIdentity}}, 32));
    CHECK(!fit(64, {{8, kRelu}, {10, kIdentity}}, 31));
    CHECK(fit(64, {{16, kRelu}, {10, kIdentity}}, 64));
    CHECK(!fit(64, {{16, kRelu}, {10, kIdentity}}, 63));
    CHECK(!fit(65, {{16, kRelu}, {10, kIdentity}}, 64));
    CHECK(!fit(64, {{17, kRelu}, {5, kIdentity}}, 64));
    CHECK(!fit(64, {{16, kRelu}, {16, kRelu}, {10, kIdentity}}, 64));
    assume_cache_sizes(nullptr);
}

void networks() {
    many_features();
    for (const Loss loss :
         {Loss(Loss::kMeanAbsoluteError), Loss(Loss::kHuber, 0.3), Loss(Loss::kQuantile, 0.3)}) {
        CHECK(case_of({{12, kRelu}, {kOutputs, kIdentity}}, loss).in_lanes());
    }
    for (const double smoothing : {0.0, 0.1}) {
        Case classes =
            case_of({{12, kRelu}, {kOutputs, kSoftmax}}, Loss(Loss::kCrossEntropy, smoothing));
        classes.targets = Targets<float>::of_labels(classes.labels.data(), kRows);
        CHECK(classes.in_lanes());
    }
    for (const auto kind : {kRelu, kGelu, kSilu, kSigmoid, kIdentity}) {
        CHECK(case_of({{12, kind}, {9, kind}, {kOutputs, kIdentity}}).in_lanes());
    }
    CHECK(case_of({{32, kRelu}, {kOutputs, kIdentity}}).in_lanes());
    CHECK(!case_of({{33, kRelu}, {kOutputs, kIdentity}}).in_lanes());
    CHECK(case_of({{12, kRelu, Normalization::kNone, 0.2}, {kOutputs, kIdentity}}).in_lanes());
    for (const auto kind : {Normalization::kBatch, Normalization::kLayer}) {
        CHECK(case_of({{12, kRelu, kind}, {kOutputs, kIdentity}}).in_lanes());
        Layer first{12, kRelu};
        first.input_normalization = kind;
        CHECK(case_of({first, {kOutputs, kIdentity}}).in_lanes());
    }
    whole_batches();
    CHECK(in_lanes([](Case& c) { c.network.set_trainable(0, false); }));
    CHECK(in_lanes([](Case& c) { c.network.set_rate_factor(0, 0.5); }));
    const std::vector<float> ones(kFeatures, 1), twos(kFeatures, 2);
    const std::span<const float> some(twos.data(), kOutputs);
    CHECK(in_lanes([&](Case& c) { c.network.set_input_scaling(twos, ones); }));
    CHECK(in_lanes([&](Case& c) { c.network.set_input_scaling(twos, ones), c.is_scaled = true; }));
    CHECK(in_lanes([&](Case& c) { c.network.set_output_scaling(some, some); }));
    const std::vector<float> constant{2, 0, 1};
    CHECK(!in_lanes([&](Case& c) { c.network.set_output_scaling(constant, some); }));
    CHECK(in_lanes([&](Case& c) { c.network.set_loss_weights(some); }));
    const std::vector<Head> heads{{"all", kOutputs, kIdentity, Loss::kMeanSquaredError}};
    CHECK(!Case(Network<float>(kFeatures, {{kOutputs, kIdentity}}, heads, 7)).in_lanes());
}

void refused() {
    Case one_each = case_of({{12, kRelu, Normalization::kBatch}, {kOutputs, kIdentity}});
    one_each.options.batch_size = 1;
    CHECK(!one_each.in_lanes());
    const auto freeze = [](Case& c) {
        for (std::size_t i = 0; i < 2; ++i) c.network.set_trainable(i, false);
    };
    CHECK(!in_lanes(freeze));
    CHECK(!in_lanes([](Optimizer& o) { o.learning_rate = -1; }));
    CHECK(!in_lanes([](TrainOptions& o) { o.batch_size = 0; }));
    CHECK(!in_lanes([](Case& c) { c.targets.rows = 3; }));
    CHECK(!in_lanes([](Case& c) { c.weights[3] = -1, c.targets.weights = c.weights.data(); }));
    CHECK(!in_lanes([](Case& c) {
        c.rows[3] = kRows;
        c.options.rows = c.rows.data(), c.options.row_count = 40;
    }));
    Case frozen = case_of({{12, kTanh}, {kOutputs, kIdentity}});
    freeze(frozen);
    std::vector<Network<float>> copies;
    for (std::size_t i = 0; i < 16; ++i) copies.push_back(frozen.network.copy());
    std::vector<TrainJob<float>> jobs;
    for (Network<float>& copy : copies) {
        jobs.push_back(frozen.job());
        jobs.back().network = &copy;
    }
    for (const TrainOutcome& outcome : train_many<float>(jobs, 1, {})) {
        CHECK(check::throws<std::invalid_argument>([&] {
            if (outcome.error) std::rethrow_exception(outcome.error);
        }));
    }
}

template <class T>
bool fits(std::size_t features, std::size_t nodes, std::size_t batch) {
    const Layers layers{{nodes, kRelu}, {2, kIdentity}};
    return fits_in_lanes(Network<T>(features, layers, Loss::kMeanSquaredError, 7), batch);
}

/// Limits of the parameters' bytes, of those of a row, and of batches.
void sizes() {
    const CacheSizes usual{.l2 = 1024 * 1024}, small{.l2 = 16 * 1024};
    assume_cache_sizes(&usual);
    CHECK(fits<float>(8, 32, 1));    // 1,416 bytes
    CHECK(!fits<float>(20, 24, 1));  // 2,216 bytes
    CHECK(fits<float>(20, 24, 2));
    CHECK(fits<float>(60, 32, 200));   // 8,072 bytes
    CHECK(!fits<float>(61, 32, 200));  // 8,200 bytes
    CHECK(fits<double>(20, 24, 32));
    CHECK(!fits<double>(30, 32, 32));
    CHECK(fits<float>(80, 16, 2));  // 320 bytes a row
    CHECK(!fits<float>(81, 16, 31));
    CHECK(fits<float>(81, 16, 32));
    CHECK(!fits<float>(100, 16, 200));  // 6,600 bytes of parameters
    CHECK(fits<double>(64, 8, 200));
    CHECK(!fits<double>(65, 8, 200));
    assume_cache_sizes(&small);
    CHECK(!fits<float>(30, 16, 32) || kernels::active_table<float>().in_lanes.lanes == 1);
    assume_cache_sizes(nullptr);
}

void following() {
    Case plain = case_of({{12, kTanh}, {kOutputs, kIdentity}});
    Manner ends, never;
    ends.convergence.emplace();
    CHECK(may_follow(plain.job(), ends));
    CHECK(!may_follow(plain.job(), never));
    plain.options.schedule.warm_up = 3;
    CHECK(!may_follow(plain.job(), ends));
    plain.options.schedule = {.kind = Schedule::Kind::kStep};
    CHECK(!may_follow(plain.job(), ends));
    plain.options.schedule = {};
    plain.options.ema = 0.9;
    CHECK(!may_follow(plain.job(), ends));
}

}  // namespace

int main() {
    optimizers_and_options();
    samples();
    numbers_of_samples();
    scaled_features();
    networks();
    refused();
    sizes();
    following();
    return check::report();
}
