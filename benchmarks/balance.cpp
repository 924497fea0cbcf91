// balance THREADS BATCH K N N...: how evenly a step is divided among 1..THREADS threads. Prints for
// each worthwhile number of threads the worst stage: the flops of the busiest thread, and those
// over the mean.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "training/balance.hpp"

int main(int argc, char** argv) {
    using namespace fastmlp;
    if (argc < 5) return 2;
    const int most = std::atoi(argv[1]);
    const auto batch = static_cast<std::size_t>(std::atol(argv[2]));
    std::vector<Layer> layers;
    for (int i = 4; i < argc; ++i) {
        const bool last = i + 1 == argc;
        layers.push_back({static_cast<std::size_t>(std::atol(argv[i])),
                          last ? Activation::kIdentity : Activation::kRelu});
    }
    const Network<float> network(static_cast<std::size_t>(std::atol(argv[3])), layers,
                                 Loss::kMeanSquaredError, 1);
    for (int threads = 1; threads <= std::min(most, most_threads(network, batch)); ++threads) {
        Stage worst{1};
        for (const Stage& stage : stages_of_step(network, batch, threads)) {
            if (imbalance(stage) >= imbalance(worst)) worst = stage;
        }
        const double busiest = *std::max_element(worst.begin(), worst.end());
        std::printf("%d %.0f %.4f\n", threads, busiest, imbalance(worst));
    }
}
