/// A team of threads, borrowed from the pool of the process for one computation.
///
/// A team never waits for workers but uses those that are idle, possibly none, so that two networks
/// that are fitted concurrently both make progress. In the child of a fork a team continues on one
/// thread.
///
/// A team on an executor requests the caller's threads instead, for each run.
///
/// On a busy machine a team can be much slower than one thread: at every barrier all members wait
/// until the system has scheduled the last. A team that spends most of its time waiting rests: for
/// a while its runs use the calling thread only. The machine may be idle soon after, so other teams
/// rest for 5 ms at most.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>

#include "fastmlp/executor.hpp"
#include "threads/patience.hpp"
#include "threads/worker.hpp"

namespace fastmlp {

/// Items first to last - 1.
struct Range {
    std::size_t first, last;

    std::size_t size() const { return last - first; }
};

/// One thread's part of a range. Only outputs are split, never sums, so the bits do not depend on
/// it.
struct Share {
    std::size_t rank = 0, size = 1;

    /// This thread's part of 0..count-1, cut at multiples of `unit`.
    Range of(std::size_t count, std::size_t unit) const {
        const std::size_t units = (count + unit - 1) / unit;
        return {std::min(count, units * rank / size * unit),
                std::min(count, units * (rank + 1) / size * unit)};
    }

    /// Where this thread's part of 0..1 begins, and where it ends and the next begins.
    double begin() const { return static_cast<double>(rank) / static_cast<double>(size); }
    double end() const { return static_cast<double>(rank + 1) / static_cast<double>(size); }
};

class ThreadTeam {
    struct Member;

public:
    static constexpr int kMaxSize = 1024;

    /// Where the members of one team after another meet. Only a larger team than before allocates.
    class MeetingPlace {
        friend ThreadTeam;
        std::unique_ptr<Member[]> members_;
        int size_ = 0;
    };

    /// The caller and up to n - 1 workers, which wake up meanwhile: fewer if others hold them, or
    /// if no more threads or memory are available.
    explicit ThreadTeam(int n) noexcept;
    /// On the executor's threads, unless it is null. For barriers, n must be from `tasks_at_once`.
    /// `place`, unless it is null, is for this team as long as it exists.
    ThreadTeam(int n, const Executor* executor, MeetingPlace* place = nullptr);
    /// Returns the workers to the pool.
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    /// The number of members of the next run, with the caller. Constant within a run; it may change
    /// between runs but never exceeds its first value.
    int size() const noexcept { return lost_workers() ? 1 : size_; }

    /// The next runs have at most `most` members. Not within a run.
    void limit(int most) noexcept {
        most_ = most;
        size_ = std::min(size_, most);
    }

    /// Whether teams should rest now. For callers that need a team for a single run.
    static bool resting() noexcept;

    /// For callers that can divide their work into runs: whether the next run has all members.
    /// Otherwise, while they wake up or while the team rests, it has the caller only, and should be
    /// short.
    bool ready() noexcept;
    /// Whether the next run has all members because they are awake; neither wakes nor waits. Always
    /// false on an executor.
    bool awake() noexcept;

    /// Calls function(rank) once on every member, ranks 0..size()-1, and returns when all are done.
    /// The caller is rank 0, unless there is an executor. Workers have the IEEE default
    /// floating-point environment; the caller holds an `IeeeDefaults`. If members throw, the first
    /// exception is rethrown here and the team stays usable.
    template <class Function>
    void run(Function&& function) {
        using Target = std::remove_reference_t<Function>;
        run_on_all([](void* target, int rank) { (*static_cast<Target*>(target))(rank); },
                   const_cast<void*>(static_cast<const void*>(std::addressof(function))));
    }

    /// Inside `run`: waits for all members; their earlier writes are visible afterwards. Returns
    /// the same value to all: false if the team should end this run soon and rest. Throws if
    /// another member threw; let that exception propagate, `run` rethrows the first one.
    bool barrier(int rank) { return size_ == 1 || cross_barrier(rank); }

    /// Inside `run`: waits until another member makes `ready()` true, which it should have done by
    /// now: the time counts as that asleep in barriers. Throws as they do.
    template <class Ready>
    void wait(int rank, Ready ready) {
        const auto start = Clock::now();
        while (!ready()) {
            check_members();
            std::this_thread::yield();
        }
        members_[rank].stalled.fetch_add((Clock::now() - start).count(), std::memory_order_relaxed);
    }

private:
    using Clock = std::chrono::steady_clock;
    /// The first rest of a team; each after a failed attempt is twice as long, until an attempt has
    /// lasted as long as this.
    static constexpr std::chrono::milliseconds kShortRest{20};
    using Call = void (*)(void* target, int rank);

    /// One member's part of the barrier. Other members write only `arrived`.
    struct alignas(kCacheLine) Member {
        static constexpr int kRounds = 10;  // log2(kMaxSize)
        /// `fail` adds 2 to flags that nobody has set, too: no member may wait for that.
        static constexpr std::uint32_t kBeforeFirst = 2;
        std::atomic<std::uint32_t> arrived[2][kRounds]{};
        alignas(kCacheLine) std::uint32_t phase = kBeforeFirst;
        std::atomic<Clock::rep> stalled{0};  // time in this run that it waited for others
        Worker* worker = nullptr;

        /// As new: no other member waits for it.
        void clear() noexcept;
    };

    void borrow_workers(int n) noexcept;
    bool make_members(int n) noexcept;
    bool call_members() noexcept;
    bool wait_for_members() noexcept;
    void choose_spins() noexcept;
    void run_on_all(Call call, void* target);
    void run_member(int rank) noexcept;
    bool cross_barrier(int rank);
    std::uint32_t hear(Member& self, std::atomic<std::uint32_t>& arrived, std::uint32_t phase);
    void check_members() const;
    void run_on_workers();
    void run_on_executor();
    void join_workers();
    void fail(std::exception_ptr error) noexcept;
    void recover() noexcept;
    bool struggling() const noexcept;
    void choose_size(bool struggled) noexcept;
    bool rests() const noexcept { return Clock::now() < rest_until_; }
    int allowed() const noexcept { return std::min(borrowed_, most_); }
    bool lost_workers() const noexcept { return forks_ != Worker::forks(); }

    int size_ = 1;      // of the next run
    int borrowed_ = 1;  // with the caller
    int most_ = kMaxSize;
    int spins_ = 0;
    unsigned forks_ = Worker::forks();
    Call call_ = nullptr;
    void* target_ = nullptr;
    const Executor* executor_ = nullptr;
    Clock::time_point run_start_;
    Patience patience_;  // for members that are asleep
    Clock::time_point rest_until_{};
    Clock::duration next_rest_{kShortRest};
    Clock::duration worked_{};  // since the last rest
    MeetingPlace own_place_;
    MeetingPlace* place_ = &own_place_;
    Member* members_ = nullptr;
    std::exception_ptr error_;
    alignas(kCacheLine) std::atomic<bool> failed_{false};
};

}  // namespace fastmlp
