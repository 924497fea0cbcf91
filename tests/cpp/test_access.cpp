// Locking of a network: random readers and writers, which state predictions during a training use,
// and the state after a fork. FASTMLP_HAMMER_SECONDS says for how long; a thread sanitizer sees the
// rest.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "threads/access.hpp"
#include "training/epoch_end.hpp"
#include "training/options.hpp"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using namespace fastmlp;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

const auto nothing = [] {};

double hammer_seconds() {
    const char* text = std::getenv("FASTMLP_HAMMER_SECONDS");
    return text != nullptr ? std::atof(text) : 1.0;
}

void in_threads(int count, const std::function<void(int)>& function) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(function, i);
    for (std::thread& thread : threads) thread.join();
}

/// Data of three classes, and a network with all that prediction reads.
struct Data {
    static constexpr std::size_t kRows = 64, kFeatures = 5, kOutputs = 3;

    Data() : x(kRows * kFeatures), labels(kRows) {
        std::mt19937 random(7);
        std::normal_distribution<float> normal;
        std::generate(x.begin(), x.end(), [&] { return normal(random); });
        for (std::size_t i = 0; i < kRows; ++i) labels[i] = static_cast<std::int32_t>(i % 3);
    }
    MatrixView<const float> view() const { return {x.data(), kRows, kFeatures, kFeatures}; }
    Targets<float> targets() const { return Targets<float>::of_labels(labels.data(), kRows); }
    static Network<float> network() {
        return {kFeatures,
                {{24, Activation::kRelu, Normalization::kBatch, 0},
                 {16, Activation::kTanh, Normalization::kNone, 0},
                 {kOutputs, Activation::kSoftmax, Normalization::kNone, 0}},
                Loss::kCrossEntropy,
                3};
    }
    std::vector<float> predict(const Network<float>& network) const {
        std::vector<float> out(kRows * kOutputs);
        network.predict(view(), {out.data(), kRows, kOutputs, kOutputs}, 1);
        return out;
    }

    std::vector<float> x;
    std::vector<std::int32_t> labels;
};

TrainOptions options_of(std::size_t epochs) {
    TrainOptions options;
    options.epochs = epochs;
    options.batch_size = 16;
    options.optimizer.kind = Optimizer::Kind::kAdam;
    options.optimizer.learning_rate = 0.01;
    options.n_threads = 1;
    return options;
}

// Two plain numbers that only a writer may see unequal.
void test_readers_and_writers() {
    Access access;
    long first = 0, second = 0;
    std::atomic<long> read{0}, written{0}, refused{0}, torn{0};
    const auto end = Clock::now() + std::chrono::duration<double>(hammer_seconds() / 2);
    in_threads(8, [&](int id) {
        std::mt19937 random(static_cast<unsigned>(id));
        while (Clock::now() < end) {
            const unsigned what = random() % 16;
            if (what < 6) {
                if (const Access::Glance glance(access); glance) torn += first != second;
            } else if (what < 13) {
                Access::Reading reading(access), again(access);
                if (!reading.begin(nothing)) continue;
                torn += !again.begin(nothing);  // also while a writer waits for this thread
                torn += first != second;
                ++read;
            } else {
                try {
                    const Use use = what == 13 ? Access::kTrainingBySteps : Access::kSeveralSteps;
                    const Access::Writing writing(access, use, nothing);
                    ++first;
                    const Access::Writing step(access, Access::kStep, nothing);
                    ++second;
                    Access::Reading own(access);
                    torn += !own.begin(nothing);
                    ++written;
                } catch (const std::runtime_error&) {
                    ++refused;
                }
            }
        }
    });
    std::printf("%ld read, %ld written, %ld refused\n", read.load(), written.load(),
                refused.load());
    CHECK(torn == 0 && first == second && first == written);
    CHECK(read > 10 && written > 10);
}

// A training, steps, and predictions of the network or of its last epoch end.
void test_network() {
    constexpr std::size_t kEpochs = 12;
    const Data data;
    Network<float> net = Data::network();
    std::vector<std::vector<float>> ends;
    for (std::size_t epochs = 0; epochs <= kEpochs; ++epochs) {
        Network<float> twin = Data::network();
        if (epochs > 0) train(twin, data.view(), data.targets(), options_of(epochs));
        ends.push_back(data.predict(twin));
    }
    const Network<float> initial = Data::network();
    Access access;
    std::atomic<long> beside{0}, waited{0}, wrong{0};
    std::atomic<bool> done{false};
    const auto end = Clock::now() + std::chrono::duration<double>(hammer_seconds() / 2);
    in_threads(5, [&](int id) {
        while (id == 0 && Clock::now() < end) {
            {
                const Access::Writing writing(access, Access::kStep, nothing);
                net.assign(initial);
            }
            const Access::Writing writing(access, Access::kTraining, nothing);
            train(net, data.view(), data.targets(), options_of(kEpochs));
        }
        if (id == 0) done = true;
        while (!done) {
            Access::Reading reading(access);
            std::shared_ptr<const Network<float>> copy;
            if (reading.begin(nothing)) {
                ++waited;
            } else if ((copy = net.last_epoch_end(milliseconds(1)))) {
                ++beside;
            } else {
                continue;
            }
            const std::vector<float> out = data.predict(copy ? *copy : net);
            wrong += std::find(ends.begin(), ends.end(), out) == ends.end();
            wrong += net.seed() != 3 || net.epoch() > kEpochs;
        }
    });
    std::printf("%ld beside a training, %ld of the network\n", beside.load(), waited.load());
    CHECK(wrong == 0 && beside > 0);
    CHECK(net.last_epoch_end() == nullptr);
}

void test_without_roll_back() {
    const Data data;
    Network<float> net = Data::network(), twin = Data::network();
    TrainOptions options = options_of(3);
    train(twin, data.view(), data.targets(), options_of(2));
    Conventions conventions;
    conventions.roll_back = false;
    std::shared_ptr<const Network<float>> before, after;
    options.on_epoch = [&](EpochReport& report) {
        (report.epoch == 0 ? before : after) = net.last_epoch_end();
        return report.epoch == 1;
    };
    train_by<float>(conventions, net, data.view(), data.targets(), options);
    CHECK(before == nullptr);  // it was not requested
    CHECK(after != nullptr && data.predict(*after) == data.predict(twin));
    CHECK(after->epoch() == 2);
}

// In a loop of steps the others get their turn, and beside readers without a pause so does a step.
void test_nobody_starves() {
    Access access;
    std::atomic<bool> done{false};
    std::atomic<int> reads[4]{};
    int steps = 0;
    in_threads(5, [&](int id) {
        if (id == 4) {
            const auto end = Clock::now() + milliseconds(400);
            while (Clock::now() < end) {
                const Access::Writing writing(access, Access::kStep, nothing);
                std::this_thread::sleep_for(milliseconds(1));
                ++steps;
            }
            done = true;
        }
        while (!done) {
            Access::Reading reading(access);
            reads[id] += reading.begin(nothing);
            std::this_thread::sleep_for(milliseconds(1));
        }
    });
    CHECK(steps > 5);
    for (const auto& count : reads) CHECK(count > 5);
}

void test_a_wait_can_be_ended() {
    Access access;
    struct Ended {};
    const auto throws = [] { throw Ended(); };
    const auto ends = [&](auto wait) {
        bool ended = false;
        std::thread([&] {
            try {
                wait();
            } catch (const Ended&) {
                ended = true;
            }
        }).join();
        CHECK(ended);
    };
    {
        const Access::Writing writing(access, Access::kStep, nothing);
        ends([&] { Access::Reading(access).begin(throws); });
    }
    {
        Access::Reading reading(access);
        CHECK(reading.begin(nothing));
        ends([&] { const Access::Writing writing(access, Access::kStep, throws); });
        try {
            const Access::Writing writing(access, Access::kStep, nothing);
            CHECK(false);  // it would wait for itself
        } catch (const std::runtime_error&) {
        }
    }
    const Access::Writing writing(access, Access::kTraining, nothing);
    const Access::Writing assignment(access, Access::kAssignment, nothing);
    CHECK(!access.busy());
}

#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__)
/// Whether a child of this process, forked while `other` runs in another thread, finds that true.
bool in_child(const std::function<bool()>& holds) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(holds() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void test_forks() {
    const Data data;
    Network<float> net = Data::network();
    Access access;
    std::atomic<int> phase{0};
    const auto at = [&](int now) {
        while (phase < now) std::this_thread::yield();
    };
    std::thread other([&] {
        {
            Access::Reading reading(access);
            reading.begin(nothing);
            phase = 1;
            at(2);
        }
        const Access::Writing writing(access, Access::kTraining, nothing);
        TrainOptions options = options_of(9);
        options.learning_rate = [&](std::size_t step) {  // 4 steps an epoch
            if (step == 10) phase = 3;
            if (step == 10) at(4);
            return 0.01;
        };
        train(net, data.view(), data.targets(), options);
    });
    const auto writes = [&] {
        const Access::Writing writing(access, Access::kTraining, nothing);
        train(net, data.view(), data.targets(), options_of(1));
        return net.epoch() == 1 || net.epoch() == 3;
    };
    at(1);
    CHECK(in_child(writes));
    {
        Access::Reading mine(access);
        CHECK(mine.begin(nothing));
        CHECK(in_child([&] { return Access::Reading(access).begin(nothing); }));
    }
    phase = 2;
    at(3);
    Network<float> twin = Data::network();
    TrainOptions options = options_of(2);
    options.learning_rate = [](std::size_t) { return 0.01; };
    train(twin, data.view(), data.targets(), options);
    CHECK(in_child([&] {
        Access::Reading reading(access);
        return reading.begin(nothing) && net.epoch() == 2 && net.optimizer_state().steps == 8 &&
               data.predict(net) == data.predict(twin);
    }));
    CHECK(in_child(writes));
    phase = 4;
    other.join();
    CHECK(net.epoch() == 9);
}

// One of many networks has its optimizer prepared, which was another one's, but is not trained yet.
void test_fork_before_the_first_step() {
    const Data data;
    Network<float> net = Data::network();
    TrainOptions options = options_of(1);
    const Optimizer adam = options.optimizer;
    options.optimizer.kind = Optimizer::Kind::kSgd;
    train(net, data.view(), data.targets(), options);
    const std::vector<float> before = data.predict(net);
    std::atomic<int> phase{0};
    std::thread other([&] {
        net.epoch_end().begin(net, true);
        net.prepare_optimizer(adam);
        phase = 1;
        while (phase < 2) std::this_thread::yield();
        net.epoch_end().end();
    });
    while (phase < 1) std::this_thread::yield();
    CHECK(in_child([&] {
        const OptimizerState<float>& state = net.optimizer_state();
        const auto is_zero = [](const Buffer<float>& buffer) {
            return std::all_of(buffer.data(), buffer.data() + buffer.size(),
                               [](float value) { return value == 0; });
        };
        return state.steps == 0 && is_zero(*state.first) && is_zero(*state.second) &&
               data.predict(net) == before;
    }));
    phase = 2;
    other.join();
}
#else
void test_forks() {}
void test_fork_before_the_first_step() {}
#endif

}  // namespace

int main() {
    test_readers_and_writers();
    test_network();
    test_without_roll_back();
    test_nobody_starves();
    test_a_wait_can_be_ended();
    test_forks();
    test_fork_before_the_first_step();
    return check::report();
}
