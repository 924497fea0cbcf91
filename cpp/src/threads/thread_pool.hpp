/// A team of threads, borrowed from the process for one computation.
///
/// Who comes second gets the workers that are left, down to none, and never waits for them: two
/// networks that are fitted concurrently both make progress. In the child of a fork a team
/// continues alone.
///
/// A team on an executor asks the caller's threads instead, run by run.
///
/// A team on a busy machine can be far slower than its caller alone: at every barrier all wait
/// until the system has given a core to the last. A team that finds itself waiting most of the time
/// rests: for a while its runs are done by the caller.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>

#include "fastmlp/executor.hpp"
#include "threads/worker.hpp"

namespace fastmlp {

class ThreadTeam {
public:
    static constexpr int kMaxSize = 1024;

    /// The caller and up to n - 1 workers: fewer if others hold them, or if the system gives no
    /// more threads or memory.
    explicit ThreadTeam(int n) noexcept;
    /// On the executor's threads, unless it is null. Barriers want n from `tasks_at_once`.
    ThreadTeam(int n, const Executor* executor);
    /// Gives the workers back.
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    /// Members of the next run, the caller included. It may differ from run to run, but is never
    /// more than it was at first, and constant inside a run.
    int size() const noexcept { return lost_workers() ? 1 : size_; }

    /// Whether teams had better rest now. For those who form a team for a single run.
    static bool resting() noexcept;

    /// Calls function(rank) once on every member, ranks 0..size()-1, the caller being rank 0 (but
    /// for an executor); returns when all are done. Workers compute in IEEE default floating point;
    /// the caller holds an `IeeeDefaults`. If members throw, the first exception is rethrown here
    /// and the team stays usable.
    template <class Function>
    void run(Function&& function) {
        using Target = std::remove_reference_t<Function>;
        run_on_all([](void* target, int rank) { (*static_cast<Target*>(target))(rank); },
                   const_cast<void*>(static_cast<const void*>(std::addressof(function))));
    }

    /// Inside `run`: waits until all members are here; what they wrote before is visible after.
    /// All get the same answer: false if the team had better end this run soon and rest.
    /// Throws if another member threw; let that pass, `run` knows the first exception.
    bool barrier(int rank) { return size_ == 1 || cross_barrier(rank); }

private:
    using Clock = std::chrono::steady_clock;
    using Call = void (*)(void* target, int rank);

    /// One member's part of the barrier. Others write `arrived`, only its owner the rest.
    struct alignas(kCacheLine) Member {
        static constexpr int kRounds = 10;  // log2(kMaxSize)
        std::atomic<std::uint32_t> arrived[2][kRounds]{};
        alignas(kCacheLine) std::uint32_t phase = 0;
        std::atomic<Clock::rep> stalled{0};  // time asleep in this run
        Worker* worker = nullptr;
    };

    bool make_members(int n) noexcept;
    void choose_spins() noexcept;
    void run_on_all(Call call, void* target);
    void run_member(int rank) noexcept;
    bool cross_barrier(int rank);
    std::uint32_t hear(Member& self, std::atomic<std::uint32_t>& arrived, std::uint32_t phase);
    void run_on_workers();
    void run_on_executor();
    void join_workers();
    void fail(std::exception_ptr error) noexcept;
    void recover() noexcept;
    bool struggling() const noexcept;
    void choose_size(bool struggled) noexcept;
    bool lost_workers() const noexcept { return forks_ != Worker::forks(); }

    int size_ = 1;      // of the next run
    int borrowed_ = 1;  // with the caller
    int spins_ = 0;
    unsigned forks_ = Worker::forks();
    Call call_ = nullptr;
    void* target_ = nullptr;
    const Executor* executor_ = nullptr;
    Clock::time_point run_start_;
    std::unique_ptr<Member[]> members_;
    std::exception_ptr error_;
    alignas(kCacheLine) std::atomic<bool> failed_{false};
};

}  // namespace fastmlp
