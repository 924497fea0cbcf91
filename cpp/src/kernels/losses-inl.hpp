/// All losses with their deltas, and softmax, compiled per instruction set. `propagation/loss.hpp`
/// chooses the kernel of a loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/attributes.hpp"
#include "kernels/blocks-inl.hpp"
#include "kernels/math-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// Sets pieces that do not exist, up to the next multiple of sixteen columns, to 0.
template <class Layout>
FASTMLP_INLINE void clear_rest(std::size_t n, typename Layout::T* out) {
    using S = typename Layout::Words;
    FASTMLP_UNROLL
    for (std::size_t j = 0; j < Layout::kPieces; ++j) {
        const std::size_t i = Layout::pieces(n) - Layout::kPieces + j;
        if (Layout::kIsPadded && Layout::empty(n, i)) S::store(out + i * S::kLanes, S::zero());
    }
}

/// A softmax before its division: exponentials in memory, and the largest z and the sum of each
/// row.
template <class Layout>
struct Exponentials {
    using S = typename Layout::Words;
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    Reg max, sum;

    FASTMLP_INLINE Exponentials(const T* z, std::size_t n, T* out) {
        const Reg lowest = S::set1(-MathConstants<T>::kInfinity);
        Reg greatest = lowest;
        each_piece<Layout>(n, [&](std::size_t i, std::size_t) {
            const Reg v = Layout::keep(S::load(z + i * S::kLanes), n, i, lowest);
            greatest = S::max(greatest, v);
        });
        max = Layout::max(greatest);
        RowSum<Layout> total;
        each_piece<Layout>(n, [&](std::size_t i, std::size_t j) {
            const Reg e = Math<S>::exp(S::sub(S::load(z + i * S::kLanes), max));
            const Reg kept = Layout::keep(e, n, i, S::zero());
            S::store(out + i * S::kLanes, kept);
            total.add(j, kept);
        });
        sum = total.total(n);
    }
};

/// Labels as rows of targets: 1 in the column of the label, else 0.
template <class Layout>
struct OneHot;

template <class S>
struct OneHot<ByRow<S>> {
    typename S::Scalar window[2 * S::kLanes] = {};
    std::size_t label;

    FASTMLP_INLINE OneHot(const std::int32_t* labels, std::size_t)
        : label(static_cast<std::size_t>(*labels)) {
        window[S::kLanes] = 1;
    }
    FASTMLP_INLINE typename S::Reg operator()(std::size_t i) const {
        const std::size_t lane =
            label - i * S::kLanes;  // wraps around if the label is before piece i
        return lane < S::kLanes ? S::load(window + (S::kLanes - lane)) : S::zero();
    }
};

template <class S>
struct OneHot<ByColumn<S>> {
    typename S::Reg label;

    FASTMLP_INLINE OneHot(const std::int32_t* labels, std::size_t count)
        : label(S::load_int32(labels, count)) {}
    FASTMLP_INLINE typename S::Reg operator()(std::size_t i) const {
        const auto column = S::set1(static_cast<typename S::Scalar>(i));
        return S::select_eq(label, column, S::set1(1), S::zero());
    }
};

template <class S>
struct OneHot<ByLane<S>> : OneHot<ByColumn<S>> {
    using OneHot<ByColumn<S>>::OneHot;
};

/// Softmax, and the cross-entropies that include it: entries of the kernel table, see table.hpp.
template <class S, class Blocks = RowBlocks<S>>
struct SoftmaxLosses {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    static constexpr std::size_t kLanes = S::kLanes;

    static void softmax(const T* z, std::size_t ldz, T* h, std::size_t ldh, std::size_t rows,
                        std::size_t n, T) noexcept {
        Blocks::each(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            Scratch<S> in, scratch;
            T* here = h + row * ldh;
            T* out = L::place(here, scratch.at);
            const Exponentials<L> e(L::open(z + row * ldz, ldz, count, n, in.at), n, out);
            scale(layout, n, e.sum, out);
            L::close(out, here, ldh, count);
        });
    }

    static void cross_entropy_labels(const T* z, std::size_t ldz, const std::int32_t* labels,
                                     std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                     T* losses) noexcept {
        Blocks::each(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            Scratch<S> in, scratch;
            T* here = delta + row * ldd;
            T* out = L::place(here, scratch.at);
            const T* scores = L::open(z + row * ldz, ldz, count, n, in.at);
            const Exponentials<L> e(scores, n, out);
            const Reg log_sum = Math<S>::log_of_sum(e.sum);
            const Reg of_label = subtract_labels(layout, scores, labels + row, n, count, e, out);
            L::close(out, here, ldd, count);
            S::store_partial(losses + row, S::sub(log_sum, S::sub(of_label, e.max)), count);
        });
    }

    static void cross_entropy_smoothed(const T* z, std::size_t ldz, const std::int32_t* labels,
                                       std::size_t rows, std::size_t n, T smoothing, T* delta,
                                       std::size_t ldd, T* losses) noexcept {
        Blocks::each(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            const OneHot<L> wanted(labels + row, count);
            cross_entropy(layout, z + row * ldz, ldz, wanted, count, n, smoothing,
                          delta + row * ldd, ldd, losses + row);
        });
    }

    static void cross_entropy_targets(const T* z, std::size_t ldz, const T* const* targets,
                                      std::size_t rows, std::size_t n, T smoothing, T* delta,
                                      std::size_t ldd, T* losses) noexcept {
        Blocks::each(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            Scratch<S> scratch;
            const T* y = L::open(targets + row, count, n, scratch.at);
            const auto wanted = [=](std::size_t i) { return L::load_unpadded(y, n, i); };
            cross_entropy(layout, z + row * ldz, ldz, wanted, count, n, smoothing,
                          delta + row * ldd, ldd, losses + row);
        });
    }

private:
    /// One block against targets y = (1 - smoothing) wanted(i) + smoothing / n.
    template <class L, class Wanted>
    static FASTMLP_INLINE void cross_entropy(L, const T* z, std::size_t ldz, Wanted wanted,
                                             std::size_t count, std::size_t n, T smoothing,
                                             T* delta, std::size_t ldd, T* losses) {
        Scratch<S> in, scratch;
        T* out = L::place(delta, scratch.at);
        const T* scores = L::open(z, ldz, count, n, in.at);
        const Reg kept = S::set1(T(1) - smoothing), spread = S::set1(smoothing / T(n));
        const auto target = [&](std::size_t i) FASTMLP_INLINE_LAMBDA {
            return L::keep(S::fma(wanted(i), kept, spread), n, i, S::zero());
        };
        const Exponentials<L> e(scores, n, out);
        const Reg log_sum = Math<S>::log_of_sum(e.sum);
        RowSum<L> loss, weight;
        each_piece<L>(n, [&](std::size_t i, std::size_t j) {
            const Reg y = target(i);
            const Reg from_max = S::sub(S::load(scores + i * kLanes), e.max);
            const Reg term = S::mul(y, S::sub(log_sum, from_max));
            loss.add(j, L::keep(term, n, i, S::zero()));
            weight.add(j, y);
        });
        const Reg whole = weight.total(n);
        const Reg inverse = S::div(S::set1(T(1)), e.sum);
        each_piece<L>(n, [&](std::size_t i, std::size_t) {
            const Reg p = S::mul(S::load(out + i * kLanes), inverse);
            const Reg d = S::sub(S::mul(p, whole), target(i));
            S::store(out + i * kLanes, L::keep(d, n, i, S::zero()));
        });
        clear_rest<L>(n, out);
        L::close(out, delta, ldd, count);
        S::store_partial(losses, loss.total(n), count);
    }

    /// Exponentials to probabilities.
    template <class L>
    static FASTMLP_INLINE void scale(L, std::size_t n, Reg sum, T* out) {
        const Reg inverse = S::div(S::set1(T(1)), sum);
        each_piece<L>(n, [&](std::size_t i, std::size_t) {
            const Reg p = S::mul(S::load(out + i * kLanes), inverse);
            S::store(out + i * kLanes, L::keep(p, n, i, S::zero()));
        });
        clear_rest<L>(n, out);
    }

    /// Exponentials to p - [n == label]; returns the scores of the labels.
    static FASTMLP_INLINE Reg subtract_labels(ByRow<S> layout, const T* z,
                                              const std::int32_t* labels, std::size_t n,
                                              std::size_t, const Exponentials<ByRow<S>>& e,
                                              T* out) {
        scale(layout, n, e.sum, out);
        const auto label = static_cast<std::size_t>(*labels);
        out[label] -= T(1);
        return S::set1(z[label]);
    }
    template <class L>
    static FASTMLP_INLINE Reg subtract_labels(L, const T* z, const std::int32_t* labels,
                                              std::size_t n, std::size_t count,
                                              const Exponentials<L>& e, T* out) {
        const Reg label = S::load_int32(labels, count);
        const Reg inverse = S::div(S::set1(T(1)), e.sum);
        Reg of_label = S::zero();
        each_piece<L>(n, [&](std::size_t i, std::size_t) {
            const Reg column = S::set1(static_cast<T>(i));
            const Reg hit = S::select_eq(label, column, S::set1(T(1)), S::zero());
            of_label = S::select_eq(label, column, S::load(z + i * kLanes), of_label);
            const Reg p = S::mul(S::load(out + i * kLanes), inverse);
            S::store(out + i * kLanes, S::sub(p, hit));
        });
        clear_rest<L>(n, out);
        return of_label;
    }
};

/// The losses that are a mean over the outputs: entries of the kernel table, see table.hpp.
template <class S, class Blocks = RowBlocks<S>>
struct MeanLosses {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;

    static void binary_cross_entropy(const T* z, std::size_t ldz, const T* const* targets,
                                     const T* weights, std::size_t rows, std::size_t n, T, T* delta,
                                     std::size_t ldd, T* losses) noexcept {
        each_term(z, ldz, targets, weights, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg linear = S::sub(S::max(x, S::zero()), S::mul(x, y));
                      add(S::add(linear, Math<S>::log1p_exp_minus_abs(x)));
                      return S::sub(Math<S>::sigmoid(x), y);
                  });
    }

    static void poisson(const T* z, std::size_t ldz, const T* const* targets, const T* weights,
                        std::size_t rows, std::size_t n, T, T* delta, std::size_t ldd,
                        T* losses) noexcept {
        each_term(z, ldz, targets, weights, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg mean = Math<S>::exp(x);
                      add(S::fnma(y, x, mean));
                      return S::sub(mean, y);
                  });
    }

    static void mean_squared_error(const T* h, std::size_t ldh, const T* const* targets,
                                   const T* weights, std::size_t rows, std::size_t n, T, T* delta,
                                   std::size_t ldd, T* losses) noexcept {
        each_term(h, ldh, targets, weights, rows, n, T(2) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      add.square(error);
                      return error;
                  });
    }

    static void mean_absolute_error(const T* h, std::size_t ldh, const T* const* targets,
                                    const T* weights, std::size_t rows, std::size_t n, T, T* delta,
                                    std::size_t ldd, T* losses) noexcept {
        each_term(h, ldh, targets, weights, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      add(S::abs(error));
                      return by_sign(error, T(1), T(-1));
                  });
    }

    /// c (error - c / 2) with c the error clipped to +-width: a parabola inside, lines outside.
    static void huber(const T* h, std::size_t ldh, const T* const* targets, const T* weights,
                      std::size_t rows, std::size_t n, T width, T* delta, std::size_t ldd,
                      T* losses) noexcept {
        each_term(h, ldh, targets, weights, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      const Reg cut = S::max(S::set1(-width), S::min(S::set1(width), error));
                      add(S::mul(cut, S::fnma(S::set1(T(0.5)), cut, error)));
                      return cut;
                  });
    }

    /// Minimal if the share q of the targets is below the output.
    static void quantile(const T* h, std::size_t ldh, const T* const* targets, const T* weights,
                         std::size_t rows, std::size_t n, T q, T* delta, std::size_t ldd,
                         T* losses) noexcept {
        each_term(h, ldh, targets, weights, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y), slope = by_sign(error, T(1) - q, -q);
                      add(S::mul(slope, error));
                      return slope;
                  });
    }

private:
    /// `above` if error > 0, `below` if error < 0, else error itself: 0 or NaN.
    static FASTMLP_INLINE Reg by_sign(Reg error, T above, T below) {
        const Reg not_above = S::select_gt(S::zero(), error, S::set1(below), error);
        return S::select_gt(error, S::zero(), S::set1(above), not_above);
    }

    /// Adds the loss of one piece of outputs, or its square, to the sum of the rows.
    template <class L>
    struct Adder {
        RowSum<L>& sum;
        std::size_t n, i, j;

        FASTMLP_INLINE void operator()(Reg loss) const {
            sum.add(j, L::keep(loss, n, i, S::zero()));
        }
        FASTMLP_INLINE void square(Reg error) const {
            sum.add_square(j, L::keep(error, n, i, S::zero()));
        }
    };

    /// The same times the weights of the outputs, which are 0 beyond the last one. Not larger than
    /// a vector of AVX, and without one: clang 16 takes it for an argument of AVX-512 otherwise.
    template <class L>
    struct WeightedAdder {
        RowSum<L>& sum;
        const T* weights;  ///< of this piece,
        std::size_t left;  ///< and their number
        std::size_t j;

        WeightedAdder(RowSum<L>& its_sum, const T* of_all, std::size_t n, std::size_t i,
                      std::size_t its_j)
            : sum(its_sum), weights(of_all + i * kStep), left(n - i * kStep), j(its_j) {}

        FASTMLP_INLINE void operator()(Reg loss) const {
            sum.add(j, counting(S::mul(weight(L{}), loss)));
        }
        FASTMLP_INLINE void square(Reg error) const {
            sum.add_product(j, counting(S::mul(weight(L{}), error)), counting(error));
        }
        /// +0 for an output of weight 0, whatever its loss is.
        FASTMLP_INLINE Reg counting(Reg loss) const {
            return S::select_gt(weight(L{}), S::zero(), loss, S::zero());
        }

    private:
        static constexpr bool kOfLanes = std::is_same_v<L, ByLane<S>>;
        /// Weights of a piece: of its columns, or of the lanes of its column.
        static constexpr std::size_t kStep = kOfLanes ? S::kLanes : 16 / L::kPieces;

        FASTMLP_INLINE Reg weight(ByRow<S>) const {
            return ByRow<S>::load_unpadded(weights, left, 0);
        }
        FASTMLP_INLINE Reg weight(ByColumn<S>) const { return S::set1(weights[0]); }
        FASTMLP_INLINE Reg weight(ByLane<S>) const { return S::load(weights); }
    };

    /// `term(x, y, add)` adds the loss of outputs x against targets y and returns its derivative;
    /// times `scale` this is delta.
    template <class Term>
    static FASTMLP_INLINE void each_term(const T* x, std::size_t ldx, const T* const* targets,
                                         const T* weights, std::size_t rows, std::size_t n, T scale,
                                         T* delta, std::size_t ldd, T* losses, Term term) {
        const auto pass = [=](std::size_t columns, auto adder) FASTMLP_INLINE_LAMBDA {
            Blocks::each(
                rows, columns,
                [=](auto layout, std::size_t row, std::size_t count) FASTMLP_INLINE_LAMBDA {
                    using L = decltype(layout);
                    constexpr std::size_t kLanes = S::kLanes;
                    Scratch<S> in, wanted, scratch;
                    T* here = delta + row * ldd;
                    T* out = L::place(here, scratch.at);
                    const T* values = L::open(x + row * ldx, ldx, count, columns, in.at);
                    const T* y = L::open(targets + row, count, columns, wanted.at);
                    RowSum<L> sum;
                    each_piece<L>(columns, [&](std::size_t i, std::size_t j) {
                        const Reg d =
                            term(S::load(values + i * kLanes), L::load_unpadded(y, columns, i),
                                 adder(layout, sum, i, j));
                        S::store(out + i * kLanes,
                                 L::keep(S::mul(d, S::set1(scale)), columns, i, S::zero()));
                    });
                    clear_rest<L>(columns, out);
                    L::close(out, here, ldd, count);
                    const Reg loss = sum.total(columns);
                    S::store_partial(losses + row,
                                     columns == 1 ? loss : S::div(loss, S::set1(T(columns))),
                                     count);
                });
        };
        const auto plain = [=](auto layout, auto& sum, std::size_t i, std::size_t j) {
            return Adder<decltype(layout)>{sum, n, i, j};
        };
        if (weights == nullptr && Blocks::kInLanes && n == 1) {
            pass(1, plain);  // a constant, so that the compiler drops the sum
        } else if (weights == nullptr) {
            pass(n, plain);
        } else {
            pass(n, [=](auto layout, auto& sum, std::size_t i, std::size_t j) {
                return WeightedAdder<decltype(layout)>(sum, weights, n, i, j);
            });
        }
    }
};

}  // namespace
}  // namespace fastmlp::kernels
