#include "thread_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "ieee_defaults.hpp"
#include "thread_limits.hpp"

#if !defined(_WIN32)
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#endif

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace fastmlp {
namespace {

/// Pauses in a barrier before the core is offered to others: some 50 us.
constexpr int kBarrierSpins = 2000;
/// How long an idle worker stays awake for the next run, and how often it looks at the clock.
constexpr std::chrono::microseconds kIdleSpin{50};
constexpr int kIdlePauses = 64;

constexpr const char* kForked = "the process was forked inside a parallel computation";
constexpr const char* kMemberFailed = "another thread of the computation failed";

void cpu_pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
}

/// Waits first by pausing, for an answer that is near, then by giving the core away, for one that
/// comes from a thread which has none.
class Backoff {
public:
    explicit Backoff(int spins) noexcept : spins_(spins) {}
    void wait() noexcept {
        if (spins_ > 0) {
            --spins_;
            cpu_pause();
        } else {
            std::this_thread::yield();
        }
    }

private:
    int spins_;
};

}  // namespace

/// One thread of the pool. Never destroyed: a detached thread may outlive everything else.
class alignas(kCacheLine) Worker {
public:
    /// A running worker, or null if the system gives no thread or no memory.
    static Worker* create() noexcept;

    void start(ThreadTeam* team, int rank) noexcept {
        team_ = team;
        rank_ = rank;
        // std::atomic's wait and notify are a futex here and the like elsewhere; notify costs one
        // load while the worker still spins. The order seq_cst keeps that load behind the store.
        tickets_.fetch_add(1, std::memory_order_seq_cst);
        tickets_.notify_one();
    }

    Worker* next_idle = nullptr;

private:
    void loop() noexcept;
    void await(std::uint32_t seen) const noexcept;
    static void* thread_main(void* worker) noexcept;

    std::atomic<std::uint32_t> tickets_{0};  // runs this worker was started for
    ThreadTeam* team_ = nullptr;
    int rank_ = 0;
};

namespace {

/// The idle workers of the process. Constant-initialised and trivial to leave behind at exit.
struct Pool {
    std::mutex mutex;
    Worker* idle = nullptr;
    int total = 0;
};

constinit Pool pool;
/// How often this process is the child of a fork: tells a team that its workers are gone.
constinit std::atomic<unsigned> fork_count{0};

#if !defined(_WIN32)
void before_fork() { pool.mutex.lock(); }

void after_fork_in_parent() { pool.mutex.unlock(); }

/// Only the forking thread lives on: forget the others, whatever they were doing.
void after_fork_in_child() {
    pool.idle = nullptr;
    pool.total = 0;
    fork_count.fetch_add(1, std::memory_order_relaxed);
    pool.mutex.unlock();
}

/// Before the first thread: follow forks, and never be unloaded while threads run this code.
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
    // Signals are for the threads of the program: Ctrl-C must interrupt its sleep, not ours.
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

Worker* take_idle() noexcept {
    const std::lock_guard lock(pool.mutex);
    Worker* const worker = pool.idle;
    if (worker != nullptr) pool.idle = worker->next_idle;
    return worker;
}

/// A new worker if the pool has fewer than `most`.
Worker* add_worker(int most) noexcept {
    {
        const std::lock_guard lock(pool.mutex);
        if (pool.total >= most) return nullptr;
        ++pool.total;
    }
    Worker* const worker = Worker::create();
    if (worker == nullptr) {
        const std::lock_guard lock(pool.mutex);
        --pool.total;
    }
    return worker;
}

}  // namespace

Worker* Worker::create() noexcept {
    prepare_process();
    Worker* const worker = new (std::nothrow) Worker;
    if (worker != nullptr && !start_thread(thread_main, worker)) {
        delete worker;
        return nullptr;
    }
    return worker;
}

void* Worker::thread_main(void* worker) noexcept {
    static_cast<Worker*>(worker)->loop();
    return nullptr;
}

void Worker::loop() noexcept {
    for (std::uint32_t seen = 0;; ++seen) {
        await(seen);
        team_->work(rank_);
    }
}

/// Returns when a ticket beyond `seen` is there.
void Worker::await(std::uint32_t seen) const noexcept {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + kIdleSpin;
    do {
        for (int i = 0; i < kIdlePauses; ++i) {
            if (tickets_.load(std::memory_order_acquire) != seen) return;
            cpu_pause();
        }
        std::this_thread::yield();
    } while (Clock::now() < deadline);
    tickets_.wait(seen, std::memory_order_acquire);
}

ThreadTeam::ThreadTeam(int n) noexcept : forks_(fork_count.load(std::memory_order_relaxed)) {
    n = std::min(n, kMaxSize);
    if (n < 2) return;
    members_.reset(new (std::nothrow) Member[static_cast<std::size_t>(n)]);
    if (members_ == nullptr) return;
    while (size_ < n) {
        Worker* worker = take_idle();
        if (worker == nullptr) worker = add_worker(n - 1);
        if (worker == nullptr) break;
        members_[static_cast<std::size_t>(size_++)].worker = worker;
    }
    // With more members than CPUs, whom we wait for may need the very CPU we would spin on.
    spins_ = size_ <= machine_threads() ? kBarrierSpins : 0;
}

ThreadTeam::~ThreadTeam() {
    if (size_ < 2 || lost_workers()) return;
    const std::lock_guard lock(pool.mutex);
    for (int rank = size_ - 1; rank > 0; --rank) {  // the next team takes rank 1 first, still warm
        Worker* const worker = members_[static_cast<std::size_t>(rank)].worker;
        worker->next_idle = pool.idle;
        pool.idle = worker;
    }
}

bool ThreadTeam::lost_workers() const noexcept {
    return forks_ != fork_count.load(std::memory_order_relaxed);
}

/// Keeps the first error; everybody in a barrier leaves it.
void ThreadTeam::fail(std::exception_ptr error) noexcept {
    if (!failed_.exchange(true, std::memory_order_acq_rel)) error_ = std::move(error);
}

void ThreadTeam::run_member(int rank) noexcept {
    try {
        call_(target_, rank);
    } catch (...) {
        fail(std::current_exception());
    }
}

/// A worker's part of a run. The team may be gone as soon as `pending_` is down.
void ThreadTeam::work(int rank) noexcept {
    IeeeDefaults::set();
    run_member(rank);
    pending_.fetch_sub(1, std::memory_order_release);
}

void ThreadTeam::run_on_all(Call call, void* target) {
    if (size_ > 1 && lost_workers()) size_ = 1;
    if (size_ == 1) return call(target, 0);
    call_ = call;
    target_ = target;
    pending_.store(size_ - 1, std::memory_order_relaxed);
    for (int rank = 1; rank < size_; ++rank) {
        members_[static_cast<std::size_t>(rank)].worker->start(this, rank);
    }
    run_member(0);
    Backoff backoff(spins_);
    while (pending_.load(std::memory_order_acquire) > 0 && !lost_workers()) backoff.wait();
    if (lost_workers()) fail(std::make_exception_ptr(std::runtime_error(kForked)));
    if (failed_.load(std::memory_order_relaxed)) {
        reset_barrier();
        failed_.store(false, std::memory_order_relaxed);
        std::rethrow_exception(std::exchange(error_, nullptr));
    }
}

/// A dissemination barrier: in round r everybody tells the member 2^r further on and hears from the
/// one 2^r before. For two members it is a pair of flags, for n it takes log2(n) rounds, and no
/// line is written by more than its neighbour. Phases only grow, so nothing is ever reset.
void ThreadTeam::cross_barrier(int rank) {
    Member& self = members_[static_cast<std::size_t>(rank)];
    const std::uint64_t phase = ++self.phase;
    for (int round = 0, step = 1; step < size_; ++round, step *= 2) {
        const int partner = rank + step < size_ ? rank + step : rank + step - size_;
        members_[static_cast<std::size_t>(partner)].arrived[round].store(
            phase, std::memory_order_release);
        Backoff backoff(spins_);
        while (self.arrived[round].load(std::memory_order_acquire) < phase) {
            if (failed_.load(std::memory_order_relaxed) || lost_workers()) {
                throw std::runtime_error(lost_workers() ? kForked : kMemberFailed);
            }
            backoff.wait();
        }
    }
}

void ThreadTeam::reset_barrier() noexcept {
    for (int rank = 0; rank < size_; ++rank) {
        Member& member = members_[static_cast<std::size_t>(rank)];
        for (auto& round : member.arrived) round.store(0, std::memory_order_relaxed);
        member.phase = 0;
    }
}

}  // namespace fastmlp
