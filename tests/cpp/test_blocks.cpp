// A batch that is divided into blocks of rows, whatever the sizes of the caches, gives the bits of
// the undivided one, on any number of threads and with every optimizer; and so do the sums over all
// rows of objectives and Hessian-vector products, and predictions and their derivatives.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"
#include "propagation/cache_size.hpp"
#include "training/options.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;

constexpr std::size_t kRows = 150;
constexpr CacheSizes kWholeBatch{std::size_t{1} << 30, std::size_t{1} << 40};
constexpr CacheSizes kCacheSizes[] = {
    {500, 1000}, {3000, 6000}, {9000, 33000}, {32 << 10, 1 << 18}, {48 << 10, 1 << 20}};

template <class T>
struct Data {
    Data(std::size_t its_features, std::size_t its_outputs)
        : features(its_features), outputs(its_outputs), x(numbers<T>(kRows * features, 1)),
          y(numbers<T>(kRows * outputs, 2)), weights(numbers<T>(kRows, 3)) {
        for (T& target : y) target += T(0.5);  // between 0 and 1, as every loss allows
        for (std::size_t b = 0; b < kRows; ++b) weights[b] = b % 7 == 0 ? 0 : weights[b] + T(0.6);
    }

    MatrixView<const T> samples(std::size_t rows = kRows) const {
        return {x.data(), rows, features, features};
    }
    Targets<T> targets(bool weighted, std::size_t rows = kRows) const {
        Targets<T> result = Targets<T>::of_values({y.data(), rows, outputs, outputs});
        if (weighted) result.weights = weights.data();
        return result;
    }

    std::size_t features, outputs;
    std::vector<T> x, y, weights;
};

/// All that a training leaves behind.
template <class T>
struct Trained {
    std::vector<T> parameters;
    std::vector<double> losses;

    bool operator==(const Trained& other) const {
        return check::same(parameters, other.parameters) && check::same(losses, other.losses);
    }
};

template <class T>
Trained<T> result_of(const Network<T>& network, std::vector<double> losses) {
    const Buffer<T>& parameters = *network.parameters();
    return {{parameters.begin(), parameters.end()}, std::move(losses)};
}

template <class T>
Trained<T> fitted(Network<T> network, const Data<T>& data, bool weighted,
                  const TrainOptions& options, Conventions conventions) {
    std::vector<double> losses;
    for (const EpochReport& report :
         train_by<T>(conventions, network, data.samples(), data.targets(weighted), options)) {
        losses.push_back(report.loss);
    }
    losses.push_back(conventions.squares);
    return result_of(network, losses);
}

/// Batches that grow and shrink, so that one room serves several.
template <class T>
Trained<T> stepped(Network<T> network, const Data<T>& data, bool weighted,
                   const TrainOptions& options) {
    TrainStep<T> step(network, options.n_threads);
    std::vector<double> losses;
    for (const std::size_t rows : {40, 150, 7, 120}) {
        losses.push_back(
            step.run(data.samples(rows), data.targets(weighted, rows), options.optimizer));
    }
    return result_of(network, losses);
}

/// A loss, its gradient and the outputs by an objective, which goes through the rows in blocks.
template <class T>
Trained<T> objective(Network<T> network, const Data<T>& data, bool weighted, int n_threads) {
    std::vector<T> outputs(kRows * data.outputs, T(5));
    Objective<T> objective(network);
    std::vector<double> losses;
    for (const std::size_t rows : {std::size_t{40}, kRows}) {  // the memory of one serves the other
        losses.push_back(objective.compute(data.samples(rows), data.targets(weighted, rows),
                                           {outputs.data(), rows, data.outputs, data.outputs},
                                           n_threads));
    }
    const Buffer<T>& gradients = *network.gradients();
    outputs.insert(outputs.end(), gradients.begin(), gradients.end());
    return {outputs, losses};
}

/// The same by the passes over all rows.
template <class T>
Trained<T> stepwise(Network<T> network, const Data<T>& data, bool weighted) {
    std::vector<T> outputs(kRows * data.outputs, T(5));
    std::vector<double> losses;
    for (const std::size_t rows : {std::size_t{40}, kRows}) {
        const Targets<T> y = data.targets(weighted, rows);
        network.forward(data.samples(rows), false, y.weights, 1);
        losses.push_back(network.backward(y, 1));
        const MatrixView<const T> nodes = network.nodes(network.layers().size() - 1);
        for (std::size_t b = 0, row = 0; b < rows; ++b) {
            if (weighted && data.weights[b] == 0) continue;
            std::copy_n(nodes.row(row++), data.outputs, outputs.data() + b * data.outputs);
        }
    }
    const Buffer<T>& gradients = *network.gradients();
    outputs.insert(outputs.end(), gradients.begin(), gradients.end());
    return {outputs, losses};
}

template <class T>
void same_objective_in_blocks(const Layers& layers, Loss loss) {
    const Data<T> data(9, layers.back().nodes);
    const Network<T> network(9, layers, loss, 7);
    for (const bool weighted : {false, true}) {
        const auto whole = stepwise<T>(network.copy(), data, weighted);
        for (const CacheSizes& sizes : kCacheSizes) {
            assume_cache_sizes(&sizes);
            for (int n_threads = 1; n_threads <= 3; ++n_threads) {
                CHECK(objective<T>(network.copy(), data, weighted, n_threads) == whole);
            }
        }
    }
}

template <class T>
void same_product_in_blocks(const Layers& layers, Loss loss) {
    const Data<T> data(9, layers.back().nodes);
    const Network<T> network(9, layers, loss, 7);
    const std::vector<T> direction = numbers<T>(network.layout().size(), 4);
    const auto product = [&](bool weighted, int n_threads) {
        std::vector<T> result(direction.size());
        HessianProduct<T>(network).compute(data.samples(), data.targets(weighted), direction,
                                           result, n_threads);
        return result;
    };
    for (const bool weighted : {false, true}) {
        assume_cache_sizes(&kWholeBatch);
        const std::vector<T> whole = product(weighted, 1);
        for (const CacheSizes& sizes : kCacheSizes) {
            assume_cache_sizes(&sizes);
            for (int n_threads = 1; n_threads <= 3; ++n_threads) {
                CHECK(check::same(product(weighted, n_threads), whole));
            }
        }
    }
}

/// Outputs, their derivatives and those of the losses.
template <class T>
std::vector<T> predicted(const Network<T>& network, const Data<T>& data, int n_threads) {
    const std::size_t n = data.outputs, k = data.features, first = kRows * n, second = first * k;
    std::vector<T> out(first + second + kRows * k);
    network.predict(data.samples(), {out.data(), kRows, n, n}, n_threads);
    network.jacobian(data.samples(), {out.data() + first, kRows * n, k, k}, n_threads);
    network.input_gradient(data.samples(), data.targets(true),
                           {out.data() + first + second, kRows, k, k}, n_threads);
    return out;
}

template <class T>
void same_prediction_in_blocks(const Layers& layers, Loss loss) {
    const Data<T> data(9, layers.back().nodes);
    const Network<T> network(9, layers, loss, 7);
    assume_cache_sizes(&kWholeBatch);
    const std::vector<T> whole = predicted(network, data, 1);
    for (const CacheSizes& sizes : kCacheSizes) {
        assume_cache_sizes(&sizes);
        for (const int n_threads : {1, 3}) {
            CHECK(check::same(predicted(network, data, n_threads), whole));
        }
        Predictor<T> predictor(network);
        std::vector<T> out(kRows * data.outputs);
        predictor.predict(data.samples(), {out.data(), kRows, data.outputs, data.outputs});
        CHECK(std::equal(out.begin(), out.end(), whole.begin()));
    }
}

template <class T>
void same_in_blocks(const Layers& layers, Loss loss, TrainOptions options,
                    const Conventions& conventions = {}, std::size_t features = 9) {
    const Data<T> data(features, layers.back().nodes);
    const Network<T> network(features, layers, loss, 7);
    options.epochs = 2;
    for (const std::size_t batch : {std::size_t{100}, kRows}) {
        options.batch_size = batch;
        for (const bool weighted : {false, true}) {
            assume_cache_sizes(&kWholeBatch);
            options.n_threads = 1;
            const auto whole = fitted<T>(network.copy(), data, weighted, options, conventions);
            const auto whole_steps = stepped<T>(network.copy(), data, weighted, options);
            for (const CacheSizes& sizes : kCacheSizes) {
                assume_cache_sizes(&sizes);
                for (options.n_threads = 1; options.n_threads <= 3; ++options.n_threads) {
                    CHECK(fitted<T>(network.copy(), data, weighted, options, conventions) == whole);
                    CHECK(stepped<T>(network.copy(), data, weighted, options) == whole_steps);
                }
            }
        }
    }
}

/// Deltas of wide layers, which are copied only where the copy fits into the cache.
template <class T>
void same_with_copied_deltas() {
    using enum Activation::Kind;
    const Data<T> data(5, 3);
    const Network<T> network(5, {{257, kRelu}, {1040, kRelu}, {3, kIdentity}},
                             Loss::kMeanSquaredError, 7);
    TrainOptions options;
    options.batch_size = 75;
    for (const Optimizer::Kind kind : {Optimizer::Kind::kSgd, Optimizer::Kind::kAdam}) {
        options.optimizer.kind = kind;
        std::vector<Trained<T>> trained;
        for (const std::size_t l2 : {1 << 20, 1 << 18, 1 << 15}) {
            const CacheSizes sizes{32 << 10, l2};
            assume_cache_sizes(&sizes);
            for (options.n_threads = 1; options.n_threads <= 2; ++options.n_threads) {
                trained.push_back(fitted<T>(network.copy(), data, true, options, {}));
                CHECK(trained.back() == trained.front());
            }
        }
    }
}

template <class T>
void every_way() {
    using enum Activation::Kind;
    TrainOptions options;
    const Layers plain{{33, kRelu}, {17, kGelu}, {3, kIdentity}};
    same_in_blocks<T>(plain, Loss::kHuber, options);
    const Layers dropped{{33, kTanh, Normalization::kNone, 0.3},
                         {20, kRelu, Normalization::kNone, 0.1},
                         {20, kSigmoid}};
    options.optimizer.l2 = 0.01;
    same_in_blocks<T>(dropped, Loss::kBinaryCrossEntropy, options);
    options.optimizer.kind = Optimizer::Kind::kAdam;
    options.optimizer.weight_decay = 0.01;
    same_in_blocks<T>(plain, Loss::kMeanSquaredError, options);
    options.optimizer.clip_norm = 0.1;
    options.ema = 0.9;
    Conventions conventions;
    conventions.report_squares = conventions.batch_means = true;
    Layers frozen = plain;
    frozen[0].trainable = false;
    frozen[1].rate_factor = 0.5;
    same_in_blocks<T>(frozen, Loss::kMeanSquaredError, options, conventions);
    Layers by_rows{{33, kTanh, Normalization::kLayer, 0.1}, {20, kRelu}, {3, kIdentity}};
    by_rows[1].normalization = Normalization::kLayer;
    by_rows[1].normalization.after_activation = true;
    same_in_blocks<T>(by_rows, Loss::kMeanSquaredError, options, conventions);
    same_in_blocks<T>(by_rows, Loss::kHuber, {});
    // Ways that only undivided batches take, or that see whole batches.
    same_in_blocks<T>({{64, kRelu}, {2, kIdentity}}, Loss::kMeanSquaredError, {});
    same_in_blocks<T>({{64, kRelu}, {2, kIdentity}}, Loss::kMeanSquaredError, {}, {}, 5);
    same_in_blocks<T>(
        {{20, kRelu, Normalization::kBatch}, {20, kRelu, Normalization::kLayer}, {1, kIdentity}},
        Loss::kMeanSquaredError, {});
    const Layers normalized{
        {20, kRelu, Normalization::kBatch}, {33, kTanh, Normalization::kLayer}, {3, kIdentity}};
    Layers normalized_inputs = normalized;
    normalized_inputs[0].input_normalization = Normalization::kLayer;
    for (const Layers& layers : {plain, dropped, frozen, normalized, normalized_inputs}) {
        const bool is_binary = layers.back().activation == kSigmoid;
        const Loss loss = is_binary ? Loss::kBinaryCrossEntropy : Loss::kMeanSquaredError;
        same_objective_in_blocks<T>(layers, loss);
        same_prediction_in_blocks<T>(layers, loss);
    }
    same_product_in_blocks<T>(plain, Loss::kHuber);
    same_product_in_blocks<T>(frozen, Loss::kMeanSquaredError);
    same_product_in_blocks<T>(dropped, Loss::kBinaryCrossEntropy);
}

}  // namespace

int main() {
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // before the first call reads it
    every_way<float>();
#if !defined(__SANITIZE_THREAD__)  // which takes minutes, and whose threads are those of float
    every_way<double>();
#endif
    same_with_copied_deltas<float>();
    same_with_copied_deltas<double>();
    assume_cache_sizes(nullptr);
    const CacheSizes sizes = cache_sizes(), unknown;
    CHECK(sizes.l1 >= unknown.l1 / 4 && sizes.l1 <= unknown.l1 * 4);
    CHECK(sizes.l2 >= unknown.l2 / 4 && sizes.l2 <= unknown.l2 * 4);
    return check::report();
}
