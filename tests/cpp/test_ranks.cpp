// The steps of several ranks divide every epoch; two ranks in threads train as one process does,
// with the same bits for batches in blocks, and a rank that waits can be interrupted.
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "propagation/cache_size.hpp"
#include "training/step_rows.hpp"

namespace {

using namespace fastmlp;

/// Every sample of every rank is in exactly one step, as even as whole samples allow.
void check_steps(const std::vector<std::size_t>& rows, std::size_t batch) {
    std::size_t all = 0;
    for (const std::size_t n : rows) all += n;
    std::vector<std::size_t> done(rows.size());
    const Ranks any{0, rows, {}};
    const std::size_t steps = StepRows(rows[0], batch, &any).count();
    CHECK(steps == (all + batch - 1) / batch);
    std::size_t before = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        std::size_t in_step = 0;
        for (std::size_t rank = 0; rank < rows.size(); ++rank) {
            const Ranks ranks{rank, rows, {}};
            const StepRows mine(rows[rank], batch, &ranks);
            const Range part = mine.of(step, rows[rank]);
            CHECK(part.first == done[rank]);
            CHECK(part.size() <= mine.most());
            CHECK(mine.ahead(step) + part.first == before + in_step);
            const double even = static_cast<double>(batch) * static_cast<double>(rows[rank]) /
                                static_cast<double>(all);
            if (step + 1 < steps) CHECK(std::abs(static_cast<double>(part.size()) - even) < 1);
            done[rank] = part.last;
            in_step += part.size();
        }
        before += in_step;
    }
    CHECK(done == rows);
}

/// Two ranks, which pass their gradients to each other.
class Meeting {
public:
    void add(std::size_t rank, float* gradients, std::size_t count, std::vector<double>& sums) {
        std::unique_lock lock(mutex_);
        gradients_[rank].assign(gradients, gradients + count);
        sums_[rank] = sums;
        pass(lock);
        for (std::size_t i = 0; i < count; ++i) gradients[i] = gradients_[0][i] + gradients_[1][i];
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = sums_[0][i] + sums_[1][i];
        pass(lock);
    }

private:
    void pass(std::unique_lock<std::mutex>& lock) {
        const std::size_t round = round_;
        if (++waiting_ == 2) {
            waiting_ = 0;
            ++round_;
            all_here_.notify_all();
        }
        all_here_.wait(lock, [&] { return round_ != round; });
    }

    std::mutex mutex_;
    std::condition_variable all_here_;
    std::size_t waiting_ = 0, round_ = 0;
    std::vector<float> gradients_[2];
    std::vector<double> sums_[2];
};

Network<float> new_network(Normalization normalization = Normalization::kNone) {
    Layer hidden{32, Activation::kTanh};  // whose weights are used in place
    hidden.normalization = normalization;
    return Network<float>(5, {hidden, {2, Activation::kIdentity}}, Loss::kMeanSquaredError, 7);
}

/// Zeroed memory at a multiple of 64.
class Memory {
public:
    explicit Memory(std::size_t size) : bytes_(size + 64) {
        void* first = bytes_.data();
        std::size_t room = bytes_.size();
        first_ = std::align(64, size, first, room);
    }
    void* get() const { return first_; }

private:
    std::vector<std::byte> bytes_;
    void* first_;
};

constexpr std::size_t kRows = 40, kMine = 25;  ///< of both ranks, and of rank 0

struct Data {
    Data() : x(kRows * 5), y(kRows * 2) {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::cos(static_cast<float>(3 * i));
    }
    MatrixView<const float> features(std::size_t first, std::size_t rows) const {
        return {x.data() + first * 5, rows, 5, 5};
    }
    Targets<float> targets(std::size_t first, std::size_t rows) const {
        auto result = Targets<float>::of_values({y.data() + first * 2, rows, 2, 2});
        if (!weights.empty()) result.weights = weights.data() + first;
        return result;
    }

    std::vector<float> x, y, weights;  ///< weights may be empty
};

TrainOptions options_of(std::size_t batch, int n_threads) {
    TrainOptions options;
    options.epochs = 5;
    options.batch_size = batch;
    options.shuffle = false;
    options.optimizer.learning_rate = 0.05;
    options.n_threads = n_threads;
    return options;
}

struct Trained {
    std::vector<float> parameters;
    std::vector<double> losses;
    bool operator==(const Trained&) const = default;
};

Trained trained(Network<float>& network, const MatrixView<const float>& x, const Targets<float>& y,
                const TrainOptions& options) {
    Trained result;
    for (const EpochReport& report : train(network, x, y, options)) {
        result.losses.push_back(report.loss);
    }
    result.parameters.assign(network.parameters()->begin(), network.parameters()->end());
    return result;
}

/// What both ranks have in the end, with messages or `shared` memory.
Trained on_two_ranks(const Data& data, const TrainOptions& options, bool shared,
                     Normalization normalization = Normalization::kNone) {
    Meeting meeting;
    Network<float> nets[2] = {new_network(normalization), new_network(normalization)};
    const Memory memory(shared_bytes(nets[0], 2));
    Trained results[2];
    const auto run = [&](std::size_t rank) {
        const std::size_t first = rank == 0 ? 0 : kMine, rows = rank == 0 ? kMine : kRows - kMine;
        const Ranks ranks{rank,
                          {kMine, kRows - kMine},
                          [&](void* gradients, std::size_t count, std::vector<double>& sums) {
                              meeting.add(rank, static_cast<float*>(gradients), count, sums);
                          },
                          shared ? memory.get() : nullptr,
                          [] { CHECK(false); }};
        TrainOptions mine = options;
        mine.ranks = &ranks;
        results[rank] =
            trained(nets[rank], data.features(first, rows), data.targets(first, rows), mine);
    };
    std::thread other([&] { run(1); });
    run(0);
    other.join();
    CHECK(results[0] == results[1]);
    return results[0];
}

/// One batch is all samples, in their order: then only the places of additions differ. Messages and
/// shared memory give the same bits.
void two_ranks_are_as_one(Normalization normalization) {
    const Data data;
    const TrainOptions options = options_of(kRows, 1);
    Network<float> network = new_network(normalization);
    const Trained alone =
        trained(network, data.features(0, kRows), data.targets(0, kRows), options);
    const Trained two = on_two_ranks(data, options, true, normalization);
    CHECK(two == on_two_ranks(data, options, false, normalization));
    CHECK(two == on_two_ranks(data, options_of(kRows, 2), true, normalization));
    for (std::size_t i = 0; i < two.parameters.size(); ++i) {
        // 5 steps, 2 layers, sums of 40 terms: 5 sqrt(2 * 5 * 2 * 48) u, see
        // test_against_reference.
        CHECK(std::abs(two.parameters[i] - alone.parameters[i]) < 1e-5F);
    }
}

/// A batch in blocks has the bits of an undivided one, also where no sample of rank 1 counts: in
/// the first or second step of every epoch.
void ranks_in_blocks() {
    constexpr CacheSizes kWhole{std::size_t{1} << 30, std::size_t{1} << 40}, kBlocks{250, 500};
    for (const std::size_t empty_step : {0, 1}) {
        Data data;
        for (std::size_t b = 0; b < kRows; ++b) data.weights.push_back(b % 3 == 0 ? 2.0F : 1.0F);
        const std::size_t first = kMine + (empty_step == 0 ? 0 : 7);  // 7 and 8 samples of rank 1
        for (std::size_t b = 0; b < 7 + empty_step; ++b) data.weights[first + b] = 0;
        assume_cache_sizes(&kWhole);
        const Trained whole = on_two_ranks(data, options_of(20, 1), false);
        CHECK(whole.losses[4] < whole.losses[0]);
        assume_cache_sizes(&kBlocks);
        for (const bool shared : {false, true}) {
            for (const int n_threads : {1, 2}) {
                CHECK(on_two_ranks(data, options_of(20, n_threads), shared) == whole);
            }
        }
        assume_cache_sizes(nullptr);
    }
}

/// A rank that waits for one which never comes can be interrupted, before the step.
void waiting_is_interrupted() {
    const Data data;
    Network<float> network = new_network();
    const Memory memory(shared_bytes(network, 2));
    const Ranks ranks{0, {kMine, kRows - kMine}, {}, memory.get(), [] { CHECK(false); }};
    TrainOptions options = options_of(kRows, 2);
    options.ranks = &ranks;
    int asked = 0;
    options.interrupted = [&] { return ++asked == 3; };
    const std::vector<float> before(network.parameters()->begin(), network.parameters()->end());
    CHECK(check::throws<Interrupted>(
        [&] { train(network, data.features(0, kMine), data.targets(0, kMine), options); }));
    CHECK(asked == 3);
    CHECK(std::equal(before.begin(), before.end(), network.parameters()->begin()));
}

/// Rank 1 leaves its training early, by an exception or after fewer epochs: rank 0 does not wait
/// for it for ever.
void rank_that_leaves_ends_the_others(const std::function<void(TrainOptions&)>& leave) {
    struct Ended {};
    const Data data;
    Network<float> nets[2] = {new_network(), new_network()};
    const Memory memory(shared_bytes(nets[0], 2));
    const auto run = [&](std::size_t rank) {
        const std::size_t first = rank == 0 ? 0 : kMine, rows = rank == 0 ? kMine : kRows - kMine;
        const Ranks ranks{rank, {kMine, kRows - kMine}, {}, memory.get(), [] { throw Ended{}; }};
        TrainOptions mine = options_of(20, 1);
        mine.ranks = &ranks;
        if (rank == 1) leave(mine);
        train(nets[rank], data.features(first, rows), data.targets(first, rows), mine);
    };
    std::thread other([&] {
        try {
            run(1);
        } catch (const std::exception&) {  // as `leave` wants it
        }
    });
    CHECK(check::throws<Ended>([&] { run(0); }));
    other.join();
}

}  // namespace

int main() {
    setenv("FASTMLP_EXACT_THREADS", "1", 1);  // before the first call reads it
    for (const std::size_t batch : {1, 7, 32, 100, 1000}) {
        check_steps({100}, batch);
        check_steps({60, 40}, batch);
        check_steps({0, 97, 3}, batch);
        check_steps({33, 0, 34, 33}, batch);
    }
    two_ranks_are_as_one(Normalization::kNone);
    two_ranks_are_as_one(Normalization::kBatch);
    ranks_in_blocks();
    waiting_is_interrupted();
    rank_that_leaves_ends_the_others([](TrainOptions& options) { options.epochs = 1; });
    rank_that_leaves_ends_the_others([](TrainOptions& options) { options.batch_size = 0; });
    rank_that_leaves_ends_the_others([](TrainOptions& options) {
        options.on_epoch = [](EpochReport&) -> bool { throw std::runtime_error("my own"); };
    });
    return check::report();
}
