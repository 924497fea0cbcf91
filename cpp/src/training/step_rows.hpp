/// Which samples of an epoch a step trains on.
#pragma once

#include <algorithm>
#include <numeric>

#include "fastmlp/ranks.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

class StepRows {
public:
    /// Steps of `batch` of the `rows` samples of an epoch (0: unknown), or of those of all `ranks`,
    /// unless these are null.
    StepRows(std::size_t rows, std::size_t batch, const Ranks* ranks)
        : mine_(rows), all_(rows), batch_(batch), ranks_(ranks) {
        if (ranks) all_ = std::accumulate(ranks->rows.begin(), ranks->rows.end(), std::size_t{0});
    }

    /// Per epoch.
    std::size_t count() const { return (all_ + batch_ - 1) / batch_; }

    /// The most samples of this process in a step.
    std::size_t most() const {
        return ranks_ ? std::max<std::size_t>(1, std::min(mine_, scaled(batch_, mine_) + 1))
                      : batch_;
    }

    /// The samples of step `index`, of the `rows` that are there.
    Range of(std::size_t index, std::size_t rows) const {
        if (ranks_) return part(index, mine_);
        return {index * batch_, std::min(rows, (index + 1) * batch_)};
    }

    /// The number of the step of an epoch after those that its first `rows` samples complete, of
    /// which step `first` is not the last.
    std::size_t after(std::size_t rows, std::size_t first) const {
        while (first < count() && part(first, mine_).last <= rows) ++first;
        return first;
    }

    /// How many samples of other ranks come before those in the epoch, where the parts of a step
    /// are concatenated in the order of the ranks.
    std::size_t ahead(std::size_t index) const {
        std::size_t rows = 0;
        if (!ranks_) return rows;
        for (std::size_t rank = 0; rank < ranks_->rows.size(); ++rank) {
            if (rank == ranks_->rank) continue;
            const Range other = part(index, ranks_->rows[rank]);
            rows += rank < ranks_->rank ? other.last : other.first;
        }
        return rows;
    }

private:
    /// n * part / all, rounded down, without overflow.
    std::size_t scaled(std::size_t n, std::size_t part) const {
        return n / all_ * part + n % all_ * part / all_;
    }

    Range part(std::size_t index, std::size_t rows) const {
        const auto end = [&](std::size_t steps) {
            return steps * batch_ >= all_ ? rows : scaled(steps * batch_, rows);
        };
        return {end(index), end(index + 1)};
    }

    std::size_t mine_, all_, batch_;
    const Ranks* ranks_;
};

}  // namespace fastmlp
