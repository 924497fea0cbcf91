/// Work on long arrays around the steps of a training: checks and copies.
///
/// Where the arrays are not in the caches, one core waits for memory as long as for several steps
/// (784-512-512-10, eight steps after a pause: 6 % of the fit).
#pragma once

#include <algorithm>
#include <cstddef>

#include "threads/thread_pool.hpp"

namespace fastmlp {

/// By whom: the caller alone, or all members of its team.
class Parts {
public:
    Parts() = default;
    explicit Parts(ThreadTeam& team) : team_(&team) {}

    /// Calls work(range), which throws nothing, for parts of 0..count-1, items of `bytes` each. Not
    /// within a run of the team.
    template <class Work>
    void each(std::size_t count, std::size_t bytes, Work work) const {
        const std::size_t at_once = std::max<std::size_t>(1, kAtOnce / bytes);
        for (std::size_t first = 0; first < count; first += at_once) {
            const Range piece{first, std::min(count, first + at_once)};
            if (team_ == nullptr || piece.size() * bytes < kWorthwhile || !team_->awake()) {
                work(piece);
                continue;
            }
            const auto size = static_cast<std::size_t>(team_->size());
            team_->run([&](int rank) {
                const Share share{static_cast<std::size_t>(rank), size};
                const Range mine = share.of(piece.size(), 1);
                work(Range{piece.first + mine.first, piece.first + mine.last});
            });
        }
    }

private:
    /// Bytes. Members that wake up meanwhile take their parts of the next piece.
    static constexpr std::size_t kAtOnce = std::size_t{1} << 20;
    /// Less takes no longer than to begin a run.
    static constexpr std::size_t kWorthwhile = std::size_t{1} << 16;

    ThreadTeam* team_ = nullptr;
};

}  // namespace fastmlp
