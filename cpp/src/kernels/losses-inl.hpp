/// The losses that are a mean over the outputs, with their deltas, compiled per instruction set.
#pragma once

#include "kernels/output-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// The entries of the kernel table, see table.hpp.
template <class S>
struct MeanLosses {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;

    static void binary_cross_entropy(const T* z, std::size_t ldz, const T* const* targets,
                                     std::size_t rows, std::size_t n, T, T* delta, std::size_t ldd,
                                     T* losses) noexcept {
        each_term(z, ldz, targets, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg linear = S::sub(S::max(x, S::zero()), S::mul(x, y));
                      add(S::add(linear, Math<S>::log1p_exp_minus_abs(x)));
                      return S::sub(Math<S>::sigmoid(x), y);
                  });
    }

    static void poisson(const T* z, std::size_t ldz, const T* const* targets, std::size_t rows,
                        std::size_t n, T, T* delta, std::size_t ldd, T* losses) noexcept {
        each_term(z, ldz, targets, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg mean = Math<S>::exp(x);
                      add(S::fnma(y, x, mean));
                      return S::sub(mean, y);
                  });
    }

    static void mean_squared_error(const T* h, std::size_t ldh, const T* const* targets,
                                   std::size_t rows, std::size_t n, T, T* delta, std::size_t ldd,
                                   T* losses) noexcept {
        each_term(h, ldh, targets, rows, n, T(2) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      add.square(error);
                      return error;
                  });
    }

    static void mean_absolute_error(const T* h, std::size_t ldh, const T* const* targets,
                                    std::size_t rows, std::size_t n, T, T* delta, std::size_t ldd,
                                    T* losses) noexcept {
        each_term(h, ldh, targets, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      add(S::abs(error));
                      return by_sign(error, T(1), T(-1));
                  });
    }

    /// c (error - c / 2) with c the error clipped to +-width: a parabola inside, lines outside.
    static void huber(const T* h, std::size_t ldh, const T* const* targets, std::size_t rows,
                      std::size_t n, T width, T* delta, std::size_t ldd, T* losses) noexcept {
        each_term(h, ldh, targets, rows, n, T(1) / T(n), delta, ldd, losses,
                  [=](Reg x, Reg y, auto add) {
                      const Reg error = S::sub(x, y);
                      const Reg cut = S::max(S::set1(-width), S::min(S::set1(width), error));
                      add(S::mul(cut, S::fnma(S::set1(T(0.5)), cut, error)));
                      return cut;
                  });
    }

    /// Minimal if the share q of the targets is below the output.
    static void quantile(const T* h, std::size_t ldh, const T* const* targets, std::size_t rows,
                         std::size_t n, T q, T* delta, std::size_t ldd, T* losses) noexcept {
        each_term(h, ldh, targets, rows, n, T(1) / T(n), delta, ldd, losses,
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

    /// `term(x, y, add)` adds the loss of outputs x against targets y and returns its derivative;
    /// times `scale` this is delta.
    template <class Term>
    static FASTMLP_INLINE void each_term(const T* x, std::size_t ldx, const T* const* targets,
                                         std::size_t rows, std::size_t n, T scale, T* delta,
                                         std::size_t ldd, T* losses, Term term) {
        each_block<S>(rows, n, [=](auto layout, std::size_t row, std::size_t count) {
            using L = decltype(layout);
            constexpr std::size_t kLanes = S::kLanes;
            Scratch<S> in, wanted, scratch;
            T* here = delta + row * ldd;
            T* out = L::place(here, scratch.at);
            const T* values = L::open(x + row * ldx, ldx, count, n, in.at);
            const T* y = L::open(targets + row, count, n, wanted.at);
            RowSum<L> sum;
            each_piece<L>(n, [&](std::size_t i, std::size_t j) {
                const Reg d = term(S::load(values + i * kLanes), L::load_unpadded(y, n, i),
                                   Adder<L>{sum, n, i, j});
                S::store(out + i * kLanes, L::keep(S::mul(d, S::set1(scale)), n, i, S::zero()));
            });
            clear_rest<L>(n, out);
            L::close(out, here, ldd, count);
            S::store_partial(losses + row, S::div(sum.total(), S::set1(T(n))), count);
        });
    }
};

}  // namespace
}  // namespace fastmlp::kernels
