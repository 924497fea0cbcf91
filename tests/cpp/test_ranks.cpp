// The steps of several ranks divide every epoch; two ranks in threads train as one process does.
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
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

Network<float> new_network() {
    return Network<float>(5, {{20, Activation::kRelu}, {2, Activation::kIdentity}},
                          Loss::kMeanSquaredError, 7);
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

/// One batch is all samples, in their order: then only the places of additions differ. Messages and
/// `shared` memory give the same bits.
std::vector<float> check_two_ranks(bool shared) {
    constexpr std::size_t kRows = 40, kMine = 25;
    std::vector<float> x(kRows * 5), y(kRows * 2);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::cos(static_cast<float>(3 * i));
    TrainOptions options;
    options.epochs = 5;
    options.batch_size = kRows;
    options.shuffle = false;
    options.optimizer.learning_rate = 0.05;

    Network<float> alone = new_network();
    train(alone, {x.data(), kRows, 5, 5}, Targets<float>::of_values({y.data(), kRows, 2, 2}),
          options);

    Meeting meeting;
    const Memory memory(shared_bytes(alone, 2));
    Network<float> nets[2] = {new_network(), new_network()};
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
        mine.n_threads = 1;
        train(nets[rank], {x.data() + first * 5, rows, 5, 5},
              Targets<float>::of_values({y.data() + first * 2, rows, 2, 2}), mine);
    };
    std::thread other([&] { run(1); });
    run(0);
    other.join();
    for (std::size_t i = 0; i < alone.layout().size(); ++i) {
        const float mine = nets[0].parameters()->data()[i];
        CHECK(mine == nets[1].parameters()->data()[i]);
        // 5 steps, 2 layers, sums of 40 terms: 5 sqrt(2 * 5 * 2 * 48) u, see
        // test_against_reference.
        CHECK(std::abs(mine - alone.parameters()->data()[i]) < 1e-5F);
    }
    const float* trained = nets[0].parameters()->data();
    return {trained, trained + alone.layout().size()};
}

}  // namespace

int main() {
    for (const std::size_t batch : {1, 7, 32, 100, 1000}) {
        check_steps({100}, batch);
        check_steps({60, 40}, batch);
        check_steps({0, 97, 3}, batch);
        check_steps({33, 0, 34, 33}, batch);
    }
    CHECK(check_two_ranks(true) == check_two_ranks(false));
    return check::report();
}
