/// The next batch's rows, brought near while this batch's weights are updated. Shuffled rows have
/// no pattern that a processor could foresee, and a data set rarely fits its cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fastmlp/matrix.hpp"
#include "share.hpp"

namespace fastmlp {

template <class T>
class RowPrefetcher {
public:
    /// Samples `samples` of `order` (null: 0, 1, 2, ...).
    RowPrefetcher(MatrixView<const T> x, const std::uint32_t* order, Range samples)
        : x_(x), order_(order), sample_(samples.first), last_(samples.last),
          lines_((x.cols + kLine - 1) / kLine) {}

    /// The work that follows calls `advance` this often.
    void spread_over(std::size_t calls) {
        per_call_ = ((last_ - sample_) * lines_ + calls - 1) / std::max<std::size_t>(1, calls);
    }

    void advance() {
        for (std::size_t left = per_call_; left > 0 && sample_ < last_;) {
            const T* row = x_.row(order_ ? order_[sample_] : sample_);
            const std::size_t end = std::min(lines_, line_ + left);
            left -= end - line_;
            for (; line_ < end; ++line_) __builtin_prefetch(row + line_ * kLine, 0, 2);
            if (line_ == lines_) {
                line_ = 0;
                ++sample_;
            }
        }
    }

private:
    static constexpr std::size_t kLine = 64 / sizeof(T);

    MatrixView<const T> x_;
    const std::uint32_t* order_;
    std::size_t sample_, last_, lines_, line_ = 0, per_call_ = 0;
};

}  // namespace fastmlp
