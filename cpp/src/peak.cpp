#include "fastmlp/peak.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/dispatch.hpp"
#include "threads/thread_limits.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

template <class T>
double peak_gflops(int n_threads) {
    using Clock = std::chrono::steady_clock;
    const auto& kernel = kernels::active_table<T>();
    ThreadTeam team(threads_allowed(n_threads));
    std::size_t rounds = 1000;
    double best = 0;
    for (int timed = 0; timed < 8;) {
        double flops = 0;  // per thread, and the same on each
        double seconds = 0;
        team.run([&](int rank) {
            team.barrier(rank);
            const auto start = Clock::now();
            const double done = kernel.spin(rounds);
            team.barrier(rank);
            if (rank == 0) {
                flops = done;
                seconds = std::chrono::duration<double>(Clock::now() - start).count();
            }
        });
        if (seconds < 1e-3) {  // too short to time well: find the length first
            rounds *= seconds > 1e-5 ? static_cast<std::size_t>(1.2e-3 / seconds) + 1 : 100;
        } else {
            best = std::max(best, flops * team.size() / seconds / 1e9);
            ++timed;
        }
    }
    return best;
}

template double peak_gflops<float>(int);
template double peak_gflops<double>(int);

}  // namespace fastmlp
