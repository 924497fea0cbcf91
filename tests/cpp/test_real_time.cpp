// What docs/real-time.md promises: neither predictions nor steps make a system call, after the
// first.
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "system_calls.hpp"

// Sanitizers make system calls of their own.
#if defined(CHECK_HAS_SYSTEM_CALLS) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)

namespace {

using fastmlp::Activation;

/// The number of system calls of a process that makes everything and then n calls; -1 where this
/// machine does not let us see them.
template <class Make>
long system_calls(int n, Make make) {
    const check::Outcome outcome = check::run_with({}, [&] {
        auto call = make();
        for (int i = 0; i < n; ++i) call();
        return 0;
    });
    if (!outcome.traced) return -1;
    CHECK(outcome.status == 0);
    return static_cast<long>(outcome.calls.size());
}

template <class Make>
void test_none_after_the_first(Make make) {
    const long one = system_calls(1, make), many = system_calls(2000, make);
    if (one < 0) std::puts("not traced here");
    CHECK(one == many);
}

auto predictions(float value) {
    return [value] {
        const fastmlp::Network<float> network(
            40, {{100, Activation::kRelu}, {10, Activation::kSoftmax}},
            fastmlp::Loss::kCrossEntropy, 1);
        return [predictor = fastmlp::Predictor<float>(network), row = std::vector<float>(40, value),
                out = std::vector<float>(10)]() mutable { predictor.predict_row(row, out); };
    };
}

auto steps(fastmlp::Optimizer::Kind kind) {
    return [kind] {
        auto network = std::make_unique<fastmlp::Network<float>>(
            9, std::vector<fastmlp::Layer>{{20, Activation::kRelu}, {2, Activation::kIdentity}},
            fastmlp::Loss::kMeanSquaredError, 1);
        fastmlp::Optimizer optimizer;
        optimizer.kind = kind;
        optimizer.learning_rate = 1e-3;
        return
            [step = fastmlp::TrainStep<float>(*network, 1), network = std::move(network), optimizer,
             x = std::vector<float>(9, 0.5F), y = std::vector<float>(2, 1)]() mutable {
                step.run({x.data(), 1, 9, 9},
                         fastmlp::Targets<float>::of_values({y.data(), 1, 2, 2}), optimizer);
            };
    };
}

}  // namespace

int main() {
    // What this process allocates for its first child leaves the next ones another heap.
    system_calls(1, predictions(0.5F));
    test_none_after_the_first(predictions(0.5F));
    test_none_after_the_first(predictions(1e-40F));
    test_none_after_the_first(steps(fastmlp::Optimizer::Kind::kSgd));
    test_none_after_the_first(steps(fastmlp::Optimizer::Kind::kAdam));
    return check::report();
}

#else

int main() {
    return 0;
}

#endif
