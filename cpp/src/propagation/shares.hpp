/// How the work of a step is divided among threads. Only outputs are divided, never sums, so the
/// bits do not depend on it. `training/balance.hpp` computes how even the parts are.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/table.hpp"
#include "propagation/packed.hpp"
#include "threads/portions.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// How much more than the mean the busiest thread may have, where another division would do.
inline constexpr double kEven = 1.05;

/// The most of `count` items that one of `threads` threads has, divided at multiples of `unit`.
inline std::size_t busiest(std::size_t count, std::size_t unit, std::size_t threads) {
    const std::size_t units = (count + unit - 1) / unit;
    return std::min(count, (units + threads - 1) / threads * unit);
}

/// Kernels take up to 16 rows at a time, so rows are divided at multiples of 16, or of less if some
/// thread had much more than the mean.
inline std::size_t row_unit(std::size_t rows, std::size_t threads) {
    const double most = kEven * static_cast<double>(rows) / static_cast<double>(threads);
    std::size_t unit = kernels::kPad;
    while (unit > 1 && static_cast<double>(busiest(rows, unit, threads)) > most) unit /= 2;
    return unit;
}

inline Range rows_of(Share share, std::size_t rows) {
    if (share.size == 1) return {0, rows};
    return share.of(rows, row_unit(rows, share.size));
}

/// One thread's part of the outputs of a layer for a batch.
struct OutputBlock {
    Range rows, columns;
};

/// The part of each thread: all rows of some columns, or some rows of more columns if that is more
/// even. Fewer groups of rows are better, as each reads all weights.
inline OutputBlock block_of(Share share, std::size_t rows, std::size_t columns) {
    const auto cost = [&](std::size_t groups) {
        return static_cast<double>(busiest(rows, row_unit(rows, groups), groups)) *
               static_cast<double>(busiest(columns, kernels::kPad, share.size / groups));
    };
    const double most =
        kEven * static_cast<double>(rows * columns) / static_cast<double>(share.size);
    std::size_t best = 1;
    for (std::size_t groups = 1; cost(best) > most && groups <= share.size; ++groups) {
        if (share.size % groups == 0 && cost(groups) < cost(best)) best = groups;
    }
    return {rows_of({share.rank % best, best}, rows),
            Share{share.rank / best, share.size / best}.of(columns, kernels::kPad)};
}

/// Threads take work from each other in portions of at least about 20 us.
inline constexpr double kPortionFlops = 2e6;

/// The outputs of a layer for some rows in portions: as many as have enough work, of whole panels
/// of columns if that is possible (`by_columns`), or else of rows.
class OutputPortions {
public:
    OutputPortions(Range rows, std::size_t columns, std::size_t chain, bool by_columns)
        : rows_(rows), columns_(columns), by_columns_(by_columns && columns > kernels::kPanel) {
        constexpr double kMost = 8;
        constexpr std::size_t kLeastRows = 512;
        const double flops = 2.0 * static_cast<double>(rows.size() * columns * chain);
        const std::size_t most = by_columns_ ? (columns + kernels::kPanel - 1) / kernels::kPanel
                                             : std::max<std::size_t>(1, rows.size() / kLeastRows);
        count_ =
            std::min(most, static_cast<std::size_t>(std::clamp(flops / kPortionFlops, 1.0, kMost)));
    }

    std::size_t count() const { return count_; }
    OutputBlock operator[](std::size_t i) const {
        const Share share{i, count_};
        if (by_columns_) return {rows_, share.of(columns_, kernels::kPanel)};
        const Range mine = share.of(rows_.size(), kernels::kPad);
        return {{rows_.first + mine.first, rows_.first + mine.last}, {0, columns_}};
    }

private:
    Range rows_;
    std::size_t columns_;
    bool by_columns_;
    std::size_t count_;
};

/// How finely the weights of a layer are divided: at multiples of `rows`, in panels of at most
/// `columns`.
struct Pieces {
    std::size_t rows = 6;        ///< of a register tile
    std::size_t inner_rows = 6;  ///< between the portions of a thread
    std::size_t columns = kernels::kPanel;

    /// Smaller ones where a thread has few of them: `weights` are those of one thread. Pieces of
    /// about a twelfth keep the busiest thread within 1.09 of the mean; smaller tiles are slower.
    static Pieces of(double weights) {
        Pieces pieces;
        const double twelfth = weights / 12;
        while (pieces.columns > kernels::kPad && twelfth < static_cast<double>(pieces.columns)) {
            pieces.columns /= 2;
        }
        const double rows = twelfth / static_cast<double>(pieces.columns);
        pieces.rows = static_cast<std::size_t>(std::clamp(rows, 1.0, 6.0));
        // Portions of about a panel or more are of whole panels, whose deltas are read once then.
        const double inner = weights / 6 / static_cast<double>(pieces.columns);
        pieces.inner_rows = static_cast<std::size_t>(std::clamp(inner / 6, 1.0, 1e6)) * 6;
        return pieces;
    }
};

/// Whether the gradients of `weights` of each thread, over `batch` rows, are divided into portions
/// which others take if the thread is slow: if the least is whole register tiles but for its ends,
/// and takes about 20 us.
inline bool worth_portions(double weights, std::size_t batch) {
    constexpr double kLeastWeights = 32 * kernels::kPanel;
    const double least = weights * Halves::kLeast;
    return least >= kLeastWeights && 2 * least * static_cast<double>(batch) >= kPortionFlops;
}

/// One thread's part of the update of a layer, or a portion of that: of the weights, panel by
/// panel, the fraction from `first` to `last`; and its share of all other parameters,
/// `with_vectors`.
struct UpdatePart {
    Share share;
    double first = 0, last = 1;
    Pieces pieces{};
    double begin = first, end = last;  ///< of the whole part, at whose ends it is cut more finely
    bool with_vectors = true;

    /// Calls f(column, width, rows) for the rows of each panel of weights (k, n), n padded.
    template <class F>
    void for_each_panel(std::size_t k, std::size_t n, F f) const {
        fastmlp::for_each_panel(n, pieces.columns, [&](std::size_t column, std::size_t width) {
            if (share.size == 1) return f(column, width, Range{0, k});
            const auto place = [&](double fraction, std::size_t unit) {
                const double columns = fraction * static_cast<double>(n);
                const double of_panel =
                    (columns - static_cast<double>(column)) / static_cast<double>(width);
                return cut(std::clamp(of_panel, 0.0, 1.0), k, unit);
            };
            const std::size_t from = place(begin, pieces.rows), to = place(end, pieces.rows);
            const auto inner = [&](double fraction) {
                if (fraction == begin) return from;
                if (fraction == end) return to;
                return std::clamp(place(fraction, pieces.inner_rows), from, to);
            };
            const Range rows{inner(first), inner(last)};
            if (rows.size() > 0) f(column, width, rows);
        });
    }

    /// The columns of the transposed weights (n, k) of a narrow layer.
    Range columns(std::size_t k) const {
        if (share.size == 1) return {0, k};
        return {cut(first, k, kernels::kPad), cut(last, k, kernels::kPad)};
    }

    /// Of one layer that is divided by itself.
    static UpdatePart of(Share share) { return {share, share.begin(), share.end()}; }

    /// About as many of `steps` equal steps as the thread does from here on.
    std::size_t part_of(std::size_t steps) const {
        return static_cast<std::size_t>(std::ceil((end - first) * static_cast<double>(steps)));
    }

private:
    static std::size_t cut(double fraction, std::size_t count, std::size_t unit) {
        const double units = static_cast<double>((count + unit - 1) / unit);
        return std::min(count, static_cast<std::size_t>(std::round(fraction * units)) * unit);
    }
};

/// The parts of all layers that are updated without a barrier between them: together they are
/// divided evenly, so that what is left over of one layer is not added to that of the next.
class UpdateParts {
public:
    /// `weights` of all layers. Those of each are then passed to `next`, in order.
    UpdateParts(Share share, double weights) : UpdateParts(Portion{share, 0, 1}, weights) {}
    /// The same of one portion of a thread's part.
    UpdateParts(Portion portion, double weights)
        : portion_(portion), weights_(weights),
          pieces_(Pieces::of(weights / static_cast<double>(portion.owner.size))) {}

    UpdatePart next(double weights) {
        const double before = before_;
        before_ += weights;
        const Share owner = portion_.owner;
        const bool with_vectors = portion_.last == 1;
        if (owner.size == 1 || weights == 0) return {owner, 0, 1, {}, 0, 1, with_vectors};
        const auto fraction = [&](double of_part) {
            const double place =
                (static_cast<double>(owner.rank) + of_part) / static_cast<double>(owner.size);
            return std::clamp((place * weights_ - before) / weights, 0.0, 1.0);
        };
        return {owner,
                fraction(portion_.first),
                fraction(portion_.last),
                pieces_,
                fraction(0),
                fraction(1),
                with_vectors};
    }

private:
    Portion portion_;
    double weights_, before_ = 0;
    Pieces pieces_;
};

}  // namespace fastmlp
