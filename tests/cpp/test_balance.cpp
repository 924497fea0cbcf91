// A step is divided evenly among any number of threads that is worthwhile for it.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/shares.hpp"
#include "training/balance.hpp"

namespace {

using namespace fastmlp;

/// They decide into how many blocks a batch is divided, and which layers by their outputs.
constexpr CacheSizes kCacheSizes[] = {
    {48 << 10, 1 << 20}, {32 << 10, 1 << 18}, {32 << 10, 1 << 19}, {64 << 10, 1 << 21}};

/// Busiest over mean; a stage of less work per thread may be less even.
constexpr double kLimit = 1.12, kLimitOfSmall = 1.2, kSmall = 1e6;
constexpr int kMostThreads = 64;

struct Case {
    std::vector<std::size_t> sizes;
    std::size_t batch;
};

const Case kCases[] = {
    {{64, 64, 10}, 32},
    {{10, 46, 46, 10}, 128},
    {{30, 256, 128, 2}, 256},
    {{784, 128, 10}, 64},
    {{784, 512, 512, 10}, 128},
    {{1024, 2048, 2048, 1000}, 256},
    {{784, 512, 512, 10}, 1024},
    {{256, 256, 256, 1}, 4096},
    {{1024, 1024, 1024, 10}, 512},
    {{2048, 2048, 2048, 10}, 2048},
    {{20, 64, 64, 2}, 1024},
    {{20, 64, 64, 2}, 20000},
    {{100, 64, 64, 1}, 1000000},
    {{50, 256, 128, 1}, 4096},
};

Network<float> network_of(const Case& c) {
    std::vector<Layer> layers;
    for (std::size_t i = 1; i < c.sizes.size(); ++i) {
        layers.push_back({c.sizes[i], Activation::kRelu});
    }
    layers.back().activation = Activation::kIdentity;
    return Network<float>(c.sizes[0], layers, Loss::kMeanSquaredError, 1);
}

void test_limits() {
    for (const Case& c : kCases) {
        const Network<float> network = network_of(c);
        const int most = std::min(kMostThreads, most_threads(network, c.batch));
        for (int threads = 1; threads <= most; ++threads) {
            for (const Stage& stage : stages_of_step(network, c.batch, threads)) {
                const double busiest = *std::max_element(stage.begin(), stage.end());
                const double limit = busiest < kSmall ? kLimitOfSmall : kLimit;
                if (imbalance(stage) <= limit) continue;
                std::printf("%zu-%zu-..., %zu: %d threads, %.0f flops, %.3f\n", c.sizes[0],
                            c.sizes[1], c.batch, threads, busiest, imbalance(stage));
                CHECK(false);
            }
        }
    }
}

/// Also where their number is not known, as nothing is divided.
void test_one_thread_takes_whole_panels() {
    const UpdatePart all = UpdateParts(Share{}, 0).next(1000);
    CHECK(all.pieces.columns == kernels::kPanel && all.pieces.rows == Pieces{}.rows);
}

void test_halves_cover_all() {
    for (const Range all : {Range{0, 0}, Range{64, 80}, Range{128, 1024}, Range{16, 2000}}) {
        std::size_t next = all.first;
        for (std::size_t i = 0; i < Halves::kCount; ++i) {
            const Range half = Halves::of(all, i, kernels::kPanel);
            CHECK(half.first == next && half.last >= next);
            CHECK((half.first - all.first) % kernels::kPanel == 0 || half.size() == 0);
            next = half.last;
        }
        CHECK(next == all.last);
    }
    CHECK(Halves::of({128, 1152}, 0, kernels::kPanel).last == 640);
}

/// Every output is computed, and by one thread only; a thread's part is that of its portions.
void test_parts_cover_all() {
    for (std::size_t threads = 1; threads <= 33; ++threads) {
        for (std::size_t columns : {16, 48, 80, 528}) {
            std::vector<int> outputs(37 * columns), weights(37 * columns), narrow(columns);
            std::vector<int> by_thread(37 * columns), by_portion(37 * columns);
            const double all = 100.0 + 37.0 * static_cast<double>(columns) + 3;
            for (std::size_t rank = 0; rank < threads; ++rank) {
                const Share share{rank, threads};
                const OutputBlock block = block_of(share, 37, columns);
                for (std::size_t b = block.rows.first; b < block.rows.last; ++b) {
                    for (std::size_t j = block.columns.first; j < block.columns.last; ++j) {
                        ++outputs[b * columns + j];
                    }
                }
                UpdateParts parts(share, all);
                parts.next(100);
                const UpdatePart mine = parts.next(all - 103);
                mine.for_each_panel(
                    37, columns, [&](std::size_t first, std::size_t width, Range rows) {
                        for (std::size_t k = rows.first; k < rows.last; ++k) {
                            for (std::size_t j = 0; j < width; ++j) {
                                ++weights[k * columns + first + j];
                                by_thread[k * columns + first + j] = static_cast<int>(rank) + 1;
                            }
                        }
                    });
                const Portion portions[] = {
                    {share, 0, 0.5}, {share, 0.5, 0.75}, {share, 0.75, 0.875}, {share, 0.875, 1}};
                for (const Portion portion : portions) {
                    UpdateParts of_portion(portion, all);
                    of_portion.next(100);
                    of_portion.next(all - 103).for_each_panel(
                        37, columns, [&](std::size_t first, std::size_t width, Range rows) {
                            for (std::size_t k = rows.first; k < rows.last; ++k) {
                                for (std::size_t j = 0; j < width; ++j) {
                                    by_portion[k * columns + first + j] +=
                                        static_cast<int>(rank) + 1;
                                }
                            }
                        });
                }
                const Range some = mine.columns(columns);
                for (std::size_t j = some.first; j < some.last; ++j) ++narrow[j];
            }
            const auto once = [](const std::vector<int>& counts) {
                return std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; });
            };
            CHECK(once(outputs));
            CHECK(once(weights));
            CHECK(once(narrow));
            CHECK(threads == 1 || by_portion == by_thread);  // one thread has no portions
        }
    }
}

}  // namespace

int main() {
    for (const CacheSizes& sizes : kCacheSizes) {
        assume_cache_sizes(&sizes);
        test_limits();
    }
    test_one_thread_takes_whole_panels();
    test_halves_cover_all();
    test_parts_cover_all();
    return check::report();
}
