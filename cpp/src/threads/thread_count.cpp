#include "threads/thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace fastmlp {

const Executor& checked(const Executor& executor) {
    if (!executor.run || executor.concurrency < 1) {
        throw std::invalid_argument("an executor needs a function run and a concurrency >= 1");
    }
    return executor;
}

int tasks_at_once(int n, const Executor* executor) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kPatience{200};
    if (executor == nullptr) return n;
    n = std::min(n, checked(*executor).concurrency);
    if (n < 2) return 1;
    std::atomic<int> present{0};
    std::atomic<bool> missed{false};
    executor->run(n, [&](int) {
        ++present;
        const auto end = Clock::now() + kPatience;
        while (present < n && !missed) {
            if (Clock::now() > end) missed = true;
            std::this_thread::yield();
        }
    });
    return missed || present != n ? 1 : n;
}

}  // namespace fastmlp
