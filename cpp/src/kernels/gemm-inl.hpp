/// Matrix products, compiled once per instruction set over its vector words `S`.
///
/// Lanes run over outputs, so every output is one in-order fma chain whatever the tile: `Rows` x
/// `Vectors` accumulators stay in registers while the reduction index runs innermost. Narrow layers
/// are the one exception; they sum by k mod 16 (`narrow_forward`, both forms).
///
/// `S::pin` hides a loaded vector from gcc 12, which otherwise folds the load into each of its uses
/// (one load per fma instead of one per tile column; 25 % slower). It must see a scalar temporary:
/// pinning an array element sends the whole array to the stack.
#pragma once

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
using Reg = typename S::Reg;
template <class S>
using Scalar = typename S::Scalar;

constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/// Rows of the register tile for a panel of `vectors` vectors: about 24 accumulators, and at most 8
/// row pointers, beyond which they no longer fit the general registers.
template <class S>
constexpr std::size_t tile_rows(std::size_t vectors) {
    const std::size_t rows = S::kRows * S::kVectors / vectors;
    return rows > 8 ? 8 : rows;
}

/// Calls f(first, size) for `count` items in the fewest parts of at most `most`, sizes equalised, so
/// that no part is a thin remainder.
template <class F>
FASTMLP_INLINE void for_each_part(std::size_t count, std::size_t most, F f) {
    std::size_t parts = (count + most - 1) / most;
    for (std::size_t first = 0; parts > 0; --parts) {
        const std::size_t size = (count - first + parts - 1) / parts;
        f(first, size);
        first += size;
    }
}

/// Calls f with the compile-time constant `n`, 1 <= n <= kMost.
template <int N>
struct Constant {
    static constexpr int value = N;
};
template <int kMost, class F>
FASTMLP_INLINE void with_constant(std::size_t n, F f) {
    if constexpr (kMost > 1) {
        if (n < kMost) return with_constant<kMost - 1>(n, f);
    }
    f(Constant<kMost>{});
}

// ---- product: out = epilogue(init + a w) -------------------------------------------------------

template <class S>
struct ProductArgs {
    std::size_t first_k, count_k;
    const Scalar<S>* w;
    std::size_t ldw;
    const Scalar<S>* init;
    Scalar<S>* out;
    std::size_t ldo;
    Epilogue epilogue;
    const Scalar<S>* nodes;
    std::size_t ldn;
};

template <class S, int Rows, int Vectors>
__attribute__((noinline)) void product_tile(const Scalar<S>* const* a, const ProductArgs<S>& p) {
    Reg<S> sum[Rows][Vectors];
    FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            sum[i][j] = p.init ? S::load(p.init + j * S::kLanes)
                               : S::load(p.out + i * p.ldo + j * S::kLanes);
        }
    }
    const Scalar<S>* row[Rows];
    FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) row[i] = a[i] + p.first_k;
    const Scalar<S>* w = p.w;
    const std::size_t ldw = p.ldw;
    for (std::size_t k = 0, count = p.count_k; k < count; ++k, w += ldw) {
        Reg<S> b[Vectors];
        FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
            Reg<S> loaded = S::load(w + j * S::kLanes);
            if constexpr (Rows > 1) S::pin(loaded);
            b[j] = loaded;
        }
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            Reg<S> x = S::set1(row[i][k]);
            if constexpr (Vectors > 1) S::pin(x);
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = S::fma(x, b[j], sum[i][j]);
        }
    }
    if (p.epilogue == Epilogue::kRelu) {
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = S::relu(sum[i][j]);
        }
    } else if (p.epilogue == Epilogue::kReluMask) {
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
                sum[i][j] = S::relu_mask(S::load(p.nodes + i * p.ldn + j * S::kLanes), sum[i][j]);
            }
        }
    }
    FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
            S::store(p.out + i * p.ldo + j * S::kLanes, sum[i][j]);
        }
    }
}

/// All rows of one panel of `Vectors` vectors.
template <class S, int Vectors>
void product_rows(const Scalar<S>* const* a, std::size_t rows, const ProductArgs<S>& panel) {
    constexpr int kMost = static_cast<int>(tile_rows<S>(Vectors));
    for_each_part(rows, kMost, [&](std::size_t first, std::size_t size) {
        ProductArgs<S> p = panel;
        p.out += first * p.ldo;
        p.nodes += first * p.ldn;
        with_constant<kMost>(size, [&](auto n) { product_tile<S, n.value, Vectors>(a + first, p); });
    });
}

template <class S>
void product(const Scalar<S>* const* a, std::size_t rows, std::size_t first_k, std::size_t count_k,
             const Scalar<S>* w, std::size_t ldw, const Scalar<S>* init, std::size_t width,
             Scalar<S>* out, std::size_t ldo, Epilogue epilogue, const Scalar<S>* nodes,
             std::size_t ldn) noexcept {
    const auto panel = [&](std::size_t first_vector) {
        const std::size_t j = first_vector * S::kLanes;
        return ProductArgs<S>{first_k, count_k,  w + j, ldw,       init ? init + j : nullptr,
                              out + j, ldo,      epilogue, nodes + j, ldn};
    };
    if (rows == 1) {  // all the chains one row has: a single fma chain waits 4 cycles a step
        constexpr int kMost = static_cast<int>(S::kRows * S::kVectors / 3);
        for_each_part(width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
            with_constant<kMost>(
                size, [&](auto n) { product_tile<S, 1, n.value>(a, panel(first)); });
        });
        return;
    }
    for_each_part(width / S::kLanes, S::kVectors, [&](std::size_t first, std::size_t size) {
        with_constant<static_cast<int>(S::kVectors)>(
            size, [&](auto n) { product_rows<S, n.value>(a, rows, panel(first)); });
    });
}

// ---- outer: target = target - rate * scale * a^T v, or the gradient itself -----------------------

template <class S>
struct OuterArgs {
    std::size_t first_k, first_j, batch, tail;  // tail: lanes of the last vector, 0 for all
    Scalar<S> scale, rate;
    bool store;
    Scalar<S>* target;
    std::size_t ldt;
};

/// The two ends of a gradient. Held by value: a store could otherwise change the factors, for all
/// the compiler knows, and it would fetch them anew for every vector.
template <class S>
struct Finish {
    Reg<S> scale, rate;

    FASTMLP_INLINE Reg<S> gradient(Reg<S> sum) const { return S::mul(sum, scale); }
    FASTMLP_INLINE Reg<S> weight(Reg<S> sum, const Scalar<S>* w) const {
        return S::fnma(rate, gradient(sum), S::load(w));
    }
};

template <class S, int Rows, int Vectors>
FASTMLP_INLINE void finish_tile(const OuterArgs<S>& p, const Reg<S> (&sum)[Rows][Vectors]) {
    const Finish<S> finish{S::set1(p.scale), S::set1(p.rate)};
    Scalar<S>* target = p.target;
    const std::size_t ldt = p.ldt;
    if (p.store) {
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
                S::store(target + i * ldt + j * S::kLanes, finish.gradient(sum[i][j]));
            }
        }
    } else {
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
                Scalar<S>* w = target + i * ldt + j * S::kLanes;
                S::store(w, finish.weight(sum[i][j], w));
            }
        }
    }
}

template <class S, int Rows, int Vectors, bool Tail>
__attribute__((noinline)) void outer_tile(const Scalar<S>* const* a, const Scalar<S>* const* v,
                                          const OuterArgs<S>& p) {
    Reg<S> sum[Rows][Vectors];
    FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = S::zero();
    }
    const std::size_t first_k = p.first_k, first_j = p.first_j;
    for (std::size_t b = 0, batch = p.batch; b < batch; ++b) {
        const Scalar<S>* ab = a[b] + first_k;
        const Scalar<S>* vb = v[b] + first_j;
        FASTMLP_PIN_POINTER(ab);
        FASTMLP_PIN_POINTER(vb);
        Reg<S> d[Vectors];
        FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) {
            Reg<S> loaded = Tail && j == Vectors - 1 ? S::load_partial(vb + j * S::kLanes, p.tail)
                                                     : S::load(vb + j * S::kLanes);
            if constexpr (Rows > 1) S::pin(loaded);
            d[j] = loaded;
        }
        FASTMLP_UNROLL for (int i = 0; i < Rows; ++i) {
            Reg<S> x = S::set1(ab[i]);
            if constexpr (Vectors > 1) S::pin(x);
            FASTMLP_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = S::fma(x, d[j], sum[i][j]);
        }
    }
    finish_tile<S, Rows, Vectors>(p, sum);
}

template <class S, int Vectors, bool Tail>
void outer_rows(const Scalar<S>* const* a, std::size_t count_k, const Scalar<S>* const* v,
                const OuterArgs<S>& panel) {
    constexpr int kMost = static_cast<int>(tile_rows<S>(Vectors));
    for_each_part(count_k, kMost, [&](std::size_t first, std::size_t size) {
        OuterArgs<S> p = panel;
        p.first_k += first;
        p.target += first * p.ldt;
        with_constant<kMost>(size, [&](auto n) { outer_tile<S, n.value, Vectors, Tail>(a, v, p); });
    });
}

template <class S>
void outer(const Scalar<S>* const* a, std::size_t first_k, std::size_t count_k,
           const Scalar<S>* const* v, std::size_t first_j, std::size_t width, std::size_t batch,
           Scalar<S> scale, Scalar<S> rate, bool store, Scalar<S>* target,
           std::size_t ldt) noexcept {
    const std::size_t vectors = (width + S::kLanes - 1) / S::kLanes;
    const std::size_t tail = width % S::kLanes;
    for_each_part(vectors, S::kVectors, [&](std::size_t first, std::size_t size) {
        const std::size_t j = first * S::kLanes;
        const OuterArgs<S> panel{first_k, first_j + j, batch, tail,
                                 scale,   rate,        store, target + j, ldt};
        with_constant<static_cast<int>(S::kVectors)>(size, [&](auto n) {
            if (tail != 0 && first + size == vectors) {
                outer_rows<S, n.value, true>(a, count_k, v, panel);
            } else {
                outer_rows<S, n.value, false>(a, count_k, v, panel);
            }
        });
    });
}

template <class S>
void column_sums(const Scalar<S>* v, std::size_t ldv, std::size_t batch, std::size_t width,
                 Scalar<S> scale, Scalar<S> rate, bool store, Scalar<S>* target) noexcept {
    constexpr int kMost = 8;
    for_each_part(width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
        const std::size_t j0 = first * S::kLanes;
        const OuterArgs<S> p{0, 0, batch, 0, scale, rate, store, target + j0, 0};
        with_constant<kMost>(size, [&](auto n) {
            Reg<S> sum[1][n.value];
            FASTMLP_UNROLL for (int j = 0; j < n.value; ++j) sum[0][j] = S::zero();
            for (std::size_t b = 0; b < batch; ++b) {
                const Scalar<S>* row = v + b * ldv + j0;
                FASTMLP_UNROLL for (int j = 0; j < n.value; ++j) {
                    sum[0][j] = S::add(sum[0][j], S::load(row + j * S::kLanes));
                }
            }
            finish_tile<S, 1, n.value>(p, sum);
        });
    });
}

}  // namespace
}  // namespace fastmlp::kernels
