/// Networks side by side, one in each lane of a vector, compiled per instruction set.
///
/// No sum runs across lanes, so every product is a loop over vectors. An output is the sum of the
/// other kernels: a chain in order, or sixteen chains folded by halving (`lane_tree`). Rows are
/// `ld` vectors apart. Over 400 lines, as it has all kernels of `LaneKernels` but the losses.
#pragma once

#include "kernels/losses-inl.hpp"
#include "kernels/normalization-inl.hpp"
#include "kernels/optimizer-inl.hpp"
#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// Rows and columns of a tile of sums: what fits in the registers, with the operands. Batches are
/// computed in multiples of four rows, but gradients have any number of them.
template <class S>
constexpr int kLaneRows = 4;
template <class S>
constexpr int kGradientRows = S::kRows * S::kVectors >= 24 ? 5 : 4;
template <class S>
constexpr int kLaneCols = S::kRows * S::kVectors >= 24 ? 4 : 2;
/// The same where parts of a tree wait in registers, or few of them in memory: with four columns,
/// the rows are read half as often from the L2 cache as with two.
template <class S>
constexpr int kTreeCols = S::kRows * S::kVectors >= 24 ? 4 : 1;
constexpr int kTreeRows = 2;
/// The most inputs whose weights stay in registers, those of an output, or of kShortCols up to 8.
template <class S>
constexpr int kShort = S::kRows * S::kVectors >= 24 ? 24 : 8;
template <class S>
constexpr int kShortCols = S::kRows * S::kVectors >= 24 ? 2 : 1;

/// Calls f(row, column, rows, columns) for tiles of at most kRows times kCols, rows innermost; the
/// last two are compile-time constants.
template <int kRows, int kCols, class F>
FASTMLP_INLINE void each_tile(std::size_t rows, std::size_t cols, F f) {
    for_each_part(cols, kCols, [&](std::size_t c, std::size_t width) {
        with_constant<kCols>(width, [&](auto few) {
            std::size_t r = 0;
            for (; r + kRows <= rows; r += kRows) f(r, c, Constant<kRows>{}, few);
            for (; r < rows; ++r) f(r, c, Constant<1>{}, few);
        });
    });
}

/// The same with the rows divided evenly, where they are rarely a multiple of kRows.
template <int kRows, int kCols, class F>
FASTMLP_INLINE void each_even_tile(std::size_t rows, std::size_t cols, F f) {
    const std::size_t parts = (rows + kRows - 1) / kRows, least = rows / parts;
    const std::size_t longer = rows % parts * (least + 1);  // rows of the tiles with one more
    for_each_part(cols, kCols, [&](std::size_t c, std::size_t width) {
        with_constant<kCols>(width, [&](auto few) {
            std::size_t r = 0;
            while (r < rows) {
                const std::size_t end = r < longer ? longer : rows;
                with_constant<kRows>(r < longer ? least + 1 : least, [&](auto some) {
                    for (; r < end; r += some.value) f(r, c, some, few);
                });
            }
        });
    });
}

/// Factors of the products of a tile's passes: in each, vector i is `across` vectors from the one
/// before; the next pass is `along` vectors further.
template <class S>
struct Factors {
    const Scalar<S>* first;
    std::size_t across, along;

    FASTMLP_INLINE Reg<S> operator()(int i) const {
        return S::load(first + i * across * S::kLanes);
    }
    FASTMLP_INLINE void next() { first += along * S::kLanes; }
};

/// One pass of a tile over its sums: sum[i][j] += a(i) * b(j); then done(i, sum[i]), row by row.
template <class S, int Rows, int Cols, class A, class B, class Done>
FASTMLP_INLINE void multiply_add(Reg<S> (&sum)[Rows][Cols], A a, B b, Done done) {
    Reg<S> factor[Cols];
    FASTMLP_UNROLL
    for (int j = 0; j < Cols; ++j) {
        Reg<S> loaded = b(j);
        if constexpr (Rows > 1) S::pin(loaded);
        factor[j] = loaded;
    }
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        Reg<S> x = a(i);
        if constexpr (Cols > 1) S::pin(x);
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) sum[i][j] = S::fma(x, factor[j], sum[i][j]);
        done(i, sum[i]);
    }
}
template <class S, int Rows, int Cols, class A, class B>
FASTMLP_INLINE void multiply_add(Reg<S> (&sum)[Rows][Cols], A a, B b) {
    multiply_add<S>(sum, a, b, [](int, const Reg<S>(&)[Cols]) FASTMLP_INLINE_LAMBDA {});
}

template <class S, int Rows, int Cols>
FASTMLP_INLINE void clear(Reg<S> (&sum)[Rows][Cols]) {
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) sum[i][j] = S::zero();
    }
}

template <class S, int Rows, int Cols>
FASTMLP_INLINE void load(const Scalar<S>* from, std::size_t ldf, Reg<S> (&sum)[Rows][Cols]) {
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) sum[i][j] = S::load(from + (i * ldf + j) * S::kLanes);
    }
}

template <class S, int Rows, int Cols>
FASTMLP_INLINE void put(const Reg<S> (&sum)[Rows][Cols], Scalar<S>* out, std::size_t ldo) {
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) S::store(out + (i * ldo + j) * S::kLanes, sum[i][j]);
    }
}

/// Stores z, or relu of it.
template <class S, int Rows, int Cols>
FASTMLP_INLINE void put_nodes(Reg<S> (&z)[Rows][Cols], bool relu, Scalar<S>* out, std::size_t ldo) {
    if (relu) {
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int j = 0; j < Cols; ++j) z[i][j] = S::relu(z[i][j]);
        }
    }
    put<S>(z, out, ldo);
}

/// The chains kFirst, kFirst + kStep, ... below 16, folded; those from k on are empty, and +0.
template <class S, int kFirst, int kStep, int Rows, int Cols>
FASTMLP_INLINE void lane_tree(const Scalar<S>* x, std::size_t ldx, std::size_t k,
                              const Scalar<S>* w, std::size_t ldw, Reg<S> (&sum)[Rows][Cols]) {
    if constexpr (kStep == 16) {
        clear<S>(sum);
        for (std::size_t at = kFirst; at < k; at += 16) {
            multiply_add<S>(
                sum,
                [=](int i)
                    FASTMLP_INLINE_LAMBDA { return S::load(x + (i * ldx + at) * S::kLanes); },
                [=](int j)
                    FASTMLP_INLINE_LAMBDA { return S::load(w + (at * ldw + j) * S::kLanes); });
        }
    } else {
        lane_tree<S, kFirst, 2 * kStep>(x, ldx, k, w, ldw, sum);
        if (kFirst + kStep >= k) return;
        Reg<S> other[Rows][Cols];
        lane_tree<S, kFirst + kStep, 2 * kStep>(x, ldx, k, w, ldw, other);
        FASTMLP_UNROLL
        for (int i = 0; i < Rows; ++i) {
            FASTMLP_UNROLL
            for (int j = 0; j < Cols; ++j) sum[i][j] = S::add(sum[i][j], other[i][j]);
        }
    }
}

/// What a sum of k products is added to: the bias. An empty chain, or one padded with zeros, is
/// never -0; nor is the sum then. Here it may be: -0 and a bias that is not -0 have the sum of +0
/// and the bias.
template <class S, int Cols>
FASTMLP_INLINE void narrow_start(const Scalar<S>* bias, std::size_t k, Reg<S> (&start)[Cols]) {
    FASTMLP_UNROLL
    for (int j = 0; j < Cols; ++j) {
        start[j] = S::load(bias + j * S::kLanes);
        if (k % 16 != 0) start[j] = S::add(start[j], S::zero());
    }
}

/// `lane_tree` with the weights in registers.
template <class S, int kFirst, int kStep, int K, int Cols>
FASTMLP_INLINE void product_tree(const Scalar<S>* x, const Reg<S> (&w)[K][Cols],
                                 Reg<S> (&sum)[Cols]) {
    if constexpr (kStep == 16) {
        FASTMLP_UNROLL
        for (int k = kFirst; k < K; k += 16) {
            const Reg<S> node = S::load(x + k * S::kLanes);
            FASTMLP_UNROLL
            for (int j = 0; j < Cols; ++j) {
                // A chain makes +0 of -0, a product does not: `narrow_start` hides that unless K is
                // a multiple of 16.
                sum[j] = k == kFirst && K % 16 != 0
                             ? S::mul(node, w[k][j])
                             : S::fma(node, w[k][j], k == kFirst ? S::zero() : sum[j]);
            }
        }
    } else {
        product_tree<S, kFirst, 2 * kStep>(x, w, sum);
        if constexpr (kFirst + kStep < (K < 16 ? K : 16)) {
            Reg<S> other[Cols];
            product_tree<S, kFirst + kStep, 2 * kStep>(x, w, other);
            FASTMLP_UNROLL
            for (int j = 0; j < Cols; ++j) sum[j] = S::add(sum[j], other[j]);
        }
    }
}

/// `lane_narrow_forward` of K inputs: the weights of `Cols` outputs stay in registers.
template <class S, int K, int Cols>
FASTMLP_INLINE void lane_short_forward(const Scalar<S>* x, std::size_t ldx, std::size_t rows,
                                       const Scalar<S>* w, std::size_t ldw, const Scalar<S>* bias,
                                       bool relu, Scalar<S>* z, std::size_t ldz) {
    Reg<S> weights[K][Cols], start[1][Cols];
    load<S>(w, ldw, weights);
    narrow_start<S>(bias, K, start[0]);
    for (std::size_t b = 0; b < rows; ++b, x += ldx * S::kLanes, z += ldz * S::kLanes) {
        Reg<S> sum[1][Cols];
        product_tree<S, 0, 1>(x, weights, sum[0]);
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) sum[0][j] = S::add(sum[0][j], start[0][j]);
        put_nodes<S>(sum, relu, z, ldz);
    }
}

template <class S>
void lane_narrow_forward(const Scalar<S>* x, std::size_t ldx, std::size_t rows, std::size_t k,
                         const Scalar<S>* w, std::size_t ldw, const Scalar<S>* bias, std::size_t n,
                         bool relu, Scalar<S>* z, std::size_t ldz) {
    constexpr std::size_t kL = S::kLanes;
    if (k <= kShort<S>) {
        return with_constant<kShort<S>>(k, [=](auto inputs) {
            constexpr int kCols = inputs.value <= 8 ? kShortCols<S> : 1;
            for_each_part(n, kCols, [=](std::size_t j, std::size_t width) FASTMLP_INLINE_LAMBDA {
                with_constant<kCols>(width, [=](auto cols) FASTMLP_INLINE_LAMBDA {
                    lane_short_forward<S, inputs.value, cols.value>(
                        x, ldx, rows, w + j * kL, ldw, bias + j * kL, relu, z + j * kL, ldz);
                });
            });
        });
    }
    each_tile<kTreeRows, kTreeCols<S>>(
        rows, n, [=](std::size_t b, std::size_t j0, auto height, auto width) FASTMLP_INLINE_LAMBDA {
            Reg<S> sum[height.value][width.value], start[width.value];
            lane_tree<S, 0, 1>(x + b * ldx * kL, ldx, k, w + j0 * kL, ldw, sum);
            narrow_start<S>(bias + j0 * kL, k, start);
            FASTMLP_UNROLL
            for (int i = 0; i < height.value; ++i) {
                FASTMLP_UNROLL
                for (int j = 0; j < width.value; ++j) {
                    sum[i][j] = S::add(sum[i][j], start[j]);
                }
            }
            put_nodes<S>(sum, relu, z + (b * ldz + j0) * kL, ldz);
        });
}

/// `lane_forward` of more than kNarrow outputs; `rule` is applied to them.
template <class S, class Rule>
FASTMLP_INLINE void lane_wide_forward(const Scalar<S>* x, std::size_t ldx, std::size_t rows,
                                      std::size_t k, const Scalar<S>* w, std::size_t ldw,
                                      const Scalar<S>* bias, std::size_t n, Rule rule, Scalar<S>* z,
                                      std::size_t ldz) {
    constexpr std::size_t kL = S::kLanes;
    each_tile<kLaneRows<S>, kLaneCols<S>>(
        rows, n, [=](std::size_t b, std::size_t j0, auto height, auto width) FASTMLP_INLINE_LAMBDA {
            Reg<S> sum[height.value][width.value];
            FASTMLP_UNROLL
            for (int i = 0; i < height.value; ++i) {
                FASTMLP_UNROLL
                for (int j = 0; j < width.value; ++j) sum[i][j] = S::load(bias + (j0 + j) * kL);
            }
            Factors<S> nodes{x + b * ldx * kL, ldx, 1}, weights{w + j0 * kL, 1, ldw};
            for (std::size_t at = 1; at < k; ++at, nodes.next(), weights.next()) {
                multiply_add<S>(sum, nodes, weights);
            }
            // Rows that are stored as soon as they are complete do not keep the next tile waiting.
            Scalar<S>* const out = z + (b * ldz + j0) * kL;
            const auto store = [=](int i, const Reg<S>(&row)[width.value]) FASTMLP_INLINE_LAMBDA {
                FASTMLP_UNROLL
                for (int j = 0; j < width.value; ++j) {
                    S::store(out + (i * ldz + j) * kL, rule(row[j]));
                }
            };
            multiply_add<S>(sum, nodes, weights, store);
        });
}

template <class S>
void lane_forward(const Scalar<S>* x, std::size_t ldx, std::size_t rows, std::size_t k,
                  const Scalar<S>* w, std::size_t ldw, const Scalar<S>* bias, std::size_t n,
                  bool relu, Scalar<S>* z, std::size_t ldz) noexcept {
    if (n <= kNarrow) return lane_narrow_forward<S>(x, ldx, rows, k, w, ldw, bias, n, relu, z, ldz);
    const auto with = [=](auto rule) FASTMLP_INLINE_LAMBDA {
        lane_wide_forward<S>(x, ldx, rows, k, w, ldw, bias, n, rule, z, ldz);
    };
    if (relu) return with([](Reg<S> v) FASTMLP_INLINE_LAMBDA { return S::relu(v); });
    with([](Reg<S> v) FASTMLP_INLINE_LAMBDA { return v; });
}

/// Multiplies by the slopes of relu, which its nodes tell.
template <class S>
FASTMLP_INLINE Reg<S> sloped(const Scalar<S>* relu, std::size_t at, Reg<S> v) {
    return relu ? S::relu_mask(S::load(relu + at), v) : v;
}

/// `lane_backward` of one output: the weights of `Cols` inputs stay in registers.
template <class S, int Cols>
FASTMLP_INLINE void backward_of_one(const Scalar<S>* delta, std::size_t ldd, std::size_t rows,
                                    const Scalar<S>* w, std::size_t ldw, const Scalar<S>* relu,
                                    Scalar<S>* out, std::size_t ldo) {
    constexpr std::size_t kL = S::kLanes;
    Reg<S> weights[Cols][1];
    load<S>(w, ldw, weights);
    for (std::size_t b = 0, at = 0; b < rows; ++b, at += ldo * kL) {
        const Reg<S> d = S::load(delta + b * ldd * kL);
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) {
            const Reg<S> product = S::fma(d, weights[j][0], S::zero());
            S::store(out + at + j * kL, sloped<S>(relu, at + j * kL, product));
        }
    }
}

template <class S>
void lane_backward(const Scalar<S>* delta, std::size_t ldd, std::size_t rows, std::size_t n,
                   const Scalar<S>* w, std::size_t ldw, std::size_t k, const Scalar<S>* relu,
                   Scalar<S>* out, std::size_t ldo) noexcept {
    constexpr std::size_t kL = S::kLanes;
    constexpr int kFew = 2 * S::kVectors;  // more would not stay in registers
    if (n == 1) {
        return for_each_part(k, kFew, [=](std::size_t j, std::size_t width) FASTMLP_INLINE_LAMBDA {
            with_constant<kFew>(width, [=](auto cols) FASTMLP_INLINE_LAMBDA {
                backward_of_one<S, cols.value>(delta, ldd, rows, w + j * ldw * kL, ldw,
                                               relu ? relu + j * kL : nullptr, out + j * kL, ldo);
            });
        });
    }
    each_tile<kLaneRows<S>, kLaneCols<S>>(
        rows, k, [=](std::size_t b, std::size_t j0, auto height, auto width) FASTMLP_INLINE_LAMBDA {
            Reg<S> sum[height.value][width.value];
            clear<S>(sum);
            Factors<S> deltas{delta + b * ldd * kL, ldd, 1}, weights{w + j0 * ldw * kL, ldw, 1};
            for (std::size_t at = 0; at < n; ++at, deltas.next(), weights.next()) {
                multiply_add<S>(sum, deltas, weights);
            }
            const std::size_t at = (b * ldo + j0) * kL;
            if (relu) {
                FASTMLP_UNROLL
                for (int i = 0; i < height.value; ++i) {
                    FASTMLP_UNROLL
                    for (int j = 0; j < width.value; ++j) {
                        const Reg<S> h = S::load(relu + at + (i * ldo + j) * kL);
                        sum[i][j] = S::relu_mask(h, sum[i][j]);
                    }
                }
            }
            put<S>(sum, out + at, ldo);
        });
}

/// One tile of `lane_gradients`; the first one of its columns adds up the biases', too, beside the
/// products.
template <class S, int Rows, int Cols>
FASTMLP_INLINE void gradient_tile(const Scalar<S>* x, std::size_t ldx, const Scalar<S>* delta,
                                  std::size_t ldd, std::size_t rows, bool continued, Scalar<S>* w,
                                  std::size_t ldw, Scalar<S>* bias) {
    Reg<S> sum[Rows][Cols], bias_sum[1][Cols];
    clear<S>(sum);
    clear<S>(bias_sum);
    if (continued) load<S>(w, ldw, sum);
    if (continued && bias) load<S>(bias, 0, bias_sum);
    Factors<S> nodes{x, 1, ldx}, deltas{delta, 1, ldd};
    for (std::size_t b = 0; b < rows; ++b, nodes.next(), deltas.next()) {
        multiply_add<S>(sum, nodes, deltas);
        if (!bias) continue;
        FASTMLP_UNROLL
        for (int j = 0; j < Cols; ++j) bias_sum[0][j] = S::add(bias_sum[0][j], deltas(j));
    }
    put<S>(sum, w, ldw);
    if (bias) put<S>(bias_sum, bias, 0);
}

/// The same, apart from the loops over tiles: gcc 12 moves less of it out of them then.
template <class S, int Rows, int Cols>
FASTMLP_NOINLINE void gradient_tile_apart(const Scalar<S>* x, std::size_t ldx,
                                          const Scalar<S>* delta, std::size_t ldd, std::size_t rows,
                                          bool continued, Scalar<S>* w, std::size_t ldw,
                                          Scalar<S>* bias) {
    gradient_tile<S, Rows, Cols>(x, ldx, delta, ldd, rows, continued, w, ldw, bias);
}

template <class S>
void lane_gradients(const Scalar<S>* x, std::size_t ldx, const Scalar<S>* delta, std::size_t ldd,
                    std::size_t rows, std::size_t k, std::size_t n, bool continued, Scalar<S>* w,
                    std::size_t ldw, Scalar<S>* bias) noexcept {
    constexpr std::size_t kL = S::kLanes;
    if (n == 1) {  // chains enough to hide their latency
        return each_tile<8, 1>(
            k, 1, [=](std::size_t i, std::size_t, auto height, auto) FASTMLP_INLINE_LAMBDA {
                gradient_tile<S, height.value, 1>(x + i * kL, ldx, delta, ldd, rows, continued,
                                                  w + i * ldw * kL, ldw, i == 0 ? bias : nullptr);
            });
    }
    each_even_tile<kGradientRows<S>, kLaneCols<S>>(
        k, n, [=](std::size_t i, std::size_t j, auto height, auto width) FASTMLP_INLINE_LAMBDA {
            gradient_tile_apart<S, height.value, width.value>(
                x + i * kL, ldx, delta + j * kL, ldd, rows, continued, w + (i * ldw + j) * kL, ldw,
                i == 0 ? bias + j * kL : nullptr);
        });
}

/// Samples whose rows are found together.
constexpr std::size_t kFound = 16;

/// out[c] = column c of a row of each lane; that of lane i is at rows[i * kFound]. Columns before
/// the last ones may be copied twice, as no row is read past its end.
template <class S>
FASTMLP_INLINE void gather_sample(const typename S::Scalar* const* rows, std::size_t cols,
                                  typename S::Scalar* out) {
    constexpr std::size_t kL = S::kLanes, kAtOnce = S::kColumns;
    if (cols < kAtOnce) {
        for (std::size_t c = 0; c < cols; ++c, out += kL) {
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < kL; ++i) out[i] = rows[i * kFound][c];
        }
        return;
    }
    for (std::size_t c = 0; c < cols; c += kAtOnce) {
        const std::size_t first = c + kAtOnce <= cols ? c : cols - kAtOnce;
        FASTMLP_PIN_POINTER(rows);  // gcc would keep sixteen addresses in vector registers
        typename S::Reg v[kAtOnce];
        S::load_columns(rows, kFound, first, v);
        FASTMLP_UNROLL
        for (std::size_t j = 0; j < kAtOnce; ++j) S::store(out + (first + j) * kL, v[j]);
    }
}

/// Entry of the kernel table, see table.hpp. Rows are found lane by lane, whose data then stay in
/// registers.
template <class S>
void lane_gather(const LaneSource<typename S::Scalar>* sources, std::size_t first,
                 std::size_t count, std::size_t cols, typename S::Scalar* out,
                 std::size_t ldo) noexcept {
    constexpr std::size_t kL = S::kLanes;
    const typename S::Scalar* rows[kL][kFound];
    for (std::size_t b = 0; b < count; b += kFound) {
        const std::size_t some = count - b < kFound ? count - b : kFound;
        for (std::size_t i = 0; i < kL; ++i) {
            const auto source = sources[i];
            for (std::size_t r = 0; r < some; ++r) rows[i][r] = source.row(first + b + r);
        }
        for (std::size_t r = 0; r < some; ++r, out += ldo * kL) {
            gather_sample<S>(rows[0] + r, cols, out);
        }
    }
}

template <class S>
void lane_update(const UpdateRule<Scalar<S>>& rule, const LaneRule<Scalar<S>>& by,
                 std::size_t count, const Scalar<S>* sums, Scalar<S>* w, Scalar<S>* first_moment,
                 Scalar<S>* second_moment) noexcept {
    const Rule<S> words(rule, by);
    const Reg<S> factor = S::load(by.scale);
    const Updated<S> to{1, count * S::kLanes, w, first_moment, second_moment, 0};
    with_rule(rule, [&](auto chosen) {
        for (std::size_t i = 0; i < to.width; i += S::kLanes) {
            const Reg<S> g = S::add(S::mul(S::load(sums + i), factor), S::zero());
            update_vector<decltype(chosen)>(words, to, i, g, WholeVectors<S>{});
        }
    });
}

template <class S>
constexpr LaneKernels<Scalar<S>> lane_kernels() {
    using Softmax = SoftmaxLosses<S, LaneBlocks<S>>;
    using Mean = MeanLosses<S, LaneBlocks<S>>;
    return {
        .lanes = S::kLanes,
        .gather = lane_gather<S>,
        .forward = lane_forward<S>,
        .backward = lane_backward<S>,
        .gradients = lane_gradients<S>,
        .update = lane_update<S>,
        .layer_normalize = LayerNormalization<ByLane<S>>::normalize,
        .layer_normalize_backward = LayerNormalization<ByLane<S>>::backward,
        .cross_entropy_labels = Softmax::cross_entropy_labels,
        .cross_entropy_smoothed = Softmax::cross_entropy_smoothed,
        .cross_entropy_targets = Softmax::cross_entropy_targets,
        .binary_cross_entropy = Mean::binary_cross_entropy,
        .poisson = Mean::poisson,
        .mean_squared_error = Mean::mean_squared_error,
        .mean_absolute_error = Mean::mean_absolute_error,
        .huber = Mean::huber,
        .quantile = Mean::quantile,
    };
}

}  // namespace
}  // namespace fastmlp::kernels
