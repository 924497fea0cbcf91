/// The output layer's ends: softmax, and every loss with its delta, compiled per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/blocks-inl.hpp"
#include "kernels/math-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// Pieces that do not exist, up to the next multiple of sixteen columns, become 0.
template <class Layout>
FASTMLP_INLINE void clear_rest(std::size_t n, typename Layout::T* out) {
    using S = typename Layout::Words;
    FASTMLP_UNROLL
    for (std::size_t j = 0; j < Layout::kPieces; ++j) {
        const std::size_t i = Layout::pieces(n) - Layout::kPieces + j;
        if (Layout::empty(n, i)) S::store(out + i * S::kLanes, S::zero());
    }
}

/// A softmax before its division: exponentials in memory, and per row the greatest z and the sum.
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
        sum = total.total();
    }
};

/// The entries of the kernel table, see table.hpp.
template <class S>
struct Output {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    static constexpr std::size_t kLanes = S::kLanes;

    static void softmax(const T* z, std::size_t ldz, T* h, std::size_t ldh, std::size_t rows,
                        std::size_t n) noexcept {
        each_block<S>(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
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
        each_block<S>(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
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

    static void cross_entropy_targets(const T* z, std::size_t ldz, const T* const* targets,
                                      std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                      T* losses) noexcept {
        each_block<S>(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            Scratch<S> in, wanted, scratch;
            T* here = delta + row * ldd;
            T* out = L::place(here, scratch.at);
            const T* scores = L::open(z + row * ldz, ldz, count, n, in.at);
            const T* y = L::open(targets + row, count, n, wanted.at);
            const Exponentials<L> e(scores, n, out);

            const Reg log_sum = Math<S>::log_of_sum(e.sum);
            RowSum<L> loss, weight;
            each_piece<L>(n, [&](std::size_t i, std::size_t j) {
                const Reg v = L::load_unpadded(y, n, i);
                const Reg from_max = S::sub(S::load(scores + i * kLanes), e.max);
                const Reg term = S::mul(v, S::sub(log_sum, from_max));
                loss.add(j, L::keep(term, n, i, S::zero()));
                weight.add(j, v);
            });
            const Reg whole = weight.total();
            const Reg inverse = S::div(S::set1(T(1)), e.sum);
            each_piece<L>(n, [&](std::size_t i, std::size_t) {
                const Reg p = S::mul(S::load(out + i * kLanes), inverse);
                const Reg d = S::sub(S::mul(p, whole), L::load_unpadded(y, n, i));
                S::store(out + i * kLanes, L::keep(d, n, i, S::zero()));
            });
            clear_rest<L>(n, out);
            L::close(out, here, ldd, count);
            S::store_partial(losses + row, loss.total(), count);
        });
    }

    static void binary_cross_entropy(const T* z, std::size_t ldz, const T* const* targets,
                                     std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                     T* losses) noexcept {
        const T per_output = T(1) / T(n);
        each_term(z, ldz, targets, rows, n, delta, ldd, losses,
                  [=](auto layout, Reg x, Reg y, std::size_t i, std::size_t j, auto& loss) {
                      using L = decltype(layout);
                      const Reg linear = S::sub(S::max(x, S::zero()), S::mul(x, y));
                      const Reg term = S::add(linear, Math<S>::log1p_exp_minus_abs(x));
                      loss.add(j, L::keep(term, n, i, S::zero()));
                      return S::mul(S::sub(Math<S>::sigmoid(x), y), S::set1(per_output));
                  });
    }

    static void mean_squared_error(const T* h, std::size_t ldh, const T* const* targets,
                                   std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                   T* losses) noexcept {
        const T two_per_output = T(2) / T(n);
        each_term(h, ldh, targets, rows, n, delta, ldd, losses,
                  [=](auto layout, Reg x, Reg y, std::size_t i, std::size_t j, auto& loss) {
                      using L = decltype(layout);
                      const Reg error = L::keep(S::sub(x, y), n, i, S::zero());
                      loss.add_square(j, error);
                      return S::mul(S::set1(two_per_output), error);
                  });
    }

private:
    /// Losses that are a mean over the outputs: `term` adds to the row's sum and returns delta.
    template <class Term>
    static FASTMLP_INLINE void each_term(const T* x, std::size_t ldx, const T* const* targets,
                                         std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                         T* losses, Term term) {
        each_block<S>(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            Scratch<S> in, wanted, scratch;
            T* here = delta + row * ldd;
            T* out = L::place(here, scratch.at);
            const T* values = L::open(x + row * ldx, ldx, count, n, in.at);
            const T* y = L::open(targets + row, count, n, wanted.at);
            RowSum<L> loss;
            each_piece<L>(n, [&](std::size_t i, std::size_t j) {
                const Reg d = term(layout, S::load(values + i * kLanes), L::load_unpadded(y, n, i),
                                   i, j, loss);
                S::store(out + i * kLanes, L::keep(d, n, i, S::zero()));
            });
            clear_rest<L>(n, out);
            L::close(out, here, ldd, count);
            S::store_partial(losses + row, S::div(loss.total(), S::set1(T(n))), count);
        });
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
    static FASTMLP_INLINE Reg subtract_labels(ByColumn<S>, const T* z, const std::int32_t* labels,
                                              std::size_t n, std::size_t count,
                                              const Exponentials<ByColumn<S>>& e, T* out) {
        const Reg label = S::load_int32(labels, count);
        const Reg inverse = S::div(S::set1(T(1)), e.sum);
        Reg of_label = S::zero();
        each_piece<ByColumn<S>>(n, [&](std::size_t i, std::size_t) {
            const Reg column = S::set1(static_cast<T>(i));
            const Reg hit = S::select_eq(label, column, S::set1(T(1)), S::zero());
            of_label = S::select_eq(label, column, S::load(z + i * kLanes), of_label);
            const Reg p = S::mul(S::load(out + i * kLanes), inverse);
            S::store(out + i * kLanes, S::sub(p, hit));
        });
        clear_rest<ByColumn<S>>(n, out);
        return of_label;
    }
};

}  // namespace
}  // namespace fastmlp::kernels
