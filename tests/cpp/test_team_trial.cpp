// How many members of a team take the next steps: the fastest of those that were timed. And
// trainings that try: their bits, beside others, and interrupted.
#include "training/team_trial.hpp"

#include <cstddef>
#include <functional>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"

namespace {

using namespace fastmlp;

constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();
constexpr double kMany = 1e6;

/// Runs a trial in which a step takes seconds(members); returns how many steps it took.
template <class Seconds>
std::size_t finish(TeamTrial& trial, Seconds seconds) {
    std::size_t steps = 0;
    while (trial.steps() != kForever) {
        const std::size_t now = trial.steps();
        trial.measured(now, static_cast<double>(now) * seconds(trial.members()));
        steps += now;
    }
    return steps;
}

void test_the_fastest_is_chosen() {
    for (const int best : {1, 2, 4, 6}) {
        TeamTrial trial(1, 6, 3e6, kMany);
        const auto seconds = [&](int members) { return members > best ? 9e-6 : 5e-6 / members; };
        const std::size_t steps = finish(trial, seconds);
        CHECK(trial.members() == best && steps <= 128);
    }
}

/// Where more members are slower, few steps are lost.
void test_the_slower_are_given_up() {
    TeamTrial trial(1, 8, 3e6, kMany);
    std::vector<std::size_t> steps(9);
    while (trial.steps() != kForever) {
        const auto members = static_cast<std::size_t>(trial.members());
        steps[members] += trial.steps();
        trial.measured(trial.steps(), 1e-6 * static_cast<double>(members * trial.steps()));
    }
    CHECK(trial.members() == 1 && steps[1] == 32 && steps[2] == 8 && steps[4] == 0);
}

void test_no_trial() {
    const auto has_always = [](const TeamTrial& trial, int members) {
        return trial.steps() == kForever && trial.members() == members && trial.most() == members;
    };
    CHECK(has_always(TeamTrial(2), 2));
    CHECK(has_always(TeamTrial(1, 1, 1e5, kMany), 1));
    CHECK(has_always(TeamTrial(16, 16, 1e8, kMany), 16));
    CHECK(has_always(TeamTrial(1, 2, 0.3e6, 8), 1));  // too short
    CHECK(has_always(TeamTrial(2, 4, 1e6, 8), 2));
    TeamTrial without(2);
    without.measured(1000, 1e3);
    CHECK(has_always(without, 2));
}

/// Steps of an epoch that is shorter than a turn are added up, and a disturbed turn does not count.
void test_an_unknown_density() {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const Network<float> net(6, {{32, Activation::kRelu}, {3, Activation::kSoftmax}},
                             Loss::kCrossEntropy, 1);
    CHECK(training_threads(net, 1 << 16, 4, kNan) == 1);
}

void test_turns() {
    TeamTrial trial(2, 2, 3e6, kMany);
    for (int turn = 0; turn < 8; ++turn) {
        for (int step = 0; step < 4; ++step) trial.measured(1, turn == 1 ? 1.0 : 2e-6);
    }
    CHECK(trial.members() == 2);
    for (int turn = 0; turn < 8; ++turn) trial.measured(4, turn == 2 ? 1.0 : 4e-6);
    CHECK(trial.members() == 2 && trial.steps() == kForever);
}

/// The machine may change: a trial is repeated, with another result.
void test_a_choice_does_not_hold_forever() {
    TeamTrial trial(2, 2, 1e6, kMany);
    finish(trial, [](int members) { return members * 1e-5; });
    CHECK(trial.members() == 1 && trial.most() == 2);
    std::size_t steps = 0;
    for (; trial.steps() == kForever && steps < 1000000; steps += 100) trial.measured(100, 1e-3);
    CHECK(steps > 1000 && steps < 100000);
    finish(trial, [](int members) { return 1e-5 / members; });
    CHECK(trial.members() == 2);
}

/// Members that wait for a busy CPU are given up before the next trial.
void test_a_team_that_became_slow_is_left() {
    TeamTrial trial(2, 2, 1e6, kMany);
    finish(trial, [](int members) { return 1e-5 / members; });
    trial.measured(1, 0.004);
    CHECK(trial.members() == 2);  // no evidence yet
    trial.measured(1, 0.004);
    CHECK(trial.members() == 1 && trial.steps() == kForever);
}

/// The parameters after a training whose steps, of 0.2 MFLOP, are a few microseconds of work.
std::vector<float> trained(int n_threads, std::function<bool(const StepReport&)> on_step = {}) {
    constexpr std::size_t kRows = 256, kFeatures = 16, kOutputs = 4;
    const auto x = numbers<float>(kRows * kFeatures, 1), y = numbers<float>(kRows * kOutputs, 2);
    Network<float> network(kFeatures,
                           {Layer{48, Activation::kRelu}, Layer{kOutputs, Activation::kIdentity}},
                           Loss{Loss::kMeanSquaredError}, 7);
    TrainOptions options;
    options.epochs = 200;
    options.batch_size = 32;
    options.n_threads = n_threads;
    options.on_step = std::move(on_step);
    train<float>(network, {x.data(), kRows, kFeatures, kFeatures},
                 Targets<float>::of_values({y.data(), kRows, kOutputs, kOutputs}), options);
    return {network.parameters()->begin(), network.parameters()->end()};
}

void test_concurrent_trainings_have_the_bits_of_one_thread() {
    const std::vector<float> wanted = trained(1);
    std::vector<std::vector<float>> found(4);
    std::vector<std::thread> callers;
    for (auto& parameters : found) callers.emplace_back([&parameters] { parameters = trained(0); });
    for (auto& caller : callers) caller.join();
    for (const auto& parameters : found) CHECK(parameters == wanted);
}

/// Wherever a callback stops it, before, within or after a trial, whole steps were taken.
void test_a_training_stops_within_a_trial() {
    for (std::size_t last = 30; last < 70; ++last) {
        const auto stops = [last](const StepReport& report) { return report.step == last; };
        CHECK(trained(0, stops) == trained(1, stops));
    }
}

}  // namespace

int main() {
    test_the_fastest_is_chosen();
    test_the_slower_are_given_up();
    test_no_trial();
    test_an_unknown_density();
    test_turns();
    test_a_choice_does_not_hold_forever();
    test_a_team_that_became_slow_is_left();
    test_concurrent_trainings_have_the_bits_of_one_thread();
    test_a_training_stops_within_a_trial();
    return check::report();
}
