/// The first layer with sparse rows: the chains of product, narrow_forward and outer without the
/// terms of zeros that are not stored.
#pragma once

#include "kernels/outer-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// Vectors of one row of weights that are summed together.
constexpr std::size_t kSparseVectors = 8;

/// Calls f(first column, compile-time number of vectors) for the columns of a row.
template <class S, class F>
FASTMLP_INLINE void each_sparse_panel(std::size_t width, F f) {
    constexpr int kMost = static_cast<int>(kSparseVectors);
    for_each_part(width / S::kLanes, kSparseVectors, [&](std::size_t first, std::size_t size) {
        with_constant<kMost>(size, [&](auto n) { f(first * S::kLanes, n); });
    });
}

template <class S>
void sparse_product(const std::int32_t* columns, const Scalar<S>* values, std::size_t count,
                    const Scalar<S>* w, std::size_t ldw, const Scalar<S>* init, std::size_t width,
                    Scalar<S>* out) noexcept {
    each_sparse_panel<S>(width, [&](std::size_t first, auto n) {
        Reg<S> sum[n.value];
        FASTMLP_UNROLL
        for (int j = 0; j < n.value; ++j) sum[j] = S::load(init + first + j * S::kLanes);
        for (std::size_t i = 0; i < count; ++i) {
            const Reg<S> x = S::set1(values[i]);
            const Scalar<S>* row = w + static_cast<std::size_t>(columns[i]) * ldw + first;
            FASTMLP_UNROLL
            for (int j = 0; j < n.value; ++j) {
                sum[j] = S::fma(x, S::load(row + j * S::kLanes), sum[j]);
            }
        }
        FASTMLP_UNROLL
        for (int j = 0; j < n.value; ++j) S::store(out + first + j * S::kLanes, sum[j]);
    });
}

/// Each of the sixteen chains is a row of sixteen outputs.
template <class S>
void sparse_narrow(const std::int32_t* columns, const Scalar<S>* values, std::size_t count,
                   const Scalar<S>* w, std::size_t step_k, std::size_t step_n,
                   const Scalar<S>* bias, std::size_t n, Scalar<S>* out) noexcept {
    alignas(64) Scalar<S> sum[16][kPad] = {}, row[kPad] = {};
    for (std::size_t i = 0; i < count; ++i) {
        const auto k = static_cast<std::size_t>(columns[i]);
        for (std::size_t c = 0; c < n; ++c) row[c] = w[k * step_k + c * step_n];
        const Reg<S> x = S::set1(values[i]);
        Scalar<S>* chain = sum[k % 16];
        FASTMLP_UNROLL
        for (std::size_t c = 0; c < kPad; c += S::kLanes) {
            S::store(chain + c, S::fma(x, S::load(row + c), S::load(chain + c)));
        }
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
        for (std::size_t r = 0; r < half; ++r) {
            FASTMLP_UNROLL
            for (std::size_t c = 0; c < kPad; c += S::kLanes) {
                S::store(sum[r] + c, S::add(S::load(sum[r] + c), S::load(sum[r + half] + c)));
            }
        }
    }
    FASTMLP_UNROLL
    for (std::size_t c = 0; c < kPad; c += S::kLanes) {
        S::store(out + c, S::add(S::load(sum[0] + c), S::load(bias + c)));
    }
}

template <class S>
void sparse_outer(const std::uint32_t* rows, const Scalar<S>* values, std::size_t count,
                  const Scalar<S>* v, std::size_t ldv, std::size_t width, Scalar<S> scale,
                  Scalar<S> rate, bool store, Scalar<S>* target) noexcept {
    each_sparse_panel<S>(width, [&](std::size_t first, auto n) {
        Reg<S> sum[1][n.value];
        FASTMLP_UNROLL
        for (int j = 0; j < n.value; ++j) sum[0][j] = S::zero();
        for (std::size_t i = 0; i < count; ++i) {
            const Reg<S> x = S::set1(values[i]);
            const Scalar<S>* row = v + rows[i] * ldv + first;
            FASTMLP_UNROLL
            for (int j = 0; j < n.value; ++j) {
                sum[0][j] = S::fma(x, S::load(row + j * S::kLanes), sum[0][j]);
            }
        }
        const OuterArgs<S> p{0, 0, 0, 0, nullptr, 0, scale, rate, store, target + first, 0};
        finish_tile<S, 1, n.value>(p, sum);
    });
}

}  // namespace
}  // namespace fastmlp::kernels
