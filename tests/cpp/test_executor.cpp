// A caller's own threads: the same bits, one task where tasks take turns, and nothing left behind.

#include "fastmlp/executor.hpp"

#include <atomic>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/thread_pool.hpp"

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace {

using fastmlp::Executor;
using fastmlp::Network;
using fastmlp::ThreadTeam;
using Task = std::function<void(int)>;

/// A thread for every task.
Executor threads(int concurrency) {
    return {concurrency, [](int tasks, const Task& task) {
                std::vector<std::thread> others;
                for (int rank = 1; rank < tasks; ++rank) others.emplace_back(task, rank);
                task(0);
                for (std::thread& thread : others) thread.join();
            }};
}

/// Claims more than it does: the tasks take turns.
Executor one_after_another(int concurrency) {
    return {concurrency, [](int tasks, const Task& task) {
                for (int rank = 0; rank < tasks; ++rank) task(rank);
            }};
}

struct Trained {
    std::vector<float> parameters, outputs;
    double loss;
};

/// A short training of a fixed network, and its predictions.
Trained train(int n_threads, const Executor* executor) {
    using enum fastmlp::Activation::Kind;
    constexpr std::size_t kRows = 200, kFeatures = 7;
    const fastmlp::RandomStream stream{3, fastmlp::Purpose::kInitialWeights, 0};
    std::vector<float> inputs(kRows * kFeatures);
    std::vector<std::int32_t> labels(kRows);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = static_cast<float>(stream.uniform(i));
    }
    for (std::size_t b = 0; b < kRows; ++b) labels[b] = inputs[b * kFeatures] > 0.5F ? 1 : 0;
    const fastmlp::MatrixView<const float> x{inputs.data(), kRows, kFeatures, kFeatures};
    const auto y = fastmlp::Targets<float>::of_labels(labels.data(), kRows);
    Network<float> network(kFeatures, {{40, kRelu}, {33, kTanh}, {2, kSoftmax}},
                           fastmlp::default_loss(kSoftmax), 1);
    fastmlp::TrainOptions options;
    options.epochs = 5;
    options.batch_size = 50;
    options.n_threads = n_threads;
    options.executor = executor;
    fastmlp::train(network, x, y, options);
    Trained result{{}, std::vector<float>(kRows * 2), 0};
    network.predict(x, {result.outputs.data(), kRows, 2, 2}, n_threads, executor);
    result.loss = network.evaluate(x, y, n_threads, executor).loss;
    const std::span<const float> parameters(*network.parameters());
    result.parameters.assign(parameters.begin(), parameters.end());
    return result;
}

void test_bits() {
    const Trained expected = train(1, nullptr);
    const auto as_expected = [&](int n_threads, const Executor& executor) {
        const Trained got = train(n_threads, &executor);
        return check::same(got.parameters, expected.parameters) &&
               check::same(got.outputs, expected.outputs) && got.loss == expected.loss;
    };
    for (const int n : {1, 2, 3, 8}) {
        CHECK(as_expected(n, threads(n)));
        CHECK(as_expected(8, threads(n)));
    }
    CHECK(as_expected(4, one_after_another(4)));
}

void test_tasks() {
    std::atomic<int> calls{0}, most{0};
    Executor counted = threads(3);
    counted.run = [&, run = counted.run](int tasks, const Task& task) {
        ++calls;
        most = std::max<int>(most, tasks);
        run(tasks, task);
    };
    train(8, &counted);
    CHECK(calls > 2 && most == 3);

    const auto loss = fastmlp::default_loss(fastmlp::Activation::kIdentity);
    const Network<float> network(7, {{40, fastmlp::Activation::kIdentity}}, loss, 1);
    const std::vector<float> inputs(4000 * 7, 0.5F);
    std::vector<float> outputs(4000 * 40);
    calls = 0;
    network.predict({inputs.data(), 4000, 7, 7}, {outputs.data(), 4000, 40, 40}, 8, &counted);
    CHECK(calls == 1);

    ThreadTeam team(3, &counted);
    std::vector<int> ran(3 * 64, 0);
    team.run([&](int rank) {
        for (int round = 0; round < 1000; ++round) {
            ++ran[static_cast<std::size_t>(rank) * 64];
            team.barrier(rank);
        }
    });
    CHECK(team.size() == 3 && ran[0] == 1000 && ran[64] == 1000 && ran[128] == 1000);
}

void test_exceptions() {
    const Executor executor = threads(2);
    ThreadTeam team(2, &executor);
    for (const int thrower : {0, 1}) {
        bool thrown = false;
        try {
            team.run([&](int rank) {
                if (rank == thrower) throw std::runtime_error("task");
                for (;;) team.barrier(rank);
            });
        } catch (const std::runtime_error& error) {
            thrown = std::string(error.what()) == "task";
        }
        CHECK(thrown);
    }
    std::atomic<int> ranks{0};
    team.run([&](int rank) { ranks += rank + 1; });
    CHECK(ranks == 3);

    const Executor refusing{2, [](int, const Task&) { throw std::runtime_error("closed"); }};
    bool thrown = false;
    try {
        train(2, &refusing);
    } catch (const std::runtime_error& error) {
        thrown = std::string(error.what()) == "closed";
    }
    CHECK(thrown);
}

void test_refusals() {
    int refused = 0;
    for (const Executor& executor : {Executor{}, Executor{0, threads(1).run}, Executor{2, {}}}) {
        try {
            train(2, &executor);
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    CHECK(refused == 3);
}

/// Tasks compute in IEEE defaults and restore the mode of the thread.
void test_floating_point_mode() {
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);  // flush to zero, denormals are zero
    const Executor here = one_after_another(2);
    ThreadTeam team(2, &here);
    unsigned inside = 0;
    team.run([&](int) { inside = _mm_getcsr(); });
    CHECK((inside & ~0x3fU) == 0x1f80 && (_mm_getcsr() & 0x8040) == 0x8040);
    _mm_setcsr(before);
#endif
}

}  // namespace

int main() {
#if !defined(_WIN32)
    setenv("FASTMLP_EXACT_THREADS", "1", 1);
    alarm(100);  // a hang is a failure
#endif
    test_bits();
    test_tasks();
    test_exceptions();
    test_refusals();
    test_floating_point_mode();
    return check::report();
}
