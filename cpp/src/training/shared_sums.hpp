/// Sums of gradients over ranks that share memory: no messages, and one meeting in each step.
///
/// Every rank has a slot for its gradients, which it writes while the others may still read those
/// of the step before: so there are two, which alternate. A rank that has announced step s has read
/// all slots of step s - 1, and those may be written again.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "fastmlp/interruption.hpp"
#include "fastmlp/network.hpp"
#include "fastmlp/ranks.hpp"
#include "threads/thread_pool.hpp"
#include "threads/worker.hpp"

namespace fastmlp {

template <class T>
class SharedSums {
public:
    /// For `count` gradients and up to `sums` other sums of each rank, from byte `first` of the
    /// shared memory on. The first of several, at byte 0, is that where ranks say that they ended.
    SharedSums(const Ranks& ranks, std::size_t count, std::size_t sums, std::size_t first = 0)
        : ranks_(ranks), size_(ranks.rows.size()), count_(count), sums_(sums),
          bytes_(static_cast<std::byte*>(ranks.shared) + first) {}

    /// Says in the shared memory that the training of this rank is over.
    static void end(const Ranks& ranks) {
        if (ranks.rank >= ranks.rows.size()) return;  // it has no place there
        Member& mine = static_cast<Member*>(ranks.shared)[ranks.rank];
        mine.ended.store(1, std::memory_order_release);
    }

    /// The bytes of memory that this takes.
    std::size_t bytes() const { return slots() + 2 * size_ * slot_bytes(); }

    /// Where this rank stores its gradients of the next step.
    T* slot() const { return slot_of(ranks_.rank, step_); }
    T* slot_of(std::size_t rank, std::uint64_t step) const {
        const std::size_t index = (step % 2) * size_ + rank;
        return reinterpret_cast<T*>(bytes_ + slots() + index * slot_bytes());
    }
    std::uint64_t step() const { return step_; }

    /// Announces that the gradients are stored, and waits for those of all ranks. `sums` are
    /// replaced by those over all ranks. Called by one thread. A long wait asks `interrupted`,
    /// which may be null, every few milliseconds; the other ranks still take the step then.
    void meet(std::vector<double>& sums, const std::function<bool()>& interrupted) {
        std::copy(sums.begin(), sums.end(), sums_of(ranks_.rank));
        member(ranks_.rank).steps.store(step_ + 1, std::memory_order_release);
        for (std::size_t rank = 0; rank < size_; ++rank) wait_for(rank, interrupted);
        std::copy_n(sums_of(0), sums.size(), sums.begin());
        for (std::size_t rank = 1; rank < size_; ++rank) {
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += sums_of(rank)[i];
        }
        ++step_;
    }

    /// Calls use(first, count, sums) for the blocks of this thread's share of `all` elements, with
    /// their sums ((0 + 1) + 2) + ... times the scale, + 0.
    template <class Use>
    void for_each_block(Range all, T scale, Share share, Use use) const {
        const Range part = share.of(all.size(), kBlock);
        const Range mine{all.first + part.first, all.first + part.last};
        alignas(64) std::array<T, kBlock> room;
        for (std::size_t first = mine.first; first < mine.last; first += kBlock) {
            const std::size_t n = std::min(kBlock, mine.last - first);
            const T* sum = slot_of(0, step_ - 1) + first;
            for (std::size_t rank = 1; rank + 1 < size_; ++rank) {
                const T* other = slot_of(rank, step_ - 1) + first;
                for (std::size_t i = 0; i < n; ++i) room[i] = sum[i] + other[i];
                sum = room.data();
            }
            if (size_ > 1) {  // with the scale in one pass
                const T* last = slot_of(size_ - 1, step_ - 1) + first;
                for (std::size_t i = 0; i < n; ++i) {
                    room[i] = (sum[i] + last[i]) * scale + T(0);  // not -0
                }
            } else {
                for (std::size_t i = 0; i < n; ++i) room[i] = sum[i] * scale + T(0);
            }
            use(first, n, room.data());
        }
    }

    /// This thread's share of those sums, into `out`, which has all elements.
    void add(T* out, Range all, T scale, Share share) const {
        for_each_block(all, scale, share, [&](std::size_t first, std::size_t n, const T* sums) {
            std::copy_n(sums, n, out + first);
        });
    }

private:
    static constexpr std::size_t kBlock = 1024;  ///< stays in the L1 cache

    /// A rank that comes sooner is waited for, so that all ranks end with the same step.
    static constexpr std::chrono::seconds kPatience{2};

    /// What the others read of a rank. `train` sets `ended`, and Python does when its fit fails.
    struct alignas(64) Member {
        std::atomic<std::uint64_t> steps, ended;
    };

    static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
    std::size_t sums_bytes() const { return rounded(sums_ * sizeof(double)); }
    std::size_t slot_bytes() const { return rounded(count_ * sizeof(T)); }
    std::size_t slots() const { return size_ * (sizeof(Member) + 2 * sums_bytes()); }

    Member& member(std::size_t rank) const { return reinterpret_cast<Member*>(bytes_)[rank]; }
    double* sums_of(std::size_t rank) const {
        const std::size_t index = (step_ % 2) * size_ + rank;
        return reinterpret_cast<double*>(bytes_ + size_ * sizeof(Member) + index * sums_bytes());
    }

    /// Gives up the core to others that share it, soon for a moment and later for longer.
    void wait_for(std::size_t rank, const std::function<bool()>& interrupted) const {
        using Clock = std::chrono::steady_clock;
        constexpr std::size_t kPauses = 1000, kYields = 10'000, kSleepsBetweenLooks = 100;
        Clock::time_point asleep{};
        for (std::size_t i = 0; member(rank).steps.load(std::memory_order_acquire) <= step_; ++i) {
            if (any_ended()) {
                ranks_.ended();
                throw std::runtime_error("another rank has ended");
            }
            if (i < kPauses) {
                cpu_pause();
            } else if (i < kYields) {
                std::this_thread::yield();
            } else {
                if (i == kYields) asleep = Clock::now();
                const bool looks = i % kSleepsBetweenLooks == 0 && interrupted;
                if (looks && Clock::now() - asleep > kPatience && interrupted()) {
                    throw Interrupted();
                }
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            }
        }
    }

    /// Whether a rank will not announce this step.
    bool any_ended() const {
        for (std::size_t rank = 0; rank < size_; ++rank) {
            const Member& first = static_cast<const Member*>(ranks_.shared)[rank];
            if (first.ended.load(std::memory_order_acquire) != 0 &&
                member(rank).steps.load(std::memory_order_acquire) <= step_) {
                return true;
            }
        }
        return false;
    }

    const Ranks& ranks_;
    std::size_t size_, count_, sums_;
    std::byte* bytes_;
    std::uint64_t step_ = 0;  ///< that is, or will be, announced next
};

}  // namespace fastmlp
