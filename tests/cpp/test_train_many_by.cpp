// Training side by side with the conventions of scikit-learn: each network has the bits that it has
// by itself, ends on its own, and draws NumPy's orders.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "lanes/rules.hpp"
#include "lanes/train_many_by.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kRows = 23, kFeatures = 5, kOutputs = 3, kNetworks = 21, kEpochs = 30;

NumpyOrders orders_of(std::uint32_t seed, std::size_t rows) {  // as numpy.random.RandomState(seed)
    std::vector<std::uint32_t> words{seed};
    for (std::uint32_t i = 1; i < NumpyOrders::kWords; ++i) {
        words.push_back(1812433253U * (words.back() ^ words.back() >> 30) + i);
    }
    return {words, NumpyOrders::kWords, rows};
}

void orders() {
    NumpyOrders ten = orders_of(0, 10);  // numpy.random.RandomState(0).permutation(10)
    CHECK((ten.draw() == std::vector<std::uint32_t>{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}));
    CHECK((orders_of(0, 1).draw() == std::vector<std::uint32_t>{0}));
    CHECK(orders_of(0, 0).draw().empty());
    NumpyOrders other = orders_of(0, 10);
    CHECK(!(other == ten));
    other.draw();
    CHECK(other == ten);
    CHECK(!(orders_of(1, 10) == orders_of(0, 10)));
}

/// Against scikit-learn's words: it ends after more than `patience` epochs in a row whose loss is
/// not below the best one by at least the tolerance.
void convergence() {
    Convergence rule;
    rule.tolerance = 0.25;
    rule.patience = 2;
    const auto ends = [&](const std::vector<double>& losses) {
        std::vector<bool> result;
        for (const double loss : losses) result.push_back(rule.ends_with(loss));
        return result;
    };
    CHECK((ends({4, 3, 3.5, 2.75}) == std::vector<bool>{false, false, false, false}));
    CHECK(rule.stalled == 0 && rule.best == 2.75);  // better by the tolerance, and no more
    CHECK((ends({2.625, 2.5}) == std::vector<bool>{false, false}));
    CHECK(rule.stalled == 2 && rule.best == 2.5);  // the best one, though no improvement
    CHECK((ends({2.375, 2}) == std::vector<bool>{true, false}));
    CHECK(rule.stalled == 0);
    CHECK((ends({2, std::numeric_limits<double>::quiet_NaN(), 2, 2, 2}) ==
           std::vector<bool>{false, false, false, false, true}));
    CHECK(rule.best == 2);

    Convergence of_core;  // whose loss is half of scikit-learn's, without its penalty
    of_core.loss_factor = 2;
    of_core.penalty = 3;
    CHECK(!of_core.ends(0.5, 8, 4));
    CHECK(of_core.ends(0.5, 9, 4) && of_core.best == 7);
    CHECK((of_core.losses == std::vector<double>{7, 7.75}));
}

/// How network i is trained.
Manner manner_of(std::size_t i, double momentum) {
    Manner by;
    by.gradient_scale = 1.5;
    by.loss_limit = 0.05;
    by.roll_back = false;
    by.report_squares = by.penalty_per_sample = true;
    by.uncorrected_epsilon = true;
    by.velocity_holds_rate = momentum != 0;
    by.convergence.emplace();
    by.convergence->tolerance = i % 2 == 0 ? 0 : 0.01;
    by.convergence->patience = 2;
    by.convergence->penalty = 0.5;
    by.orders = orders_of(static_cast<std::uint32_t>(i / 2), kRows);
    return by;
}

template <class T>
void same_bits(Optimizer::Kind kind, double momentum) {
    const std::vector<T> x = numbers<T>(kRows * kFeatures, 1), y = numbers<T>(kRows * kOutputs, 2);
    std::vector<Network<T>> together, alone;
    std::vector<TrainJob<T>> jobs;
    std::vector<Manner> by;
    for (std::size_t i = 0; i < kNetworks; ++i) {
        const std::vector<Layer> layers{{7, Activation::kRelu}, {kOutputs, Activation::kIdentity}};
        together.emplace_back(kFeatures, layers, Loss::kMeanSquaredError, i);
        alone.push_back(together.back().copy());
        TrainOptions options;
        options.epochs = kEpochs;
        options.batch_size = 8;
        options.shuffle = false;
        options.optimizer.kind = kind;
        options.optimizer.momentum = momentum;
        options.optimizer.learning_rate = 1;
        options.optimizer.l2 = 0.01 * static_cast<double>(i % 4 + 1);
        options.rate_factor = i % 3 == 0 ? 0.01 : 0.002;
        jobs.push_back({nullptr,
                        {x.data(), kRows, kFeatures, kFeatures},
                        Targets<T>::of_values({y.data(), kRows, kOutputs, kOutputs}),
                        options});
        by.push_back(manner_of(i, momentum));
    }
    for (std::size_t i = 0; i < kNetworks; ++i) jobs[i].network = &together[i];
    CHECK(!lane_key(jobs[0], by[0]).empty());
    std::vector<Manner> one_by_one = by;
    const std::vector<TrainOutcome> outcomes = train_many_by<T>(by, jobs, 1, {});
    bool some_end = false;
    for (std::size_t i = 0; i < kNetworks; ++i) {
        TrainJob<T> job = jobs[i];
        job.network = &alone[i];
        std::vector<Manner> own{one_by_one[i]};
        const std::vector<TrainOutcome> expected = train_many_by<T>(own, {job}, 1, {});
        CHECK(by[i].convergence->losses == own[0].convergence->losses);
        CHECK(by[i].convergence->stalled == own[0].convergence->stalled);
        CHECK(outcomes[i].reports.size() == expected[0].reports.size());
        CHECK(outcomes[i].reports.size() == by[i].convergence->losses.size());
        CHECK(std::equal(together[i].parameters()->data(),
                         together[i].parameters()->data() + together[i].layout().size(),
                         alone[i].parameters()->data()));
        some_end = some_end || outcomes[i].reports.size() < kEpochs;
    }
    CHECK(some_end);
}

void rates_and_weights() {
    const std::vector<float> x(kRows * kFeatures), y(kRows * kOutputs), weights(kRows, 0.5F);
    Network<float> network(kFeatures, {{kOutputs, Activation::kIdentity}}, Loss::kMeanSquaredError,
                           1);
    TrainJob<float> job{&network,
                        {x.data(), kRows, kFeatures, kFeatures},
                        Targets<float>::of_values({y.data(), kRows, kOutputs, kOutputs}),
                        {}};
    job.options.optimizer.momentum = 0.9;
    Manner by;
    TrainJob<float> faster = job;
    faster.options.rate_factor = 2;
    CHECK(lane_key(job, by) == lane_key(faster, by));
    by.velocity_holds_rate = true;  // the rate is then one for all lanes
    CHECK(lane_key(job, by) != lane_key(faster, by));
    job.y.weights = weights.data();
    CHECK(!lane_key(job, by).empty());
    by.batch_means = true;
    CHECK(lane_key(job, by).empty());
}

/// Each job is reported once, in the caller's thread, with what it has in the end; an exception,
/// and an interrupt, ends all.
void ended_jobs() {
    const std::vector<float> x = numbers<float>(kRows * kFeatures, 1),
                             y = numbers<float>(kRows * kOutputs, 2);
    std::vector<Network<float>> networks;
    std::vector<TrainJob<float>> jobs;
    for (std::size_t i = 0; i < 100; ++i) {
        networks.emplace_back(
            kFeatures,
            std::vector<Layer>{{i % 3 + 1, Activation::kRelu}, {kOutputs, Activation::kIdentity}},
            Loss::kMeanSquaredError, i);
        jobs.push_back({nullptr,
                        {x.data(), kRows, kFeatures, kFeatures},
                        Targets<float>::of_values({y.data(), kRows, kOutputs, kOutputs}),
                        {}});
        jobs.back().options.epochs = 3;
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].network = &networks[i];
    for (const int n_threads : {1, 3}) {
        std::vector<Manner> by(jobs.size());
        std::vector<std::size_t> epochs(jobs.size());
        const std::thread::id caller = std::this_thread::get_id();
        const auto ended = [&](const std::vector<std::size_t>& some,
                               const std::vector<TrainOutcome>& all) {
            CHECK(std::this_thread::get_id() == caller);
            for (const std::size_t i : some) epochs[i] += all[i].reports.size();
        };
        train_many_by<float>(by, jobs, n_threads, {}, ended);
        CHECK(epochs == std::vector<std::size_t>(jobs.size(), 3));

        std::size_t calls = 0;
        const auto refuse = [&](const std::vector<std::size_t>&, const std::vector<TrainOutcome>&) {
            ++calls;
            throw std::length_error("enough");
        };
        CHECK(check::throws<std::length_error>(
            [&] { train_many_by<float>(by, jobs, n_threads, {}, refuse); }));
        CHECK(calls == 1);
        const auto interrupted = [] { return true; };
        CHECK(check::throws<Interrupted>(
            [&] { train_many_by<float>(by, jobs, n_threads, interrupted, refuse); }));
        CHECK(calls == 1);
    }
}

}  // namespace

int main() {
    orders();
    convergence();
    for (const double momentum : {0.0, 0.9}) {
        same_bits<float>(Optimizer::Kind::kSgd, momentum);
        same_bits<double>(Optimizer::Kind::kSgd, momentum);
    }
    same_bits<float>(Optimizer::Kind::kAdam, 0);
    same_bits<double>(Optimizer::Kind::kAdam, 0);
    rates_and_weights();
    ended_jobs();
    return check::report();
}
