/// Prefetches the rows of the next batch while the weights are updated. A hardware prefetcher
/// cannot predict shuffled rows, and a data set rarely fits in the cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "propagation/features.hpp"
#include "threads/share.hpp"

namespace fastmlp {

/// The cache lines of a matrix: row i has `lines` of them, `step` bytes apart.
struct RowLines {
    template <class T>
    explicit RowLines(const Features<T>& x) {
        if (x.is_sparse) return;
        const RawView<T> raw = x.is_raw ? x.raw : RawView<T>::of(x.dense);
        data = raw.data;
        rows = raw.rows;
        stride = raw.row_stride;
        const std::ptrdiff_t apart = std::abs(raw.column_stride), most = std::max(kLine, apart);
        const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(raw.cols) * apart;
        lines = static_cast<std::size_t>((width + most - 1) / most);
        if (most == kLine) ++lines;
        step = raw.column_stride < 0 ? -most : most;
    }

    const std::byte* data = nullptr;
    std::size_t rows = 0, lines = 0;
    std::ptrdiff_t stride = 0, step = 0;

private:
    static constexpr std::ptrdiff_t kLine = 64;
};

class RowPrefetcher {
public:
    /// For samples `samples` of `order` (null: 0, 1, 2, ...).
    RowPrefetcher(const RowLines& x, const std::uint32_t* order, Range samples)
        : x_(x), order_(order), sample_(samples.first), last_(samples.last) {}

    /// Announces how often the following work calls `advance`.
    void spread_over(std::size_t calls) {
        per_call_ = ((last_ - sample_) * x_.lines + calls - 1) / std::max<std::size_t>(1, calls);
    }

    void advance() {
        for (std::size_t left = per_call_; left > 0 && sample_ < last_;) {
            const std::size_t sample = order_ ? order_[sample_] : sample_;
            const std::byte* row = x_.data + static_cast<std::ptrdiff_t>(sample) * x_.stride;
            const std::size_t end = std::min(x_.lines, line_ + left);
            left -= end - line_;
            for (; line_ < end; ++line_) {
                __builtin_prefetch(row + static_cast<std::ptrdiff_t>(line_) * x_.step, 0, 2);
            }
            if (line_ == x_.lines) {
                line_ = 0;
                ++sample_;
            }
        }
    }

private:
    RowLines x_;
    const std::uint32_t* order_;
    std::size_t sample_, last_, line_ = 0, per_call_ = 0;
};

}  // namespace fastmlp
