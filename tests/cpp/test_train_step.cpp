// The steps of a TrainStep have the bits of forward, backward and update, and of `train`, on any
// number of threads. From the second step on it does not allocate, also on several threads.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;
using Layers = std::vector<Layer>;
using enum Activation::Kind;

constexpr std::size_t kRows = 40, kFeatures = 9;

template <class T>
std::vector<T> state_of(const Network<T>& network) {
    std::vector<T> result;
    const OptimizerState<T>& state = network.optimizer_state();
    for (const Buffer<T>* buffer : {network.parameters().get(), network.statistics().get(),
                                    state.first.get(), state.second.get()}) {
        if (buffer) result.insert(result.end(), buffer->begin(), buffer->end());
    }
    return result;
}

template <class T>
struct Data {
    explicit Data(std::size_t outputs)
        : n(outputs), x(numbers<T>(kRows * kFeatures, 1)), y(numbers<T>(kRows * outputs, 2)),
          weights(numbers<T>(kRows, 3)) {
        for (std::size_t b = 0; b < kRows; ++b) weights[b] += T(0.75);
    }

    MatrixView<const T> features(std::size_t rows = kRows) const {
        return {x.data(), rows, kFeatures, kFeatures};
    }
    MatrixView<const T> values(std::size_t rows = kRows) const { return {y.data(), rows, n, n}; }
    Targets<T> targets(bool weighted) const {
        Targets<T> result = Targets<T>::of_values(values());
        if (weighted) result.weights = weights.data();
        return result;
    }

    std::size_t n;
    std::vector<T> x, y, weights;
};

Optimizer adam(double clip_norm = Optimizer::kUnlimited) {
    Optimizer optimizer;
    optimizer.kind = Optimizer::Kind::kAdam;
    optimizer.learning_rate = 0.01;
    optimizer.clip_norm = clip_norm;
    return optimizer;
}

const std::vector<Layers> kNetworks{
    {{33, kRelu}, {17, kGelu}, {3, kIdentity}},
    {{12, kRelu}, {2, kIdentity}},
    {{20, kTanh, Normalization::kBatch, 0.2}, {3, kSoftplus}},
    {{64, kSilu, Normalization::kLayer, 0.1}, {4, kIdentity}},
};

template <class T>
void the_three_steps() {
    for (const Layers& layers : kNetworks) {
        const Data<T> data(layers.back().nodes);
        for (const bool weighted : {false, true}) {
            for (const double clip : {Optimizer::kUnlimited, 0.01}) {
                for (const int n_threads : {1, 3}) {
                    Network<T> net(kFeatures, layers, Loss::kMeanSquaredError, 7);
                    Network<T> twin = net.copy(), fitted = net.copy();
                    TrainStep<T> step(net, n_threads);
                    const Targets<T> y = data.targets(weighted);
                    for (int i = 0; i < 3; ++i) {
                        const double loss = step.run(data.features(), y, adam(clip));
                        twin.forward(data.features(), true, y.weights, n_threads);
                        CHECK(loss == twin.backward(y, n_threads));
                        twin.update(adam(clip), n_threads);
                        CHECK(check::same(state_of(net), state_of(twin)));
                        if (i > 0) continue;
                        TrainOptions options;
                        options.optimizer = adam(clip);
                        options.epochs = 1;
                        options.shuffle = false;
                        options.batch_size = kRows;
                        options.n_threads = n_threads;
                        CHECK(train(fitted, data.features(), y, options)[0].loss == loss);
                        CHECK(check::same(state_of(net), state_of(fitted)));
                    }
                    CHECK(net.optimizer_state().steps == 3);
                }
            }
        }
    }
}

// The derivatives of a loss by the outputs, divided by the rows, have the effect of the loss: to
// the bit where the division is exact.
template <class T>
void a_gradient() {
    const std::size_t rows = 32;
    for (const Layers& layers : kNetworks) {
        const Data<T> data(layers.back().nodes);
        Network<T> net(kFeatures, layers, Loss::kMeanSquaredError, 7), twin = net.copy();
        const Targets<T> y = Targets<T>::of_values(data.values(rows));
        twin.forward(data.features(rows));
        const auto& outputs = net.layers().back().nodes;
        net.forward(data.features(rows));
        // the loss's own derivatives, by a custom loss that keeps what it is asked for
        std::vector<T> gradient(rows * outputs);
        Network<T> asked(kFeatures, layers, Loss::kCustom, 7);
        const CustomLoss<T> keeps = [&](const LossBatch<T>& batch) {
            for (std::size_t b = 0; b < rows; ++b) {
                batch.losses[b] = 0;
                for (std::size_t j = 0; j < outputs; ++j) {
                    const T error = batch.nodes.row(b)[j] - y.values.row(b)[j];
                    batch.gradients.row(b)[j] = T(2) * error;
                    gradient[b * outputs + j] = T(2) * error / static_cast<T>(rows);
                }
            }
        };
        asked.forward(data.features(rows));
        asked.backward(Targets<T>::of_function(keeps, rows));
        const Targets<T> given = Targets<T>::of_gradient({gradient.data(), rows, outputs, outputs});
        CHECK(net.backward(given) == 0);
        const Buffer<T>&ours = *net.gradients(), &theirs = *asked.gradients();
        CHECK(check::same(std::vector<T>(ours.begin(), ours.end()),
                          std::vector<T>(theirs.begin(), theirs.end())));
        net.update(adam());
        TrainStep<T> step(twin);
        twin.set_epoch(0);  // the same masks again
        CHECK(step.run(data.features(rows), given, adam()) == 0);
        CHECK(check::same(std::vector<T>(net.parameters()->begin(), net.parameters()->end()),
                          std::vector<T>(twin.parameters()->begin(), twin.parameters()->end())));
    }
}

template <class T>
void features() {
    const Layers layers{{16, kTanh}, {3, kIdentity}};
    const Data<T> data(3);
    Network<T> net(kFeatures, layers, Loss::kMeanSquaredError, 7);
    CHECK(check::throws<std::logic_error>([&] { net.feature_gradients(); }));
    net.forward(data.features());
    CHECK(check::throws<std::logic_error>([&] { net.feature_gradients(); }));
    net.backward(data.targets(false));
    const MatrixView<const T> ours = net.feature_gradients();
    std::vector<T> expected(kRows * kFeatures);
    net.input_gradient(data.features(), data.targets(false),
                       {expected.data(), kRows, kFeatures, kFeatures});
    for (std::size_t b = 0; b < kRows; ++b) {
        for (std::size_t k = 0; k < kFeatures; ++k) {
            CHECK(ours.row(b)[k] == expected[b * kFeatures + k]);
        }
    }
    net.update(0.1);
    CHECK(check::throws<std::logic_error>([&] { net.feature_gradients(); }));
}

/// A pool of two threads, which run the tasks 0 and 1 of a team.
class TwoThreads {
public:
    TwoThreads() {
        executor.concurrency = 2;
        executor.run = [this](int tasks, const std::function<void(int)>& task) {
            if (tasks > 1) start(task);
            task(0);
            if (tasks > 1) done_.acquire();
        };
    }
    ~TwoThreads() {
        task_ = nullptr;
        start_.release();
        other_.join();
    }

    Executor executor;
    int runs = 0;

private:
    void start(const std::function<void(int)>& task) {
        ++runs;
        task_ = &task;
        start_.release();
    }

    const std::function<void(int)>* task_ = nullptr;
    std::binary_semaphore start_{0}, done_{0};
    std::thread other_{[this] {
        for (start_.acquire(); task_ != nullptr; start_.acquire()) {
            (*task_)(1);
            done_.release();
        }
    }};
};

template <class T>
void allocates_nothing() {
    TwoThreads pool;
    for (const Layers& layers : kNetworks) {
        const Data<T> data(layers.back().nodes);
        for (const Executor* executor : {static_cast<const Executor*>(nullptr),
                                         static_cast<const Executor*>(&pool.executor)}) {
            for (const int n_threads : {1, 3}) {
                Network<T> net(kFeatures, layers, Loss::kMeanSquaredError, 7);
                TrainStep<T> step(net, n_threads, executor);
                const Targets<T> y = data.targets(true);
                step.run(data.features(), y, adam(0.1));
                const auto before = allocations::count.load();
                for (int i = 0; i < 5; ++i) step.run(data.features(), y, adam(0.1));
                for (std::size_t rows : {1, 7, 40}) {
                    const auto x = data.features(rows);
                    const auto values = data.values(rows);
                    step.run(x, Targets<T>::of_values(values), adam(0.1));
                    step.set_threads(std::min(n_threads, 2));
                    step.run(x, Targets<T>::of_gradient(values), adam(0.1));
                    step.set_threads(n_threads);
                }
                CHECK(allocations::count == before);
            }
        }
    }
    CHECK(pool.runs > 0);
}

// A team may become larger or smaller from step to step; the bits do not change.
template <class T>
void any_number_of_threads() {
    for (const Layers& layers : kNetworks) {
        const Data<T> data(layers.back().nodes);
        Network<T> net(kFeatures, layers, Loss::kMeanSquaredError, 7), alone = net.copy();
        TrainStep<T> step(net), step_alone(alone, 1);
        for (const int n_threads : {2, 4, 3, 1, 5, 2, 4}) {
            step.set_threads(n_threads);
            const double loss = step.run(data.features(), data.targets(false), adam());
            CHECK(loss == step_alone.run(data.features(), data.targets(false), adam()));
            CHECK(check::same(state_of(net), state_of(alone)));
        }
    }
}

// What is refused leaves everything as it was.
void refusals() {
    const Data<float> data(3);
    Network<float> net(kFeatures, kNetworks[0], Loss::kMeanSquaredError, 7);
    TrainStep<float> step(net);
    step.run(data.features(), data.targets(false), adam());
    const auto before = state_of(net);
    const auto refused = [&](MatrixView<const float> x, const Targets<float>& y, Optimizer o) {
        CHECK(check::throws<std::invalid_argument>([&] { step.run(x, y, o); }));
        CHECK(check::same(state_of(net), before) && net.optimizer_state().steps == 1);
    };
    Optimizer wrong;
    wrong.learning_rate = -1;
    refused(data.features(), data.targets(false), wrong);
    refused(data.features(7), data.targets(false), adam());
    refused(data.features(0), Targets<float>::of_values(data.values(0)), adam());
    Targets<float> gradient = Targets<float>::of_gradient(data.values());
    gradient.weights = data.weights.data();
    refused(data.features(), gradient, adam());
    gradient.weights = nullptr;
    CHECK(check::throws<std::invalid_argument>([&] { net.evaluate(data.features(), gradient); }));
    CHECK(check::throws<std::invalid_argument>([&] { train(net, data.features(), gradient, {}); }));
}

}  // namespace

int main() {
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // before the first call reads it
    the_three_steps<float>();
    the_three_steps<double>();
    a_gradient<float>();
    a_gradient<double>();
    features<float>();
    features<double>();
    allocates_nothing<float>();
    allocates_nothing<double>();
    any_number_of_threads<float>();
    any_number_of_threads<double>();
    refusals();
    return check::report();
}
