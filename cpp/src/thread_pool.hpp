/// The threads of the process, lent to one computation at a time.
///
/// A `ThreadTeam` borrows idle workers for its lifetime. Whoever comes second gets what is left,
/// down to itself alone, and never waits: two networks fitting at once both get on.
///
/// Workers are created when first wanted and never end. One that has nothing to do spins for some
/// 50 us, then sleeps in the kernel. After a fork the child has no workers and creates its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>

namespace fastmlp {

/// Neighbours on one cache line slow each other down; processors fetch lines in pairs.
inline constexpr std::size_t kCacheLine = 128;

class Worker;

class ThreadTeam {
public:
    static constexpr int kMaxSize = 1024;

    /// The caller and up to n - 1 idle workers: fewer if others hold them, or if the system gives
    /// no more threads or memory.
    explicit ThreadTeam(int n) noexcept;
    /// Gives the workers back.
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    /// Members, the caller included. May shrink to 1 between two runs: in the child of a fork.
    int size() const noexcept { return size_; }

    /// Calls function(rank) once on every member, ranks 0..size()-1, the caller being rank 0;
    /// returns when all are done. All members compute in IEEE default floating point but the
    /// caller, who holds an `IeeeDefaults` where that matters.
    /// If members throw, the first exception is rethrown here and the team stays usable.
    template <class Function>
    void run(Function&& function) {
        using Target = std::remove_reference_t<Function>;
        run_on_all([](void* target, int rank) { (*static_cast<Target*>(target))(rank); },
                   const_cast<void*>(static_cast<const void*>(std::addressof(function))));
    }

    /// Waits, inside `run`, until all members are here; what they wrote before is visible after.
    /// Throws if another member threw: let it pass, `run` knows.
    void barrier(int rank) {
        if (size_ > 1) cross_barrier(rank);
    }

private:
    friend class Worker;
    using Call = void (*)(void* target, int rank);

    /// One member's part of the barrier: who waits reads `arrived`, only its owner counts `phase`.
    struct alignas(kCacheLine) Member {
        static constexpr int kRounds = 10;  // log2(kMaxSize)
        std::atomic<std::uint64_t> arrived[kRounds]{};
        alignas(kCacheLine) std::uint64_t phase = 0;
        Worker* worker = nullptr;
    };

    void run_on_all(Call call, void* target);
    void run_member(int rank) noexcept;
    void work(int rank) noexcept;
    void cross_barrier(int rank);
    void reset_barrier() noexcept;
    bool lost_workers() const noexcept;
    void fail(std::exception_ptr error) noexcept;

    int size_ = 1;
    int spins_ = 0;
    unsigned forks_;  // of the process, when this team was formed
    Call call_ = nullptr;
    void* target_ = nullptr;
    std::exception_ptr error_;
    std::unique_ptr<Member[]> members_;
    alignas(kCacheLine) std::atomic<bool> failed_{false};
    alignas(kCacheLine) std::atomic<int> pending_{0};
};

}  // namespace fastmlp
