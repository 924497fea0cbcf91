#include "threads/worker.hpp"

#include <mutex>
#include <new>
#include <thread>

#include "threads/ieee_defaults.hpp"

#if !defined(_WIN32)
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#endif

namespace fastmlp {
namespace {

/// The idle workers of the process. Trivially constructed and never destroyed, because threads may
/// outlive every static object.
struct Pool {
    std::mutex mutex;
    Worker* idle = nullptr;
    int total = 0;
};

constinit Pool pool;
constinit std::atomic<unsigned> fork_count{0};

#if !defined(_WIN32)
void before_fork() {
    pool.mutex.lock();
}

void after_fork_in_parent() {
    pool.mutex.unlock();
}

/// In the child only the forking thread exists: the others are forgotten.
void after_fork_in_child() {
    pool.idle = nullptr;
    pool.total = 0;
    fork_count.fetch_add(1, std::memory_order_relaxed);
    pool.mutex.unlock();
}

/// Before the first thread: registers fork handlers, and keeps this library from being unloaded.
void prepare_process() noexcept {
    static const bool prepared = [] {
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        Dl_info self;
        if (dladdr(&fork_count, &self) != 0 && self.dli_fname != nullptr) {
            dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
        }
        return true;
    }();
    static_cast<void>(prepared);
}

bool start_thread(void* (*main)(void*), void* argument) noexcept {
    constexpr std::size_t kStack = std::size_t{1} << 20;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, kStack);
    // Signals must reach the program's threads: Ctrl-C has to interrupt their sleep, not ours.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int status = pthread_create(&thread, &attributes, main, argument);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return status == 0;
}
#else
void prepare_process() noexcept {}

bool start_thread(void* (*main)(void*), void* argument) noexcept {
    try {
        std::thread(main, argument).detach();
        return true;
    } catch (...) {
        return false;
    }
}
#endif

}  // namespace

Worker* Worker::borrow(int most) noexcept {
    {
        const std::lock_guard lock(pool.mutex);
        if (Worker* const worker = pool.idle) {
            pool.idle = worker->next_idle_;
            return worker;
        }
        if (pool.total >= most) return nullptr;
        ++pool.total;
    }
    // Without the lock, so that a fork does not wait for the creation of a thread.
    Worker* const worker = create();
    if (worker == nullptr) {
        const std::lock_guard lock(pool.mutex);
        --pool.total;
    }
    return worker;
}

void Worker::give_back() noexcept {
    const std::lock_guard lock(pool.mutex);
    next_idle_ = pool.idle;
    pool.idle = this;
}

Worker* Worker::create() noexcept {
    prepare_process();
    Worker* const worker = new (std::nothrow) Worker;
    if (worker != nullptr && !start_thread(thread_main, worker)) {
        delete worker;
        return nullptr;
    }
    return worker;
}

unsigned Worker::forks() noexcept {
    return fork_count.load(std::memory_order_relaxed);
}

void Worker::start(Task task, void* context, int rank, int spins) noexcept {
    task_ = task;
    context_ = context;
    rank_ = rank;
    spins_ = spins;
    // seq_cst orders the load of `state_` after the store: see `sleep`.
    started_.fetch_add(1, std::memory_order_seq_cst);
    call();
}

/// std::atomic's wait and notify are a futex or similar.
void Worker::call() noexcept {
    std::uint32_t state = state_.load(std::memory_order_seq_cst);
    if (state != kAsleep) return;
    placement_.keep_off_this_cpu();
    if (state_.compare_exchange_strong(state, kCalled)) state_.notify_one();
}

/// Returns once it was called, or if there is a task already: either this load sees the new task,
/// or `start` sees that the worker is asleep.
void Worker::sleep(std::uint32_t seen) noexcept {
    state_.store(kAsleep, std::memory_order_seq_cst);
    if (started_.load(std::memory_order_seq_cst) == seen) {
        state_.wait(kAsleep, std::memory_order_acquire);
    }
    placement_.restore();
    state_.store(kAwake, std::memory_order_release);
}

bool Worker::done(int spins) const noexcept {
    const std::uint32_t started = started_.load(std::memory_order_relaxed);
    return spin_until(finished_, spins, [&](std::uint32_t now) { return now == started; });
}

void Worker::join() const noexcept {
    const std::uint32_t started = started_.load(std::memory_order_relaxed);
    std::uint32_t now;
    while ((now = finished_.load(std::memory_order_acquire)) != started) {
        finished_.wait(now, std::memory_order_acquire);
    }
}

void* Worker::thread_main(void* worker) noexcept {
    static_cast<Worker*>(worker)->loop();
    return nullptr;
}

void Worker::loop() noexcept {
    placement_.of_this_thread();
    state_.store(kAwake, std::memory_order_release);
    int spins = kSpins;
    for (std::uint32_t seen = 0;; ++seen) {
        const auto is_new = [&](std::uint32_t now) { return now != seen; };
        while (!spin_until(started_, spins, is_new)) {
            sleep(seen);
            spins = kSpinsWhenCalled;
        }
        placement_.restore();
        IeeeDefaults::set();
        task_(context_, rank_);
        spins = spins_;  // no longer valid once the task is finished
        finished_.store(seen + 1, std::memory_order_seq_cst);
        finished_.notify_one();
    }
}

}  // namespace fastmlp
