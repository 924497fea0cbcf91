// A slow thread holds nobody up: others take the portions that it has not begun, each of them once,
// and the bits of a step do not depend on it.
#include "threads/portions.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "numbers.hpp"
#include "propagation/blocks_of_batch.hpp"
#include "propagation/cache_size.hpp"
#include "training/state.hpp"
#include "training/step_by_columns.hpp"
#include "training/step_in_portions.hpp"
#include "training/step_rules.hpp"

namespace {

using namespace fastmlp;

/// Waits until done() holds; false if it takes too long.
template <class Done>
bool wait_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

Share share_of(int rank, int members) {
    return {static_cast<std::size_t>(rank), static_cast<std::size_t>(members)};
}

/// In each round another member is slow: its first portion takes until all that others may take
/// are done. Plain integers: a thread sanitizer checks that no portion is anyone else's.
void test_each_once(int members) {
    constexpr std::size_t kEach = 4;
    const std::size_t count = kEach * static_cast<std::size_t>(members);
    const int rounds = 4 * members;
    ThreadTeam team(members);
    CHECK(team.size() == members);
    Portions portions(static_cast<std::size_t>(members));
    std::vector<int> times(count, 0);
    std::atomic<std::size_t> done{0}, by_slow{0};
    std::atomic<int> wrong{0};
    team.run([&](int rank) {
        const Share share = share_of(rank, members);
        for (int round = 0; round < rounds; ++round) {
            portions.renew(share.rank);
            team.barrier(rank);
            const bool is_slow = members > 1 && rank == round % members;
            const std::size_t others = (static_cast<std::size_t>(round) + 1) * count - 1;
            for (std::size_t i = 0; i < share.size; ++i) {
                const std::size_t owner = (share.rank + i) % share.size;
                portions.take(owner, {0, kEach}, [&](std::size_t k) {
                    ++times[owner * kEach + k];
                    by_slow += is_slow;
                    if (is_slow) wrong += !wait_until([&] { return done == others; });
                    ++done;
                });
            }
            team.barrier(rank);
        }
    });
    CHECK(wrong == 0);
    CHECK(by_slow <= static_cast<std::size_t>(rounds));
    CHECK(times == std::vector<int>(count, rounds));
}

/// Each stage reads what the one before wrote, whoever did that.
void test_stages() {
    constexpr std::size_t kStages = 50, kEach = 5;
    constexpr int kMembers = 3;
    ThreadTeam team(kMembers);
    Portions portions(kMembers);
    std::vector<std::size_t> values(kMembers * (kStages + 1) * kEach, 1);
    std::atomic<int> wrong{0};
    team.run([&](int rank) {
        for (std::size_t i = 0; i < kMembers; ++i) {
            const std::size_t owner = (static_cast<std::size_t>(rank) + i) % kMembers;
            for (std::size_t stage = 0; stage < kStages; ++stage) {
                const std::size_t first = stage * kEach;
                std::size_t* before = values.data() + (owner * (kStages + 1) + stage) * kEach;
                portions.take(owner, {first, first + kEach - (i > 0)}, [&](std::size_t k) {
                    std::size_t sum = 0;
                    for (std::size_t j = 0; j < kEach; ++j) sum += before[j];
                    before[kEach + k - first] = sum % 97 + k - first;
                    wrong += i > 0 && k == first + kEach - 1;
                });
                if (portions.wait(owner, first + kEach)) continue;
                if (i > 0) break;
                team.wait(rank, [&] { return portions.done(owner, first + kEach); });
            }
        }
    });
    CHECK(wrong == 0);
    std::vector<std::size_t> expected(kEach, 1);
    for (std::size_t stage = 0; stage < kStages; ++stage) {
        const std::size_t sum = std::accumulate(expected.begin(), expected.end(), std::size_t{0});
        for (std::size_t k = 0; k < kEach; ++k) expected[k] = sum % 97 + k;
    }
    for (std::size_t owner = 0; owner < kMembers; ++owner) {
        const std::size_t* last = values.data() + (owner * (kStages + 1) + kStages) * kEach;
        CHECK(std::equal(expected.begin(), expected.end(), last));
    }
}

/// Nobody waits for a portion that threw, and all may be taken again.
void test_exception() {
    constexpr int kMembers = 2;
    ThreadTeam team(kMembers);
    Portions portions(kMembers);
    for (const bool throws : {true, false}) {
        std::atomic<std::size_t> done{0};
        const auto run = [&] {
            team.run([&](int rank) {
                portions.renew(static_cast<std::size_t>(rank));
                team.barrier(rank);
                portions.take(0, {0, 4}, [&](std::size_t k) {
                    if (throws && k == 1) throw std::runtime_error("a portion");
                    ++done;
                });
                team.wait(rank, [&] { return portions.done(0, 4); });
                team.barrier(rank);
            });
        };
        CHECK(check::throws<std::runtime_error>(run) == throws);
        CHECK(throws || done == 4);
    }
}

/// Samples and a network of wide, tall, normalised and narrow layers, one of them with dropout:
/// their portions are columns or rows.
struct Problem {
    static constexpr std::size_t kRows = 2048, kFeatures = 50, kOutputs = 3;
    static constexpr double kWeights = 50 * 240 + 240 * 144 + 144 * 64 + 64 * 64 + 64 * 3;

    Problem() {
        Layer tall{64, Activation::kRelu}, normalized{64, Activation::kTanh};
        tall.dropout = 0.25;
        normalized.normalization = Normalization::kLayer;
        layers = {{240, Activation::kRelu},
                  {144, Activation::kRelu},
                  normalized,
                  tall,
                  {kOutputs, Activation::kIdentity}};
    }
    MatrixView<const float> samples() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<float> targets() const {
        return Targets<float>::of_values({y.data(), kRows, kOutputs, kOutputs});
    }

    std::vector<Layer> layers;
    std::vector<float> x = numbers<float>(kRows * kFeatures, 1);
    std::vector<float> y = numbers<float>(kRows * kOutputs, 2);
};

/// What all threads of a step have in common.
struct Common {
    Common(const std::vector<Layer>& layers, const Optimizer& optimizer, int members)
        : network(Problem::kFeatures, layers, Loss::kMeanSquaredError, 1),
          state(prepared(network, optimizer)), work(network.layout(), layers, Problem::kRows),
          samples(problem.samples(), problem.targets()), pass(network, state.parameters(), work),
          of_passes(static_cast<std::size_t>(members)),
          of_gradients(static_cast<std::size_t>(members)), team(members) {
        state.load();
        work.input.expect(samples.x, work.capacity);
        CHECK(team.size() == members);
    }

    /// The parameters after all steps, the last one on one thread.
    std::vector<float> parameters();

    Problem problem;
    Network<float> network;
    PackedState<float> state;
    Workspace<float> work;
    Samples<float> samples;
    Propagation<float> pass;
    Portions of_passes, of_gradients;
    ThreadTeam team;

private:
    static Network<float>& prepared(Network<float>& network, const Optimizer& optimizer) {
        network.prepare_optimizer(optimizer);
        return network;
    }
};

const StepRules<float> kRules = step_rules<float>(Optimizer{}, {0.1, 3});

/// On one thread, after steps of a team, all portions are taken.
std::vector<float> Common::parameters() {
    BlockPass<float> part(pass);
    part.portions = &of_gradients;
    part.begin(samples, 0, Problem::kRows, {.training = true});
    part.gather(samples, 0);
    part.forward(part.rows);
    part.output_delta(samples.y, part.rows);
    part.backward(part.rows, part.lowest_trainable);
    part.gradients(state.targets(), {1.0F / Problem::kRows, &kRules});
    state.store();
    return {network.parameters()->begin(), network.parameters()->end()};
}

/// The parameters after two steps of `members` threads, of which one begins with its passes, and
/// with the gradients, when all others have done what they can; and one step alone.
std::vector<float> stepped(const Optimizer& optimizer, int members, int slow) {
    Common common(Problem{}.layers, optimizer, members);
    std::atomic<int> ended{0}, wrong{0};
    auto& [problem, network, state, work, samples, pass, of_passes, of_gradients, team] = common;
    team.run([&](int rank) {
        BlockPass<float> part(pass);
        part.portions = &of_gradients;
        const auto own = static_cast<std::size_t>(rank);
        const auto take = [&](int round, auto f) {
            if (rank == slow) wrong += !wait_until([&] { return ended == round * (members - 1); });
            f();
            if (rank != slow) ++ended;
            team.barrier(rank);
        };
        for (int step = 1; step <= 2; ++step) {
            const StepRules<float> rules =
                step_rules<float>(optimizer, {0.1, static_cast<std::uint64_t>(step)});
            of_gradients.renew(own);
            part.begin(samples, 0, Problem::kRows,
                       {.training = true, .share = share_of(rank, members), .team = &team});
            part.next_block(samples, 0);
            const StepInPortions<float> passes{part, samples, 0, of_passes};
            take(2 * step - 1, [&] { passes.run(); });
            of_passes.renew(own);
            take(2 * step,
                 [&] { part.gradients(state.targets(), {1.0F / Problem::kRows, &rules}); });
        }
    });
    CHECK(wrong == 0);
    return common.parameters();
}

/// The parameters after two steps by columns, of which one thread begins each pass late.
std::vector<float> stepped_by_columns(int members, int slow) {
    const CacheSizes small{std::size_t{1} << 14, std::size_t{1} << 16};
    assume_cache_sizes(&small);
    Common common({{240, Activation::kRelu},
                   {528, Activation::kIdentity},
                   {144, Activation::kRelu},
                   {Problem::kOutputs, Activation::kIdentity}},
                  Optimizer{}, members);
    CHECK(goes_by_columns(common.pass.traits, common.network.layout(), 2));
    auto& [problem, network, state, work, samples, pass, of_passes, of_gradients, team] = common;
    team.run([&](int rank) {
        BlockPass<float> part(pass);
        const auto late = [&] {
            if (rank == slow) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        };
        for (int step = 0; step < 2; ++step) {
            part.begin(samples, 0, Problem::kRows,
                       {.training = true, .share = share_of(rank, members), .team = &team});
            part.gather(samples, 0);
            StepByColumns<float> passes(part, part.rows, members > 1 ? &of_passes : nullptr);
            late();
            passes.forward();
            part.output_delta(samples.y, part.rows);
            late();
            passes.backward();
            team.barrier(rank);
            of_passes.renew(static_cast<std::size_t>(rank));
            part.gradients(state.targets(), {1.0F / Problem::kRows, &kRules});
            team.barrier(rank);
        }
    });
    const std::vector<float> parameters = common.parameters();
    assume_cache_sizes(nullptr);
    return parameters;
}

void test_bits() {
    for (const Optimizer& optimizer : {Optimizer{}, Optimizer{Optimizer::Kind::kAdam}}) {
        const std::vector<float> expected = stepped(optimizer, 1, -1);
        for (const int members : {2, 3}) {
            CHECK(worth_portions(Problem::kWeights / members, Problem::kRows));
            for (int slow = 0; slow < members; ++slow) {
                CHECK(check::same(stepped(optimizer, members, slow), expected));
            }
        }
    }
}

void test_bits_by_columns() {
    const std::vector<float> expected = stepped_by_columns(1, -1);
    for (const int members : {2, 3, 4}) {
        for (int slow = 0; slow < members; ++slow) {
            CHECK(check::same(stepped_by_columns(members, slow), expected));
        }
    }
}

}  // namespace

int main() {
    for (const int members : {1, 2, 3, 5}) test_each_once(members);
    test_stages();
    test_exception();
    test_bits();
    test_bits_by_columns();
    return check::report();
}
