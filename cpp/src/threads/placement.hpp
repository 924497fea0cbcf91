/// On which CPU a sleeping thread wakes up.
///
/// If no CPU is idle, the system may wake a thread on the CPU of the thread that wakes it. The two
/// then take turns there, each waiting for the other, until the system moves one of them some
/// milliseconds later: longer than a whole fit of a few steps.
#pragma once

#include <atomic>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fastmlp {

#if defined(__linux__)

/// The CPUs a thread may use, less one for as long as it wakes up.
class Placement {
public:
    /// Called by the thread itself, once.
    void of_this_thread() noexcept {
        thread_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_relaxed);
    }

    /// Called by the only thread that may wake it up, before it does. Has no effect where the
    /// system does not allow that, or allows only one CPU.
    void keep_off_this_cpu() noexcept {
        const pid_t thread = thread_.load(std::memory_order_relaxed);
        if (thread == 0 || narrowed_.load(std::memory_order_acquire)) return;
        if (sched_getaffinity(thread, sizeof before_, &before_) != 0) return;
        const int cpu = sched_getcpu();
        if (cpu < 0 || cpu >= CPU_SETSIZE) return;
        cpu_set_t others = before_;
        CPU_CLR(static_cast<unsigned>(cpu), &others);
        if (CPU_COUNT(&others) == 0) return;
        narrowed_.store(true, std::memory_order_release);
        sched_setaffinity(thread, sizeof others, &others);
    }

    /// Called by the thread itself when it is awake.
    void restore() noexcept {
        if (!narrowed_.load(std::memory_order_acquire)) return;
        sched_setaffinity(0, sizeof before_, &before_);
        narrowed_.store(false, std::memory_order_release);
    }

private:
    std::atomic<pid_t> thread_{0};
    std::atomic<bool> narrowed_{false};
    cpu_set_t before_{};
};

#else

class Placement {
public:
    void of_this_thread() noexcept {}
    void keep_off_this_cpu() noexcept {}
    void restore() noexcept {}
};

#endif

}  // namespace fastmlp
