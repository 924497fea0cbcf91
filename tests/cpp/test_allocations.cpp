// A step of training allocates nothing: memory is taken before the first step and between epochs.
#include <cstdint>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp.h"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;

constexpr std::size_t kFeatures = 9, kOutputs = 3;

/// A hundred steps allocate as often as ten.
template <class T>
void test_steps(const Network<T>& given, std::size_t batch_size) {
    const std::size_t rows = 100 * batch_size;
    const auto x = numbers<T>(rows * kFeatures, 1), y = numbers<T>(rows * kOutputs, 2);
    const auto allocations_of = [&](std::size_t steps, Optimizer::Kind kind) {
        const std::size_t n = steps * batch_size;
        const auto targets = Targets<T>::of_values({y.data(), n, kOutputs, kOutputs});
        Network<T> network = given.copy();
        TrainOptions options;
        options.epochs = 1;
        options.batch_size = batch_size;
        options.n_threads = 1;
        options.optimizer.kind = kind;
        options.optimizer.learning_rate = 0.001;
        const std::size_t before = allocations::count;
        train(network, {x.data(), n, kFeatures, kFeatures}, targets, options);
        return allocations::count - before;
    };
    for (const auto kind : {Optimizer::Kind::kSgd, Optimizer::Kind::kAdam}) {
        allocations_of(10, kind);  // the first call of a process queries what later ones reuse
        CHECK(allocations_of(10, kind) == allocations_of(100, kind));
    }
}

/// A step of the C interface, a soft update, and what lends memory, after the first of each.
void test_c() {
    const fastmlp_layer layers[] = {{20, "tanh"}, {kOutputs, "identity"}};
    const auto x = numbers<float>(40 * kFeatures, 1), y = numbers<float>(40 * kOutputs, 2);
    const fastmlp_batch_targets targets{nullptr, y.data(), nullptr, nullptr};
    fastmlp_optimizer adam = fastmlp_default_optimizer();
    adam.kind = "adam";
    adam.clip_norm = 0.5;
    fastmlp_network *network = nullptr, *target = nullptr;
    CHECK(fastmlp_create(kFeatures, layers, 2, nullptr, 1, &network) == FASTMLP_OK);
    CHECK(fastmlp_copy(network, 1, &target) == FASTMLP_OK);
    std::size_t before = 0;
    for (int i = 0; i < 4; ++i) {
        for (const std::size_t rows : {std::size_t{40}, std::size_t{1}, std::size_t{7}}) {
            CHECK(fastmlp_train_on_batch(network, x.data(), rows, targets, &adam, 1, nullptr) ==
                  FASTMLP_OK);
        }
        CHECK(fastmlp_soft_update(target, network, 0.1) == FASTMLP_OK);
        fastmlp_layer_info info;
        CHECK(fastmlp_get_layer(network, 1, &info) == FASTMLP_OK);
        CHECK(fastmlp_gradients(network, nullptr) != nullptr);
        if (i == 0) before = allocations::count;
    }
    CHECK(allocations::count == before);
    fastmlp_destroy(network);
    fastmlp_destroy(target);
}

}  // namespace

int main() {
    test_c();
    using enum Activation::Kind;
    const Layers plain{{20, kTanh}, {kOutputs, kIdentity}};
    const Layers kinds{{33, kRelu, Normalization::kBatch, 0.2},
                       {17, kGelu, Normalization::kLayer},
                       {kOutputs, kIdentity}};
    const Network<float> simple(kFeatures, plain, Loss::kMeanSquaredError, 7);
    const Network<double> deep(kFeatures, kinds, Loss::kHuber, 7);
    // Losses are reported in units of the targets, of which one column is constant.
    const std::vector<float> scales{2, 0, 3}, offsets{1, 1, 1};
    Network<float> scaled(kFeatures, plain, Loss::kHuber, 7);
    Network<float> heads(kFeatures, plain,
                         {{"one", 1, kIdentity, Loss::kHuber}, {"two", 2, kIdentity, Loss::kHuber}},
                         7);
    scaled.set_output_scaling(scales, offsets);
    heads.set_output_scaling(scales, offsets);
    for (const std::size_t batch_size : {1, 7, 40}) {
        test_steps(simple, batch_size);
        test_steps(scaled, batch_size);
        test_steps(heads, batch_size);
    }
    for (const std::size_t batch_size : {2, 7, 40}) {  // batch normalization refuses 1
        test_steps(deep, batch_size);
    }
    return check::report();
}
