/// product: out = epilogue(init + a w), rows of a batch times a panel of weights.
#pragma once

#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// From this many bytes on, a panel of weights is read from the second-level cache again for every
/// tile, and prefetched (1024-1024-1024-10, batch 512: a step is 5 % faster with 2 MiB of it).
constexpr std::size_t kBeyondFirstCache = std::size_t{64} << 10;

/// How many rows of the panel ahead of their use.
constexpr std::size_t kDepthAhead = 8;

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

/// What a tile reads soon, or nothing: beyond the last row of a panel that does no harm.
template <class S, int Rows, int Vectors>
FASTMLP_INLINE void prefetch_ahead(const Scalar<S>* p, bool is_far) {
    constexpr std::size_t kLine = 64 / sizeof(Scalar<S>);
    if (Rows == 1 || Vectors == 1 || !is_far) return;
    FASTMLP_UNROLL
    for (std::size_t j = 0; j < Vectors * S::kLanes; j += kLine) __builtin_prefetch(p + j);
}

template <class S, int Rows, int Vectors>
__attribute__((noinline)) void product_tile(const Scalar<S>* const* a, const ProductArgs<S>& p) {
    Reg<S> sum[Rows][Vectors];
    FASTMLP_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            sum[i][j] = p.init ? S::load(p.init + j * S::kLanes)
                               : S::load(p.out + i * p.ldo + j * S::kLanes);
        }
    }
    const Scalar<S>* row[Rows];
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) row[i] = a[i] + p.first_k;
    const Scalar<S>* w = p.w;
    const std::size_t ldw = p.ldw;
    const bool is_far = p.count_k * Vectors * sizeof(Reg<S>) > kBeyondFirstCache;
    for (std::size_t k = 0, count = p.count_k; k < count; ++k, w += ldw) {
        prefetch_ahead<S, Rows, Vectors>(w + kDepthAhead * ldw, is_far);
        Reg<S> b[Vectors];
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) {
            Reg<S> loaded = S::load(w + j * S::kLanes);
            if constexpr (Rows > 1) S::pin(loaded);
            b[j] = loaded;
        }
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            Reg<S> x = S::set1(row[i][k]);
            if constexpr (Vectors > 1) S::pin(x);
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) sum[i][j] = S::fma(x, b[j], sum[i][j]);
        }
    }
    const Epilogue epilogue = p.epilogue;
    if (epilogue == Epilogue::kRelu) {
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) sum[i][j] = S::relu(sum[i][j]);
        }
    } else if (epilogue == Epilogue::kReluMask) {
        const Scalar<S>* nodes = p.nodes;
        const std::size_t ldn = p.ldn;
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i, nodes += ldn) {
            FASTMLP_UNROLL
            for (int j = 0; j < Vectors; ++j) {
                sum[i][j] = S::relu_mask(S::load(nodes + j * S::kLanes), sum[i][j]);
            }
        }
    }
    Scalar<S>* out = p.out;
    const std::size_t ldo = p.ldo;
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i, out += ldo) {
        FASTMLP_UNROLL
        for (int j = 0; j < Vectors; ++j) S::store(out + j * S::kLanes, sum[i][j]);
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
        with_constant<kMost>(size,
                             [&](auto n) { product_tile<S, n.value, Vectors>(a + first, p); });
    });
}

template <class S>
void product(const Scalar<S>* const* a, std::size_t rows, std::size_t first_k, std::size_t count_k,
             const Scalar<S>* w, std::size_t ldw, const Scalar<S>* init, std::size_t width,
             Scalar<S>* out, std::size_t ldo, Epilogue epilogue, const Scalar<S>* nodes,
             std::size_t ldn) noexcept {
    const auto panel = [&](std::size_t first_vector) {
        const std::size_t j = first_vector * S::kLanes;
        return ProductArgs<S>{first_k, count_k, w + j,    ldw,       init ? init + j : nullptr,
                              out + j, ldo,     epilogue, nodes + j, ldn};
    };
    if (rows == 1) {  // all chains of the row together: one fma chain has a latency of 4 cycles
        constexpr int kMost = static_cast<int>(S::kRows * S::kVectors / 3);
        for_each_part(width / S::kLanes, kMost, [&](std::size_t first, std::size_t size) {
            with_constant<kMost>(size,
                                 [&](auto n) { product_tile<S, 1, n.value>(a, panel(first)); });
        });
        return;
    }
    for_each_part(width / S::kLanes, S::kVectors, [&](std::size_t first, std::size_t size) {
        with_constant<static_cast<int>(S::kVectors)>(
            size, [&](auto n) { product_rows<S, n.value>(a, rows, panel(first)); });
    });
}

}  // namespace
}  // namespace fastmlp::kernels
