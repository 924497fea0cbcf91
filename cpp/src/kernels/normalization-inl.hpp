/// Layer and batch normalisation, forward and backward, compiled per instruction set.
///
/// Layer normalisation sums along a row, by `tree16`, of one row or of those in the lanes; batch
/// normalisation along a column, over the batch in order, with columns in the lanes.
#pragma once

#include <cstddef>

#include "kernels/attributes.hpp"
#include "kernels/blocks-inl.hpp"
#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
FASTMLP_INLINE Reg<S> inverse_deviation(Reg<S> variance, Scalar<S> epsilon) {
    return S::div(S::set1(Scalar<S>(1)), S::sqrt(S::add(variance, S::set1(epsilon))));
}

/// The entries of the kernel table for layers, see table.hpp; `Row` is `ByRow` or `ByLane`.
template <class Row>
struct LayerNormalization {
    using S = typename Row::Words;
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    static constexpr std::size_t kLanes = S::kLanes;

    static void normalize(T* z, std::size_t ldz, std::size_t rows, std::size_t n, T epsilon,
                          const T* scales, const T* shifts, T* normalized, std::size_t ldn,
                          T* inverses) noexcept {
        const Reg count = S::set1(T(n));
        for (std::size_t r = 0; r < rows; r += Row::kRows) {
            RowSum<Row> sum, squares;
            each_piece<Row>(n, [&](std::size_t i, std::size_t j) {
                sum.add(j, Row::keep(S::load(z + i * kLanes), n, i, S::zero()));
            });
            const Reg mean = S::div(sum.total(n), count);
            each_piece<Row>(n, [&](std::size_t i, std::size_t j) {
                const Reg error = S::sub(S::load(z + i * kLanes), mean);
                squares.add_square(j, Row::keep(error, n, i, S::zero()));
            });
            const Reg inverse = inverse_deviation<S>(S::div(squares.total(n), count), epsilon);
            S::store_partial(inverses + r, inverse, Row::kRows);
            each_piece<Row>(n, [&](std::size_t i, std::size_t) {
                const std::size_t c = i * kLanes;
                const Reg error = S::mul(S::sub(S::load(z + c), mean), inverse);
                const Reg x = Row::keep(error, n, i, S::zero());
                S::store(normalized + c, x);
                S::store(z + c, S::fma(x, S::load(scales + c), S::load(shifts + c)));
            });
            z += Row::kRows * ldz, normalized += Row::kRows * ldn;
        }
    }

    static void backward(const T* delta, std::size_t ldd, std::size_t rows, std::size_t n,
                         const T* scales, const T* normalized, std::size_t ldn, const T* inverses,
                         T* out, std::size_t ldo) noexcept {
        const Reg count = S::set1(T(n));
        for (std::size_t r = 0; r < rows; r += Row::kRows) {
            RowSum<Row> sum, products;
            each_piece<Row>(n, [&](std::size_t i, std::size_t j) {
                const std::size_t c = i * kLanes;
                const Reg d = S::mul(S::load(delta + c), S::load(scales + c));
                const Reg kept = Row::keep(d, n, i, S::zero());
                sum.add(j, kept);
                products.add_product(j, kept, S::load(normalized + c));
            });
            const Reg mean = S::div(sum.total(n), count);
            const Reg mean_product = S::div(products.total(n), count);
            const Reg inverse = Row::spread(inverses + r);
            each_piece<Row>(n, [&](std::size_t i, std::size_t) {
                const std::size_t c = i * kLanes;
                const Reg d = S::mul(S::load(delta + c), S::load(scales + c));
                const Reg rest = S::fnma(S::load(normalized + c), mean_product, S::sub(d, mean));
                S::store(out + c, Row::keep(S::mul(rest, inverse), n, i, S::zero()));
            });
            delta += Row::kRows * ldd, normalized += Row::kRows * ldn, out += Row::kRows * ldo;
        }
    }
};

/// The same for batches.
template <class S>
struct BatchNormalization {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;
    static constexpr std::size_t kLanes = S::kLanes;

    static void moments(const T* z, std::size_t ldz, std::size_t batch, std::size_t width, T* means,
                        T* variances) noexcept {
        const Reg count = S::set1(T(batch));
        each_panel(width, [&](auto size, std::size_t first) {
            constexpr int kVectors = size.value;
            Reg mean[kVectors], square[kVectors];
            sum_rows<kVectors>(batch, mean, [&](std::size_t b, std::size_t j, Reg sum) {
                return S::add(sum, S::load(z + b * ldz + first + j * kLanes));
            });
            FASTMLP_UNROLL
            for (int j = 0; j < kVectors; ++j) mean[j] = S::div(mean[j], count);
            sum_rows<kVectors>(batch, square, [&](std::size_t b, std::size_t j, Reg sum) {
                const Reg error = S::sub(S::load(z + b * ldz + first + j * kLanes), mean[j]);
                return S::fma(error, error, sum);
            });
            FASTMLP_UNROLL
            for (int j = 0; j < kVectors; ++j) {
                S::store(means + first + j * kLanes, mean[j]);
                S::store(variances + first + j * kLanes, S::div(square[j], count));
            }
        });
    }

    static void normalize(T* z, std::size_t ldz, std::size_t rows, std::size_t width, T epsilon,
                          const T* means, const T* variances, const T* scales, const T* shifts,
                          T* normalized, std::size_t ldn) noexcept {
        for (std::size_t c = 0; c < width; c += kLanes) {
            const Reg inverse = inverse_deviation<S>(S::load(variances + c), epsilon);
            const Reg mean = S::load(means + c);
            const Reg scale = S::load(scales + c), shift = S::load(shifts + c);
            for (std::size_t r = 0; r < rows; ++r) {
                const Reg x = S::mul(S::sub(S::load(z + r * ldz + c), mean), inverse);
                S::store(normalized + r * ldn + c, x);
                S::store(z + r * ldz + c, S::fma(x, scale, shift));
            }
        }
    }

    static void backward(const T* delta, std::size_t ldd, std::size_t rows, std::size_t width,
                         T epsilon, const T* variances, const T* scales, const T* normalized,
                         std::size_t ldn, const T* mean_deltas, const T* mean_products, T* out,
                         std::size_t ldo) noexcept {
        for (std::size_t c = 0; c < width; c += kLanes) {
            const Reg inverse = inverse_deviation<S>(S::load(variances + c), epsilon);
            const Reg factor = S::mul(S::load(scales + c), inverse);
            const Reg mean = S::load(mean_deltas + c), product = S::load(mean_products + c);
            for (std::size_t r = 0; r < rows; ++r) {
                const Reg d = S::sub(S::load(delta + r * ldd + c), mean);
                const Reg rest = S::fnma(S::load(normalized + r * ldn + c), product, d);
                S::store(out + r * ldo + c, S::mul(rest, factor));
            }
        }
    }

    static void column_dots(const T* a, std::size_t lda, const T* v, std::size_t ldv,
                            std::size_t batch, std::size_t width, const T* sums, T scale,
                            T* out) noexcept {
        const Reg factor = S::set1(scale);
        each_panel(width, [&](auto size, std::size_t first) {
            Reg dot[size.value];
            FASTMLP_UNROLL
            for (int j = 0; j < size.value; ++j) {
                dot[j] = sums ? S::load(sums + first + j * kLanes) : S::zero();
            }
            add_rows<size.value>(batch, dot, [&](std::size_t b, std::size_t j, Reg sum) {
                const std::size_t c = first + j * kLanes;
                return S::fma(S::load(a + b * lda + c), S::load(v + b * ldv + c), sum);
            });
            FASTMLP_UNROLL
            for (int j = 0; j < size.value; ++j) {
                S::store(out + first + j * kLanes, S::add(S::mul(dot[j], factor), S::zero()));
            }
        });
    }

private:
    /// Calls f(vectors, first column) for panels whose sums fit in registers.
    template <class F>
    static FASTMLP_INLINE void each_panel(std::size_t width, F f) {
        constexpr int kMost = 8;
        for_each_part(width / kLanes, kMost, [&](std::size_t first, std::size_t size) {
            with_constant<kMost>(size, [&](auto n) { f(n, first * kLanes); });
        });
    }

    /// sum[j] = add(b, j, sum[j]) for the rows b in order, from +0.
    template <int kVectors, class Add>
    static FASTMLP_INLINE void sum_rows(std::size_t batch, Reg (&sum)[kVectors], Add add) {
        FASTMLP_UNROLL
        for (int j = 0; j < kVectors; ++j) sum[j] = S::zero();
        add_rows<kVectors>(batch, sum, add);
    }

    /// The same from what is there.
    template <int kVectors, class Add>
    static FASTMLP_INLINE void add_rows(std::size_t batch, Reg (&sum)[kVectors], Add add) {
        for (std::size_t b = 0; b < batch; ++b) {
            FASTMLP_UNROLL
            for (int j = 0; j < kVectors; ++j) {
                sum[j] = add(b, static_cast<std::size_t>(j), sum[j]);
            }
        }
    }
};

}  // namespace
}  // namespace fastmlp::kernels
