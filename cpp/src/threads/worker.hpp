/// The threads of the pool. Each waits for a task, runs it, signals that it is done, and waits
/// again: awake for a while, then asleep.
///
/// They are created on demand and never end. After a fork the child has none and creates new ones
/// on demand.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

#include "threads/placement.hpp"

namespace fastmlp {

/// To avoid false sharing: two cache lines, because processors fetch them in pairs.
inline constexpr std::size_t kCacheLine = 128;

/// Pauses before a wait goes to sleep: 20 to 50 us, about ten times the cost of sleeping and being
/// woken on a busy machine.
inline constexpr int kSpins = 2000;
/// Of a worker that was woken before there is a task for it: about 2 ms.
inline constexpr int kSpinsWhenCalled = 50 * kSpins;

inline void cpu_pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("isb");  // `yield` does not pause on most of these processors
#endif
}

/// Reads `word` up to spins + 1 times; true as soon as `ready(value)`.
template <class Ready>
bool spin_until(const std::atomic<std::uint32_t>& word, int spins, Ready ready) noexcept {
    for (; !ready(word.load(std::memory_order_acquire)); --spins) {
        if (spins <= 0) return false;
        cpu_pause();
    }
    return true;
}

class Worker {
public:
    using Task = void (*)(void* context, int rank) noexcept;

    /// An idle worker; a new one if there is none and the process has fewer than `most`; or null.
    static Worker* borrow(int most) noexcept;
    /// Returns it to the pool; its last task must be done.
    void give_back() noexcept;

    /// Wakes the worker, if it is asleep, for a task that will follow soon.
    void call() noexcept;
    /// Whether it would start a task at once.
    bool awake() const noexcept { return state_.load(std::memory_order_acquire) == kAwake; }

    /// Calls task(context, rank) on this thread, in the IEEE default floating-point environment.
    /// `spins`: how long to stay awake for the next task.
    void start(Task task, void* context, int rank, int spins) noexcept;
    /// Whether the task is done; checks spins + 1 times.
    bool done(int spins) const noexcept;
    /// Sleeps until the task is done.
    void join() const noexcept;

    /// The number of forks between the first process and this one. If it changes, a borrower has
    /// lost its workers.
    static unsigned forks() noexcept;

private:
    static Worker* create() noexcept;
    static void* thread_main(void* worker) noexcept;
    void loop() noexcept;
    void sleep(std::uint32_t seen) noexcept;

    alignas(kCacheLine) std::atomic<std::uint32_t> started_{0};
    enum State : std::uint32_t { kAwake, kAsleep, kCalled };
    std::atomic<std::uint32_t> state_{kCalled};  ///< what it waits for while it is asleep
    Placement placement_;
    Task task_ = nullptr;
    void* context_ = nullptr;
    int rank_ = 0;
    int spins_ = kSpins;
    Worker* next_idle_ = nullptr;
    alignas(kCacheLine) std::atomic<std::uint32_t> finished_{0};
};

}  // namespace fastmlp
