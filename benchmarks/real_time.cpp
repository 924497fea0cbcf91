// How long single calls take, not on average but each: the first, the usual and the longest one.
//
//     real_time          prints the rows of docs/real-time.md as JSON, in microseconds
//
// float32, one thread: `Predictor::predict_row` of 40-100-100-10, also with subnormal inputs, and
// `TrainStep::run` of one row of 64-64-2 with SGD and with Adam.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Activation;
using Clock = std::chrono::steady_clock;

/// Prints the first call, the median and quantiles of the others, and the longest.
template <class Function>
void measure(const char* name, Function&& call) {
    constexpr std::size_t kCalls = 1'000'000;
    std::vector<double> times(kCalls);
    for (double& time : times) {
        const auto start = Clock::now();
        call();
        time = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    }
    const double first = times.front();
    std::sort(times.begin(), times.end());
    std::printf(
        "{\"call\": \"%s\", \"first\": %.2f, \"median\": %.2f, \"99.9 %%\": %.2f, "
        "\"99.999 %%\": %.2f, \"longest\": %.0f}\n",
        name, first, times[kCalls / 2], times[kCalls / 1000 * 999], times[kCalls / 100000 * 99999],
        times.back());
}

void measure_predictor(const char* name, float value) {
    const fastmlp::Network<float> network(
        40, {{100, Activation::kRelu}, {100, Activation::kRelu}, {10, Activation::kSoftmax}},
        fastmlp::Loss::kCrossEntropy, 1);
    fastmlp::Predictor<float> predictor(network);
    const std::vector<float> row(40, value);
    std::vector<float> out(10);
    measure(name, [&] { predictor.predict_row(row, out); });
}

void measure_step(const char* name, fastmlp::Optimizer::Kind kind) {
    fastmlp::Network<float> network(64, {{64, Activation::kRelu}, {2, Activation::kIdentity}},
                                    fastmlp::Loss::kMeanSquaredError, 1);
    fastmlp::TrainStep<float> step(network, 1);
    fastmlp::Optimizer optimizer;
    optimizer.kind = kind;
    optimizer.learning_rate = 1e-4;
    const std::vector<float> x(64, 0.5F);
    std::vector<float> y(2);
    const auto targets = fastmlp::Targets<float>::of_values({y.data(), 1, 2, 2});
    measure(name, [&] {
        y[0] = y[0] < 3 ? y[0] + 0.25F : -3;  // there is always something to learn
        step.run({x.data(), 1, 64, 64}, targets, optimizer);
    });
}

}  // namespace

int main() {
    measure_predictor("predict_row", 0.5F);
    measure_predictor("predict_row, subnormal inputs", 1e-40F);
    measure_step("TrainStep, SGD", fastmlp::Optimizer::Kind::kSgd);
    measure_step("TrainStep, Adam", fastmlp::Optimizer::Kind::kAdam);
    return 0;
}
