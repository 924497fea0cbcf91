/// One thread's part of a range. Only outputs are split, never sums, so the bits do not depend on
/// it.
#pragma once

#include <algorithm>
#include <cstddef>

namespace fastmlp {

struct Range {
    std::size_t first, last;

    std::size_t size() const { return last - first; }
};

struct Share {
    std::size_t rank = 0, size = 1;

    /// This thread's part of 0..count-1, cut at multiples of `unit`.
    Range of(std::size_t count, std::size_t unit) const {
        const std::size_t units = (count + unit - 1) / unit;
        return {std::min(count, units * rank / size * unit),
                std::min(count, units * (rank + 1) / size * unit)};
    }
};

}  // namespace fastmlp
