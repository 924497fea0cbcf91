/// The elements of a batch of sparse rows, ordered by column: the gradients of the first layer are
/// sums over them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "fastmlp/matrix.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// One per thread, for its share of the columns. Grows as needed and is reused.
template <class T>
class SparseBatchByColumn {
public:
    /// The elements of one column, ordered by row.
    struct Column {
        const std::uint32_t* rows;
        const T* values;
        std::size_t count;
    };

    /// Collects the columns `range` of `batch` rows.
    void gather(const SparseRow<T>* a, std::size_t batch, Range range) {
        forget();
        first_ = range.first;
        if (spans_.size() < range.size()) spans_.resize(range.size());
        for_each_element(a, batch, range, [&](std::size_t, std::size_t k, T) {
            if (spans_[k].last++ == 0) touched_.push_back(static_cast<std::uint32_t>(k));
        });
        std::size_t next = 0;
        for (const std::uint32_t k : touched_) {
            const std::size_t count = spans_[k].last;
            spans_[k] = {next, next};
            next += count;
        }
        if (rows_.size() < next) {
            rows_.resize(next);
            values_.resize(next);
        }
        for_each_element(a, batch, range, [&](std::size_t b, std::size_t k, T value) {
            const std::size_t at = spans_[k].last++;
            rows_[at] = static_cast<std::uint32_t>(b);
            values_[at] = value;
        });
    }

    /// Column k of `range`.
    Column operator[](std::size_t k) const {
        const auto [first, last] = spans_[k - first_];
        return {rows_.data() + first, values_.data() + first, last - first};
    }

    /// Calls f(k, column) for every column that has elements.
    template <class F>
    void for_each(F f) const {
        for (const std::uint32_t k : touched_) f(first_ + k, (*this)[first_ + k]);
    }

private:
    struct Span {
        std::size_t first = 0, last = 0;
    };

    void forget() {
        for (const std::uint32_t k : touched_) spans_[k] = {};
        touched_.clear();
    }

    /// Calls f(row, column within `range`, value), row by row.
    template <class F>
    static void for_each_element(const SparseRow<T>* a, std::size_t batch, Range range, F f) {
        const auto first = static_cast<std::int32_t>(range.first);
        for (std::size_t b = 0; b < batch; ++b) {
            const std::int32_t* const end = a[b].columns + a[b].count;
            const std::int32_t* column =
                first == 0 ? a[b].columns : std::lower_bound(a[b].columns, end, first);
            const T* value = a[b].values + (column - a[b].columns);
            for (; column < end && static_cast<std::size_t>(*column) < range.last; ++column) {
                f(b, static_cast<std::size_t>(*column - first), *value++);
            }
        }
    }

    std::size_t first_ = 0;
    std::vector<Span> spans_;             ///< of each column; empty if not touched
    std::vector<std::uint32_t> touched_;  ///< columns that have elements
    std::vector<std::uint32_t> rows_;
    std::vector<T> values_;
};

}  // namespace fastmlp
