// A row of weight 0 is ignored: no bit of any result depends on its values. Also batches of
// one row under batch normalisation.
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;

constexpr std::size_t kRows = 23, kFeatures = 5, kOutputs = 3;

/// Samples of which every third has the weight 0, and `fill` in X and y.
template <class T>
struct Samples {
    std::vector<T> x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows * kOutputs, 2);
    std::vector<T> weights = numbers<T>(kRows, 3);

    explicit Samples(T fill) {
        for (std::size_t b = 0; b < kRows; ++b) {
            weights[b] = b % 3 == 0 ? 0 : weights[b] + T(0.6);
            if (b % 3 != 0) continue;
            std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(b * kFeatures), kFeatures, fill);
            std::fill_n(y.begin() + static_cast<std::ptrdiff_t>(b * kOutputs), kOutputs, fill);
        }
    }
    MatrixView<const T> features() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<T> targets() const {
        auto targets = Targets<T>::of_values({y.data(), kRows, kOutputs, kOutputs});
        targets.weights = weights.data();
        return targets;
    }
};

template <class T>
void append(std::vector<T>& to, const Buffer<T>& buffer) {
    to.insert(to.end(), buffer.data(), buffer.data() + buffer.size());
}

template <class T>
Network<T> network(Normalization normalization) {
    return {kFeatures,
            Layers{{20, Activation::kGelu, normalization, 0.2},
                   {9, Activation::kRelu, normalization},
                   {kOutputs, Activation::kIdentity}},
            Loss::kMeanSquaredError, 7};
}

/// What `run` leaves behind, the same with every value in the rows of weight 0.
template <class T, class Run>
void one_result(Run run) {
    const std::vector<T> expected = run(Samples<T>(0));
    CHECK(std::all_of(expected.begin(), expected.end(), [](T x) { return std::isfinite(x); }));
    for (const T fill : {std::sqrt(std::numeric_limits<T>::max()), std::numeric_limits<T>::max()}) {
        CHECK(check::same(run(Samples<T>(fill)), expected));
        CHECK(check::same(run(Samples<T>(-fill)), expected));
    }
}

template <class T>
std::vector<T> trained(const Samples<T>& samples, Normalization normalization, int n_threads) {
    auto net = network<T>(normalization);
    TrainOptions options;
    options.epochs = 3;
    options.batch_size = 7;
    options.optimizer.kind = Optimizer::Kind::kAdam;
    options.optimizer.clip_norm = 0.5;
    options.n_threads = n_threads;
    const auto reports = train(net, samples.features(), samples.targets(), options);
    std::vector<T> all{static_cast<T>(reports.back().loss)};
    append(all, *net.parameters());
    append(all, *net.statistics());
    append(all, *net.optimizer_state().second);
    return all;
}

/// The three steps, forward being given the weights or not.
template <class T>
std::vector<T> stepped(const Samples<T>& samples, Normalization normalization, bool given) {
    auto net = network<T>(normalization);
    std::vector<T> all;
    for (int step = 0; step < 2; ++step) {
        net.forward(samples.features(), true, given ? samples.weights.data() : nullptr);
        all.push_back(static_cast<T>(net.backward(samples.targets())));
        net.update(0.1);
    }
    append(all, *net.parameters());
    append(all, *net.gradients());
    if (given) append(all, *net.statistics());
    return all;
}

template <class T>
void every_path() {
    for (const auto kind : {Normalization::kNone, Normalization::kLayer, Normalization::kBatch}) {
        for (const int threads : {1, 2, 3}) {
            one_result<T>([&](const Samples<T>& s) { return trained(s, kind, threads); });
        }
        CHECK(check::same(trained(Samples<T>(0), kind, 1), trained(Samples<T>(1), kind, 3)));
        one_result<T>([&](const Samples<T>& s) { return stepped(s, kind, true); });
        one_result<T>([&](const Samples<T>& s) { return stepped(s, kind, false); });
        const auto [late, early] =
            std::pair{stepped(Samples<T>(0), kind, false), stepped(Samples<T>(0), kind, true)};
        CHECK(check::same(
            late, {early.begin(), early.begin() + static_cast<std::ptrdiff_t>(late.size())}));
    }
    one_result<T>([](const Samples<T>& s) {
        const Evaluation result =
            network<T>(Normalization::kNone).evaluate(s.features(), s.targets());
        return std::vector<T>{static_cast<T>(result.loss), static_cast<T>(result.correct)};
    });
}

/// Nothing counts: no gradient, no step.
template <class T>
void all_of_weight_0() {
    Samples<T> samples(1);
    std::fill(samples.weights.begin(), samples.weights.end(), T(0));
    auto net = network<T>(Normalization::kLayer);
    const auto before = trained(samples, Normalization::kLayer, 1);
    CHECK(check::same(trained(samples, Normalization::kLayer, 2), before));
    net.forward(samples.features());
    CHECK(net.backward(samples.targets()) == 0);
    const Buffer<T>& gradients = *net.gradients();
    CHECK(std::all_of(gradients.data(), gradients.data() + gradients.size(),
                      [](T g) { return g == 0; }));
    std::vector<T> untouched{0};
    append(untouched, *net.parameters());
    CHECK(std::equal(untouched.begin(), untouched.end(), before.begin()));
}

template <class T>
bool refuses(const Samples<T>& samples, const Targets<T>& targets, TrainOptions options) {
    auto net = network<T>(Normalization::kBatch);
    try {
        train(net, samples.features(), targets, options);
    } catch (const std::invalid_argument& error) {
        return std::string(error.what()).find("batch_size") == 0;
    }
    return false;
}

/// One row has no variance.
template <class T>
void batches_of_one_row() {
    Samples<T> samples(1);
    Targets<T> plain = samples.targets();
    plain.weights = nullptr;
    TrainOptions options;
    options.batch_size = 1;
    CHECK(refuses(samples, plain, options));
    options.batch_size = 22;  // and one of one row
    CHECK(!refuses(samples, plain, options));
    options.batch_size = 2;
    options.shuffle = false;
    for (std::size_t b = 0; b < kRows; ++b) samples.weights[b] = b % 2 == 0 ? T(1) : T(0);
    CHECK(refuses(samples, samples.targets(), options));
    options.batch_size = 3;
    CHECK(!refuses(samples, samples.targets(), options));

    auto net = network<T>(Normalization::kBatch);
    std::vector<T> before, after, moved;
    append(before, *net.statistics());
    net.forward({samples.x.data(), 1, kFeatures, kFeatures});
    append(after, *net.statistics());
    CHECK(check::same(before, after));
    std::fill(samples.weights.begin() + 1, samples.weights.end(), T(0));
    net.forward(samples.features(), true, samples.weights.data());
    append(moved, *net.statistics());
    CHECK(check::same(before, moved));
}

}  // namespace

int main() {
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // before the first call reads it
    every_path<float>();
    every_path<double>();
    all_of_weight_0<float>();
    all_of_weight_0<double>();
    batches_of_one_row<float>();
    batches_of_one_row<double>();
    return check::report();
}
