/// Layers of at most 16 outputs, compiled per instruction set.
///
/// With lanes over so few outputs most lanes would be idle, so these layers sum by k mod 16:
/// sixteen partial fma chains (k zero-padded to a multiple of 16), folded by halving: r with r+8,
/// r+4, r+2, r+1. `narrow_forward` keeps the sixteen chains in the lanes of a vector, with
/// transposed weights; `narrow_forward_natural` keeps them in sixteen registers, with weights in
/// natural order. Both give the same bits.
#pragma once

#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// The number of vectors for sixteen partial sums.
template <class S>
constexpr std::size_t kParts = 16 / S::kLanes;

/// Outputs summed together: as many as fit in registers, at most what one `reduce` takes.
template <class S>
constexpr std::size_t kSlots = [] {
    const std::size_t fit = S::kRows * S::kVectors / kParts<S>;
    return fit == 0 ? std::size_t{1} : fit < S::kLanes ? fit : S::kLanes;
}();

/// Folds the kParts vectors of a slot into one, by halving.
template <class S>
FASTMLP_INLINE Reg<S> fold(Reg<S>* part) {
    FASTMLP_UNROLL
    for (std::size_t half = kParts<S> / 2; half > 0; half /= 2) {
        FASTMLP_UNROLL
        for (std::size_t r = 0; r < half; ++r) part[r] = S::add(part[r], part[r + half]);
    }
    return part[0];
}

template <class S>
struct NarrowArgs {
    std::size_t count_k;
    const Scalar<S>* wt;
    std::size_t ldt;
    const Scalar<S>* bias;
    Scalar<S>* out;
    std::size_t ldo;
};

/// Stores the sums of `Rows` rows times `Outputs` outputs, slot i * Outputs + o.
template <class S, int Rows, int Outputs>
FASTMLP_INLINE void store_sums(Reg<S> sums, const NarrowArgs<S>& p, Scalar<S>* out) {
    if constexpr (Rows == 1 && S::kLanes == kPad) {
        S::store(out, S::add(sums, S::load(p.bias)));
    } else if constexpr (Rows == 1) {
        S::store_partial(out, S::add(sums, S::load_partial(p.bias, Outputs)), Outputs);
    } else {
        alignas(64) Scalar<S> slots[S::kLanes];
        S::store(slots, sums);
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int o = 0; o < Outputs; ++o) {
                out[i * p.ldo + o] = slots[i * Outputs + o] + p.bias[o];
            }
        }
    }
}

/// `Rows` rows times `Outputs` outputs; k runs in steps of sixteen.
template <class S, int Rows, int Outputs>
FASTMLP_INLINE void narrow_tile(const Scalar<S>* const* a, const NarrowArgs<S>& p, Scalar<S>* out) {
    constexpr int kP = static_cast<int>(kParts<S>);
    Reg<S> sum[Rows * Outputs][kP];
    FASTMLP_UNROLL
    for (int s = 0; s < Rows * Outputs; ++s) {
        FASTMLP_UNROLL
        for (int part = 0; part < kP; ++part) sum[s][part] = S::zero();
    }
    const auto accumulate = [&](std::size_t k, auto load) FASTMLP_INLINE_LAMBDA {
        FASTMLP_UNROLL
        for (int part = 0; part < kP; ++part) {
            Reg<S> x[Rows];
            FASTMLP_UNROLL
            for (int i = 0; i < Rows; ++i) x[i] = load(a[i], part);
            FASTMLP_UNROLL
            for (int o = 0; o < Outputs; ++o) {
                Reg<S> w = S::load(p.wt + o * p.ldt + k + part * S::kLanes);
                if constexpr (Rows > 1) S::pin(w);
                FASTMLP_UNROLL
                for (int i = 0; i < Rows; ++i) {
                    sum[i * Outputs + o][part] = S::fma(x[i], w, sum[i * Outputs + o][part]);
                }
            }
        }
    };
    std::size_t k = 0;
    for (; k + 16 <= p.count_k; k += 16) {
        accumulate(k, [&](const Scalar<S>* row, int part)
                          FASTMLP_INLINE_LAMBDA { return S::load(row + k + part * S::kLanes); });
    }
    if (k < p.count_k) {
        accumulate(k, [&](const Scalar<S>* row, int part) FASTMLP_INLINE_LAMBDA {
            const std::size_t done = part * S::kLanes, left = p.count_k - k;
            const std::size_t lanes = left <= done ? 0 : left - done;
            return S::load_partial(row + k + done, lanes < S::kLanes ? lanes : S::kLanes);
        });
    }
    Reg<S> folded[Rows * Outputs];
    FASTMLP_UNROLL
    for (int s = 0; s < Rows * Outputs; ++s) folded[s] = fold<S>(sum[s]);
    store_sums<S, Rows, Outputs>(S::reduce(folded, Rows * Outputs), p, out);
}

template <class S, int Outputs>
__attribute__((noinline)) void narrow_rows(const Scalar<S>* const* a, std::size_t rows,
                                           const NarrowArgs<S>& p) {
    constexpr int kFit = static_cast<int>(kSlots<S>) / Outputs;
    constexpr int kRows = kFit < 1 ? 1 : kFit < 8 ? kFit : 8;
    std::size_t i = 0;
    for (; i + kRows <= rows; i += kRows) {
        narrow_tile<S, kRows, Outputs>(a + i, p, p.out + i * p.ldo);
    }
    if constexpr (kRows > 1) {
        for (; i < rows; ++i) narrow_tile<S, 1, Outputs>(a + i, p, p.out + i * p.ldo);
    }
}

template <class S>
void narrow_forward(const Scalar<S>* const* a, std::size_t rows, std::size_t k, const Scalar<S>* wt,
                    std::size_t ldt, const Scalar<S>* bias, std::size_t n, Scalar<S>* out,
                    std::size_t ldo) noexcept {
    constexpr int kMost = static_cast<int>(kSlots<S>);
    for_each_part(n, kMost, [&](std::size_t first, std::size_t size) {
        const NarrowArgs<S> p{k, wt + first * ldt, ldt, bias + first, out + first, ldo};
        with_constant<kMost>(size,
                             [&](auto outputs) { narrow_rows<S, outputs.value>(a, rows, p); });
    });
}

/// Eight of the sixteen chains, r = first..first+3 and r + 8, already folded to four.
template <class S>
FASTMLP_INLINE void natural_half(const Scalar<S>* x, std::size_t count_k, const Scalar<S>* w,
                                 std::size_t ldw, std::size_t first, Reg<S>* folded) {
    Reg<S> sum[8];
    FASTMLP_UNROLL
    for (int c = 0; c < 8; ++c) sum[c] = S::zero();
    std::size_t k = 0;
    for (; k + 16 <= count_k; k += 16) {
        FASTMLP_UNROLL
        for (int c = 0; c < 8; ++c) {
            const std::size_t at = k + first + (c % 4) + (c / 4) * 8;
            sum[c] = S::fma(S::set1(x[at]), S::load(w + at * ldw), sum[c]);
        }
    }
    if (k < count_k) {
        FASTMLP_UNROLL
        for (int c = 0; c < 8; ++c) {
            const std::size_t at = k + first + (c % 4) + (c / 4) * 8;
            sum[c] = at < count_k ? S::fma(S::set1(x[at]), S::load(w + at * ldw), sum[c])
                                  : S::fma(S::zero(), S::zero(), sum[c]);
        }
    }
    FASTMLP_UNROLL
    for (int c = 0; c < 4; ++c) folded[c] = S::add(sum[c], sum[c + 4]);
}

template <class S>
void narrow_forward_natural(const Scalar<S>* const* a, std::size_t rows, std::size_t k,
                            const Scalar<S>* w, std::size_t ldw, const Scalar<S>* bias,
                            std::size_t n, Scalar<S>* out, std::size_t ldo) noexcept {
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < n; j += S::kLanes) {
            Reg<S> low[4], high[4];
            natural_half<S>(a[i], k, w + j, ldw, 0, low);
            natural_half<S>(a[i], k, w + j, ldw, 4, high);
            FASTMLP_UNROLL
            for (int c = 0; c < 4; ++c) low[c] = S::add(low[c], high[c]);
            const Reg<S> total = S::add(S::add(low[0], low[2]), S::add(low[1], low[3]));
            S::store(out + i * ldo + j, S::add(total, S::load(bias + j)));
        }
    }
}

/// Full blocks in registers; the last rows in a zero-filled block.
template <class S>
void transpose(const Scalar<S>* from, std::size_t ldf, std::size_t rows, std::size_t cols,
               Scalar<S>* to, std::size_t ldt) noexcept {
    constexpr std::size_t kL = S::kLanes;
    for (std::size_t r = 0; r < round_up(rows, kPad); r += kL) {
        if (r + kL <= rows) {
            for (std::size_t c = 0; c < cols; c += kL) {
                S::transpose_block(from + r * ldf + c, ldf, to + c * ldt + r, ldt);
            }
            continue;
        }
        alignas(64) Scalar<S> block[kL * kL];
        for (std::size_t c = 0; c < cols; c += kL) {
            for (std::size_t i = 0; i < kL; ++i) {
                S::store(block + i * kL,
                         r + i < rows ? S::load(from + (r + i) * ldf + c) : S::zero());
            }
            S::transpose_block(block, kL, to + c * ldt + r, ldt);
        }
    }
}

}  // namespace
}  // namespace fastmlp::kernels
