/// Portions of work that no slow thread holds up. Each thread begins with its own; when it has none
/// left, it takes those that others have not begun. A core may be slow because it is an efficiency
/// core, or because another program or virtual machine uses it, too.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <vector>

#include "threads/thread_pool.hpp"
#include "threads/worker.hpp"

namespace fastmlp {

/// From the fraction `first` to `last` of the work of one thread.
struct Portion {
    Share owner;
    double first, last;
};

/// The portions of each thread of a team between two barriers, numbered in the order of its work.
class Portions {
public:
    explicit Portions(std::size_t threads) : of_(threads) {}

    /// All portions of thread `rank` may be taken again: between a barrier after which no thread
    /// takes one and a barrier before which none does.
    void renew(std::size_t rank) {
        of_[rank].begun.store(0, std::memory_order_relaxed);
        of_[rank].done.store(0, std::memory_order_relaxed);
    }

    /// Calls f(i) for those of `portions` of thread `owner` that nobody has begun. All before them
    /// are done.
    template <class F>
    void take(std::size_t owner, Range portions, F f) {
        Progress& progress = of_[owner];
        std::size_t next = progress.begun.load(std::memory_order_relaxed);
        while (next < portions.last) {
            // Not added to where none is left: the owner's cache line would leave its core.
            if (!progress.begun.compare_exchange_weak(next, next + 1, std::memory_order_relaxed)) {
                continue;
            }
            const Completion completion{progress};
            f(next++);
        }
    }

    /// Whether the first `count` portions of a thread are done, now or in a moment.
    bool wait(std::size_t owner, std::size_t count) const {
        for (int spins = kSpins; !done(owner, count); --spins) {
            if (spins == 0) return false;
            cpu_pause();
        }
        return true;
    }
    bool done(std::size_t owner, std::size_t count) const {
        return of_[owner].done.load(std::memory_order_acquire) >= count;
    }

private:
    struct alignas(kCacheLine) Progress {
        std::atomic<std::size_t> begun{0}, done{0};
    };
    /// Also after an exception: nobody waits for ever.
    struct Completion {
        Progress& progress;
        ~Completion() { progress.done.fetch_add(1, std::memory_order_release); }
    };

    std::vector<Progress> of_;
};

/// The work of a thread in four portions: a half, a quarter, an eighth and another one, as only the
/// last ones are taken by others unless the thread is very slow.
struct Halves {
    static constexpr std::size_t kCount = 4;
    static constexpr double kLeast = 1.0 / 8;

    /// Where portion i begins.
    static constexpr double place(std::size_t i) {
        return i == kCount ? 1 : 1 - 1 / static_cast<double>(std::size_t{1} << i);
    }

    /// Portion i of a range, cut at multiples of `unit` from its beginning.
    static Range of(Range all, std::size_t i, std::size_t unit) {
        const auto cut = [&](std::size_t k) {
            const double units =
                place(k) * static_cast<double>(all.size()) / static_cast<double>(unit);
            return std::min(all.last,
                            all.first + static_cast<std::size_t>(std::ceil(units)) * unit);
        };
        return {cut(i), cut(i + 1)};
    }
};

}  // namespace fastmlp
