/// How a computation checks for interrupts, on one thread or in a team.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>

#include "fastmlp/interruption.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// The scope of one call, for all threads that work on it.
class Interrupts {
public:
    /// Between two checks of a thread: about 0.1 ms on a fast core, 5 ms on the slowest.
    static constexpr double kFlopsBetweenLooks = 1e7;
    /// Per thread, between two joins of the team: threads that finish early do not check.
    static constexpr double kFlopsPerRound = 4e9;

    /// Counts one thread's work. A null pointer to one means that the call cannot be interrupted.
    class Poll {
    public:
        Poll(Interrupts& interrupts, bool asks) : interrupts_(interrupts), asks_(asks) {}

        /// Adds to the work done; throws if the call was interrupted.
        void worked(double flops) {
            if ((flops_ += flops) < kFlopsBetweenLooks) return;
            flops_ = 0;
            interrupts_.look(asks_);
        }

    private:
        Interrupts& interrupts_;
        bool asks_;
        double flops_ = 0;
    };

    /// For the calling thread's current InterruptScope.
    Interrupts() : scope_(InterruptScope::current()), poll_(*this, true) {}
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    /// The counter of the calling thread.
    Poll* poll() { return scope_ == nullptr ? nullptr : &poll_; }

    /// Calls f(share, poll) on all members, which may meet.
    template <class F>
    void run(ThreadTeam& team, F f) {
        const auto size = static_cast<std::size_t>(team.size());
        try {
            team.run([&](int rank) {
                Poll poll(*this, rank == 0);
                f(Share{static_cast<std::size_t>(rank), size}, scope_ == nullptr ? nullptr : &poll);
            });
        } catch (const Interrupted&) {
            if (error_) std::rethrow_exception(error_);
            throw;
        }
    }

    /// Calls f(share, range, poll) on all members for successive ranges of `count` items, each of
    /// `flops_each` flops.
    template <class F>
    void run(ThreadTeam& team, std::size_t count, double flops_each, F f) {
        for (std::size_t first = 0; first < count;) {
            const auto size = static_cast<std::size_t>(team.size());
            const std::size_t last = round_end(first, count, size, flops_each);
            run(team, [&](Share share, Poll* poll) { f(share, Range{first, last}, poll); });
            first = last;
            if (scope_ != nullptr) scope_->look();
        }
    }

private:
    std::size_t round_end(std::size_t first, std::size_t count, std::size_t size,
                          double flops_each) const {
        constexpr std::size_t kLeast = 128;  // items per thread
        if (scope_ == nullptr) return count;
        const double fitting = std::min(1e9, kFlopsPerRound / std::max(1.0, flops_each));
        const std::size_t each = std::max(kLeast, static_cast<std::size_t>(fitting));
        return first + std::min(count - first, each * size);
    }

    /// Only rank 0 may poll. Its exception is kept and takes precedence over those of other
    /// threads, which only stop.
    void look(bool asks) {
        if (asks && !stop_.load(std::memory_order_relaxed)) {
            try {
                scope_->look();
            } catch (...) {
                error_ = std::current_exception();
                stop_.store(true, std::memory_order_relaxed);
            }
        }
        if (!stop_.load(std::memory_order_relaxed)) return;
        if (asks) std::rethrow_exception(error_);
        throw Interrupted();
    }

    InterruptScope* scope_;
    std::atomic<bool> stop_{false};
    std::exception_ptr error_;
    Poll poll_;
};

using Poll = Interrupts::Poll;

/// Calls f(block) for `range` in blocks of `size` items, each of `flops_each` flops. `poll` (may be
/// null) counts them and may throw between blocks.
template <class F>
void for_each_block(Range range, std::size_t size, double flops_each, Poll* poll, F f) {
    for (Range block = range; block.first < range.last; block.first = block.last) {
        block.last = std::min(range.last, block.first + size);
        f(block);
        if (poll) poll->worked(flops_each * static_cast<double>(block.size()));
    }
}

}  // namespace fastmlp
