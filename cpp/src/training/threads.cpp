#include "training/threads.hpp"

#include <algorithm>

#include "fastmlp/trainer.hpp"
#include "threads/thread_limits.hpp"

namespace fastmlp {
namespace {

/// Work of one step in flops: forward, gradient, and backward for all layers but the first.
/// Of the features a share of `density` is stored.
double flops_per_step(const Layout& layout, std::size_t batch, double density) {
    double products = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        products += static_cast<double>(layout[i].weights.size()) * (i == 0 ? 2 * density : 3);
    }
    return 2.0 * static_cast<double>(batch) * products;
}

/// A thread pays from this much work and this many rows a step: below, the barriers and the lines
/// of weights that move between cores cost more than it brings.
constexpr double kFlopsPerThread = 0.4e6;
constexpr double kRowsPerThread = 8;

}  // namespace

int threads_worth(const Layout& layout, std::size_t batch_size, double density, int n_threads) {
    const int allowed = threads_allowed(n_threads);
    if (exact_threads()) return allowed;
    const double worth = std::min(flops_per_step(layout, batch_size, density) / kFlopsPerThread,
                                  static_cast<double>(batch_size) / kRowsPerThread);
    return static_cast<int>(std::clamp(worth, 1.0, static_cast<double>(allowed)));
}

template <class T>
int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads) {
    return threads_worth(network.layout(), batch_size, 1, n_threads);
}

template int training_threads(const Network<float>&, std::size_t, int);
template int training_threads(const Network<double>&, std::size_t, int);

}  // namespace fastmlp
