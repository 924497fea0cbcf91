/// Three mappings of rows to vectors, with one interface, for kernels that reduce along rows.
///
/// Sums along a row run by column mod 16 and are folded by halving (r with r+8, r+4, r+2, r+1).
/// `ByRow` takes one row, its neighbouring columns in the lanes, and folds across lanes at the end.
/// `ByColumn` takes as many rows as there are lanes, one column per vector, and folds whole vectors
/// only, which is much cheaper for few classes. `ByLane` is the same for rows that are stored so
/// already, those of different networks. All give the same bits.
///
/// A row is a sequence of pieces, one vector each, `kPieces` of them to sixteen columns; piece i
/// is at `i * kLanes` in the memory that `open` returns. Pieces may reach past the last column n.
#pragma once

#include <cstddef>

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
struct ByRow {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    using Words = S;
    static constexpr std::size_t kPieces = 16 / S::kLanes;
    static constexpr std::size_t kRows = 1;  ///< in a vector
    static constexpr bool kIsPadded = true;  ///< whether rows have sixteen columns or a multiple

    static FASTMLP_INLINE std::size_t pieces(std::size_t n) { return (n + 15) / 16 * kPieces; }
    /// Whether no column of piece i exists.
    static FASTMLP_INLINE bool empty(std::size_t n, std::size_t i) { return i * S::kLanes >= n; }
    /// Piece i with `rest` in place of columns that do not exist.
    static FASTMLP_INLINE Reg keep(Reg v, std::size_t n, std::size_t i, Reg rest) {
        return (i + 1) * S::kLanes <= n ? v : S::keep_first(v, n - i * S::kLanes, rest);
    }
    /// Piece i of memory that ends with column n, +0 beyond.
    static FASTMLP_INLINE Reg load_unpadded(const T* p, std::size_t n, std::size_t i) {
        const T* at = p + i * S::kLanes;
        return (i + 1) * S::kLanes <= n ? S::load(at) : S::load_partial(at, n - i * S::kLanes);
    }
    /// Reduces the lanes of each row to one value, in every lane.
    static FASTMLP_INLINE Reg sum(Reg v) { return S::sum_all(v); }
    static FASTMLP_INLINE Reg max(Reg v) { return S::max_all(v); }
    /// One value of each row of a vector, in the row's lanes.
    static FASTMLP_INLINE Reg spread(const T* values) { return S::set1(*values); }

    /// Access to the block's pieces: for reading; for writing; to be called after writing.
    static FASTMLP_INLINE const T* open(const T* rows, std::size_t, std::size_t, std::size_t, T*) {
        return rows;
    }
    static FASTMLP_INLINE const T* open(const T* const* rows, std::size_t, std::size_t, T*) {
        return rows[0];
    }
    static FASTMLP_INLINE T* place(T* rows, T*) { return rows; }
    static FASTMLP_INLINE void close(const T*, T*, std::size_t, std::size_t) {}
};

template <class S>
struct ByColumn {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    using Words = S;
    static constexpr std::size_t kPieces = 16;
    static constexpr bool kIsPadded = true;

    static FASTMLP_INLINE std::size_t pieces(std::size_t) { return kPieces; }
    static FASTMLP_INLINE bool empty(std::size_t n, std::size_t i) { return i >= n; }
    static FASTMLP_INLINE Reg keep(Reg v, std::size_t, std::size_t, Reg) { return v; }
    static FASTMLP_INLINE Reg load_unpadded(const T* p, std::size_t, std::size_t i) {
        return S::load(p + i * S::kLanes);
    }
    static FASTMLP_INLINE Reg sum(Reg v) { return v; }
    static FASTMLP_INLINE Reg max(Reg v) { return v; }

    // Rows beyond `count` repeat the last one.
    static FASTMLP_INLINE const T* open(const T* rows, std::size_t ld, std::size_t count,
                                        std::size_t n, T* scratch) {
        return gather(n, scratch, [=](std::size_t row, std::size_t column) {
            return S::load(rows + (row < count ? row : count - 1) * ld + column);
        });
    }
    static FASTMLP_INLINE const T* open(const T* const* rows, std::size_t count, std::size_t n,
                                        T* scratch) {
        return gather(n, scratch, [=](std::size_t row, std::size_t column) {
            const std::size_t left = n - column;
            return S::load_partial(rows[row < count ? row : count - 1] + column,
                                   left < S::kLanes ? left : S::kLanes);
        });
    }
    static FASTMLP_INLINE T* place(T*, T* scratch) { return scratch; }
    static FASTMLP_INLINE void close(const T* scratch, T* rows, std::size_t ld, std::size_t count) {
        FASTMLP_UNROLL
        for (std::size_t c = 0; c < kPieces; c += S::kLanes) {
            Reg v[S::kLanes];
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < S::kLanes; ++i) {
                v[i] = S::load(scratch + (c + i) * S::kLanes);
            }
            S::transpose(v);
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < S::kLanes; ++i) {
                if (i < count) S::store(rows + i * ld + c, v[i]);
            }
        }
    }

private:
    template <class Load>
    static FASTMLP_INLINE const T* gather(std::size_t n, T* scratch, Load load) {
        FASTMLP_UNROLL
        for (std::size_t c = 0; c < kPieces; c += S::kLanes) {
            if (c >= n) break;
            Reg v[S::kLanes];
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < S::kLanes; ++i) v[i] = load(i, c);
            S::transpose(v);
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < S::kLanes; ++i) {
                S::store(scratch + (c + i) * S::kLanes, v[i]);
            }
        }
        return scratch;
    }
};

/// Rows in the lanes of memory: column c of all rows is at `c * kLanes`, for any number of columns.
template <class S>
struct ByLane : ByColumn<S> {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    static constexpr bool kIsPadded = false;
    static constexpr std::size_t kRows = S::kLanes;

    static FASTMLP_INLINE std::size_t pieces(std::size_t n) { return (n + 15) / 16 * 16; }
    static FASTMLP_INLINE Reg spread(const T* values) { return S::load(values); }
    static FASTMLP_INLINE const T* open(const T* rows, std::size_t, std::size_t, std::size_t, T*) {
        return rows;
    }
    static FASTMLP_INLINE const T* open(const T* const* rows, std::size_t, std::size_t, T*) {
        return rows[0];
    }
    static FASTMLP_INLINE T* place(T* rows, T*) { return rows; }
    static FASTMLP_INLINE void close(const T*, T*, std::size_t, std::size_t) {}
};

/// Sixteen columns of as many rows as there are lanes.
template <class S>
struct Scratch {
    alignas(64) typename S::Scalar at[16 * S::kLanes];
};

/// Calls f(i, j) for every piece i that exists; j = i mod kPieces is a compile-time constant.
template <class Layout, class F>
FASTMLP_INLINE void each_piece(std::size_t n, F f) {
    for (std::size_t i = 0; i < Layout::pieces(n); i += Layout::kPieces) {
        FASTMLP_UNROLL
        for (std::size_t j = 0; j < Layout::kPieces; ++j) {
            if (Layout::empty(n, i + j)) break;
            f(i + j, j);
        }
    }
}

/// The sum along a row: sixteen partial sums, folded by halving.
template <class Layout>
struct RowSum {
    using S = typename Layout::Words;
    using Reg = typename S::Reg;
    Reg part[Layout::kPieces];

    FASTMLP_INLINE RowSum() {
        FASTMLP_UNROLL
        for (std::size_t j = 0; j < Layout::kPieces; ++j) part[j] = S::zero();
    }
    FASTMLP_INLINE void add(std::size_t j, Reg v) { part[j] = S::add(part[j], v); }
    FASTMLP_INLINE void add_square(std::size_t j, Reg v) { part[j] = S::fma(v, v, part[j]); }
    FASTMLP_INLINE void add_product(std::size_t j, Reg a, Reg b) {
        part[j] = S::fma(a, b, part[j]);
    }
    /// Of n columns. Sums of no column are +0, which changes none but -0, whose sign nothing reads.
    FASTMLP_INLINE Reg total(std::size_t n) {
        FASTMLP_UNROLL
        for (std::size_t half = Layout::kPieces / 2; half > 0; half /= 2) {
            if (Layout::empty(n, half)) continue;
            FASTMLP_UNROLL
            for (std::size_t j = 0; j < half; ++j) {
                part[j] = S::add(part[j], part[j + half]);
            }
        }
        return Layout::sum(part[0]);
    }
};

/// Calls f(layout, first row, count) over `rows` rows of n columns.
template <class S, class F>
FASTMLP_INLINE void each_block(std::size_t rows, std::size_t n, F f) {
    constexpr std::size_t kWorthTransposing = 2 + S::kLanes / 8;  // measured
    std::size_t row = 0;
    if constexpr (S::kLanes > 1) {
        while (n <= kNarrow && rows - row >= kWorthTransposing) {
            const std::size_t count = rows - row < S::kLanes ? rows - row : S::kLanes;
            f(ByColumn<S>{}, row, count);
            row += count;
        }
    }
    for (; row < rows; ++row) f(ByRow<S>{}, row, std::size_t{1});
}

/// Where the rows of a loss are: each by itself, or in lanes.
template <class S>
struct RowBlocks {
    static constexpr bool kInLanes = false;
    template <class F>
    static FASTMLP_INLINE void each(std::size_t rows, std::size_t n, F f) {
        each_block<S>(rows, n, f);
    }
};
template <class S>
struct LaneBlocks {
    static constexpr bool kInLanes = true;
    template <class F>
    static FASTMLP_INLINE void each(std::size_t rows, std::size_t, F f) {
        for (std::size_t row = 0; row < rows; row += S::kLanes) f(ByLane<S>{}, row, S::kLanes);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
