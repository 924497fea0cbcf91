/// outer and column_sums: target = target - rate * scale * (a^T v), or the gradient itself: the
/// sums over a batch of (2.6), (2.7), (2.13) and (2.14).
#pragma once

#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
struct OuterArgs {
    std::size_t first_k, first_j, batch, tail;  // tail: lanes of the last vector, 0 for all
    const Scalar<S>* sums;                      // of earlier rows of the batch, or null
    std::size_t lds;
    Scalar<S> scale, rate;
    bool store;
    Scalar<S>* target;
    std::size_t ldt;
};

/// From this batch size on, the target's rows are prefetched: the sums take longer than loading
/// them from memory (1024-2048-2048-1000, batch 256: update 14 % faster).
constexpr std::size_t kWorthPrefetching = 64;

/// How many rows ahead of their use the factors of a tile are prefetched: the rows of a batch are
/// apart, so that no hardware prefetcher follows them into the third-level cache.
constexpr std::size_t kRowsAhead = 8;

/// What this tile will write, and the sums that the tile below it will begin with.
template <class S, bool Continued, int Rows, int Vectors>
FASTMLP_INLINE void prefetch_tile(const OuterArgs<S>& p) {
    const bool in_place = Continued && p.target == p.sums;
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            if constexpr (Continued) {
                S::prefetch_write(p.sums + (Rows + i) * p.lds + j * S::kLanes);
            }
            if (!in_place) S::prefetch_write(p.target + i * p.ldt + j * S::kLanes);
        }
    }
}

/// The two uses of a gradient: applied, or stored. Held by value: otherwise the compiler must
/// assume that a store changes the factors, and would load them again for every vector.
template <class S>
struct Finish {
    Reg<S> scale, rate;

    /// Adding +0 turns -0 into +0, so that all paths give the same zero.
    FASTMLP_INLINE Reg<S> gradient(Reg<S> sum) const {
        return S::add(S::mul(sum, scale), S::zero());
    }
    FASTMLP_INLINE Reg<S> weight(Reg<S> sum, const Scalar<S>* w) const {
        return S::fnma(rate, gradient(sum), S::load(w));
    }
};

/// Continued: from `sums`, else from 0.
template <class S, bool Continued, int Rows, int Vectors>
FASTMLP_INLINE void begin_tile(const OuterArgs<S>& p, Reg<S> (&sum)[Rows][Vectors]) {
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            if constexpr (Continued) {
                sum[i][j] = S::load(p.sums + i * p.lds + j * S::kLanes);
            } else {
                sum[i][j] = S::zero();
            }
        }
    }
}

template <class S, int Rows, int Vectors>
FASTMLP_INLINE void finish_tile(const OuterArgs<S>& p, const Reg<S> (&sum)[Rows][Vectors]) {
    const Finish<S> finish{S::set1(p.scale), S::set1(p.rate)};
    Scalar<S>* target = p.target;
    const std::size_t ldt = p.ldt;
    if (p.store) {
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) {
                S::store(target + i * ldt + j * S::kLanes, finish.gradient(sum[i][j]));
            }
        }
    } else {
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) {
                Scalar<S>* w = target + i * ldt + j * S::kLanes;
                S::store(w, finish.weight(sum[i][j], w));
            }
        }
    }
}

template <class S, bool Continued, int Rows, int Vectors, bool Tail>
__attribute__((noinline)) void outer_tile(const Scalar<S>* const* a, const Scalar<S>* const* v,
                                          const OuterArgs<S>& p) {
    Reg<S> sum[Rows][Vectors];
    begin_tile<S, Continued>(p, sum);
    const std::size_t first_k = p.first_k, first_j = p.first_j;
    if (p.batch >= kWorthPrefetching) prefetch_tile<S, Continued, Rows, Vectors>(p);
    const std::size_t last_ahead = p.batch >= kWorthPrefetching ? p.batch - kRowsAhead : 0;
    for (std::size_t b = 0, batch = p.batch; b < batch; ++b) {
        // Not where a tail's mask takes the last register of AVX2.
        if (!Tail && b < last_ahead) __builtin_prefetch(a[b + kRowsAhead] + first_k + Rows - 1);
        const Scalar<S>* ab = a[b] + first_k;
        const Scalar<S>* vb = v[b] + first_j;
        FASTMLP_PIN_POINTER(ab);
        FASTMLP_PIN_POINTER(vb);
        Reg<S> d[Vectors];
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            Reg<S> loaded = Tail && j == Vectors - 1 ? S::load_partial(vb + j * S::kLanes, p.tail)
                                                     : S::load(vb + j * S::kLanes);
            if constexpr (Rows > 1) S::pin(loaded);
            d[j] = loaded;
        }
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            Reg<S> x = S::set1(ab[i]);
            if constexpr (Vectors > 1) S::pin(x);
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) sum[i][j] = S::fma(x, d[j], sum[i][j]);
        }
    }
    finish_tile<S, Rows, Vectors>(p, sum);
}

template <class S, bool Continued, int Vectors, bool Tail>
void outer_rows(const Scalar<S>* const* a, std::size_t count_k, const Scalar<S>* const* v,
                const OuterArgs<S>& panel) {
    constexpr int kMost = static_cast<int>(tile_rows<S>(Vectors));
    for_each_part(count_k, kMost, [&](std::size_t first, std::size_t size) {
        OuterArgs<S> p = panel;
        p.first_k += first;
        p.target += first * p.ldt;
        if constexpr (Continued) p.sums += first * p.lds;
        with_constant<kMost>(
            size, [&](auto n) { outer_tile<S, Continued, n.value, Vectors, Tail>(a, v, p); });
    });
}

/// The same for a panel of any width.
template <class S, bool Continued>
void outer_panel(const Scalar<S>* const* a, std::size_t count_k, const Scalar<S>* const* v,
                 std::size_t width, const OuterArgs<S>& panel) {
    const std::size_t vectors = (width + S::kLanes - 1) / S::kLanes;
    for_each_part(vectors, S::kVectors, [&](std::size_t first, std::size_t size) {
        const std::size_t j = first * S::kLanes;
        OuterArgs<S> p = panel;
        p.first_j += j;
        p.target += j;
        if constexpr (Continued) p.sums += j;
        with_constant<static_cast<int>(S::kVectors)>(size, [&](auto n) {
            if (p.tail != 0 && first + size == vectors) {
                outer_rows<S, Continued, n.value, true>(a, count_k, v, p);
            } else {
                outer_rows<S, Continued, n.value, false>(a, count_k, v, p);
            }
        });
    });
}

template <class S>
void outer(const Scalar<S>* const* a, std::size_t first_k, std::size_t count_k,
           const Scalar<S>* const* v, std::size_t first_j, std::size_t width, std::size_t batch,
           const Scalar<S>* sums, std::size_t lds, Scalar<S> scale, Scalar<S> rate, bool store,
           Scalar<S>* target, std::size_t ldt) noexcept {
    const OuterArgs<S> panel{first_k, first_j, batch, width % S::kLanes, sums, lds, scale, rate,
                             store,   target,  ldt};
    if (sums == nullptr) {
        outer_panel<S, false>(a, count_k, v, width, panel);
    } else {
        outer_panel<S, true>(a, count_k, v, width, panel);
    }
}

template <class S, bool Continued>
void add_columns(const Scalar<S>* v, std::size_t ldv, std::size_t width,
                 const OuterArgs<S>& panel) {
    constexpr int kMost = 8;
    for_each_part(width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
        const std::size_t j0 = first * S::kLanes;
        OuterArgs<S> p = panel;
        p.target += j0;
        if constexpr (Continued) p.sums += j0;
        with_constant<kMost>(size, [&](auto n) {
            Reg<S> sum[1][n.value];
            begin_tile<S, Continued>(p, sum);
            for (std::size_t b = 0; b < p.batch; ++b) {
                const Scalar<S>* row = v + b * ldv + j0;
                FASTMLP_UNROLL
                for (int j = 0; j < n.value; ++j) {
                    sum[0][j] = S::add(sum[0][j], S::load(row + j * S::kLanes));
                }
            }
            finish_tile<S, 1, n.value>(p, sum);
        });
    });
}

template <class S>
void column_sums(const Scalar<S>* v, std::size_t ldv, std::size_t batch, std::size_t width,
                 const Scalar<S>* sums, Scalar<S> scale, Scalar<S> rate, bool store,
                 Scalar<S>* target) noexcept {
    const OuterArgs<S> panel{0, 0, batch, 0, sums, 0, scale, rate, store, target, 0};
    if (sums == nullptr) {
        add_columns<S, false>(v, ldv, width, panel);
    } else {
        add_columns<S, true>(v, ldv, width, panel);
    }
}

}  // namespace
}  // namespace fastmlp::kernels
