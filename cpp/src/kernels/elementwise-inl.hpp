/// Activations, their derivatives and whole-array kernels, compiled per instruction set.
#pragma once

#include <cstddef>

#include "kernels/attributes.hpp"
#include "kernels/math-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// h[r][c] = f(z[r][c], parameter); rows are padded, so every vector is full.
template <class S, typename S::Reg (*Function)(typename S::Reg, typename S::Reg)>
void forward_by(const typename S::Scalar* z, std::size_t ldz, typename S::Scalar* h,
                std::size_t ldh, std::size_t rows, std::size_t cols,
                typename S::Scalar parameter) noexcept {
    const typename S::Reg by = S::set1(parameter);
    for (std::size_t r = 0; r < rows; ++r, z += ldz, h += ldh) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) {
            S::store(h + c, Function(S::load(z + c), by));
        }
    }
}

/// The same without a parameter.
template <class S, typename S::Reg (*Function)(typename S::Reg)>
void forward(const typename S::Scalar* z, std::size_t ldz, typename S::Scalar* h, std::size_t ldh,
             std::size_t rows, std::size_t cols, typename S::Scalar) noexcept {
    for (std::size_t r = 0; r < rows; ++r, z += ldz, h += ldh) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) {
            S::store(h + c, Function(S::load(z + c)));
        }
    }
}

/// delta[r][c] *= h'(z[r][c]), which `Slope` computes from z or from h, and the parameter.
template <class S, typename S::Reg (*Slope)(typename S::Reg, typename S::Reg)>
void backward_by(const typename S::Scalar* from, std::size_t ldf, typename S::Scalar* delta,
                 std::size_t ldd, std::size_t rows, std::size_t cols,
                 typename S::Scalar parameter) noexcept {
    const typename S::Reg by = S::set1(parameter);
    for (std::size_t r = 0; r < rows; ++r, from += ldf, delta += ldd) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) {
            S::store(delta + c, S::mul(S::load(delta + c), Slope(S::load(from + c), by)));
        }
    }
}

/// The same without a parameter.
template <class S, typename S::Reg (*Slope)(typename S::Reg)>
void backward(const typename S::Scalar* from, std::size_t ldf, typename S::Scalar* delta,
              std::size_t ldd, std::size_t rows, std::size_t cols, typename S::Scalar) noexcept {
    for (std::size_t r = 0; r < rows; ++r, from += ldf, delta += ldd) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) {
            S::store(delta + c, S::mul(S::load(delta + c), Slope(S::load(from + c))));
        }
    }
}

/// out[i] = f(x[i]) of unpadded arrays
template <class S, class Function>
FASTMLP_INLINE void each_element(const typename S::Scalar* x, std::size_t count,
                                 typename S::Scalar* out, Function f) {
    std::size_t i = 0;
    for (; count - i >= S::kLanes; i += S::kLanes) S::store(out + i, f(S::load(x + i)));
    if (i < count) S::store_partial(out + i, f(S::load_partial(x + i, count - i)), count - i);
}

/// The entries of the kernel table, see table.hpp.
template <class S>
struct Elementwise {
    using T = typename S::Scalar;
    using Reg = typename S::Reg;

    /// (2.12), as a selection and not a product: where h <= 0, a non-finite delta becomes 0 as
    /// well.
    static void relu_backward(const T* h, std::size_t ldh, T* delta, std::size_t ldd,
                              std::size_t rows, std::size_t cols, T) noexcept {
        for (std::size_t r = 0; r < rows; ++r, h += ldh, delta += ldd) {
            for (std::size_t c = 0; c < cols; c += S::kLanes) {
                S::store(delta + c, S::relu_mask(S::load(h + c), S::load(delta + c)));
            }
        }
    }

    static std::size_t count_below(T limit, const T* x, std::size_t count) noexcept {
        const Reg limits = S::set1(limit);
        std::size_t i = 0;
        while (count - i >= S::kLanes && S::all_below(S::load(x + i), limits)) i += S::kLanes;
        while (i < count && x[i] < limit && -x[i] < limit) ++i;
        return i;
    }

    static double spin(std::size_t rounds) noexcept {
        constexpr std::size_t kChains = 12;  // enough to hide the latency of two fmas per cycle
        Reg x[kChains];
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < kChains; ++i) x[i] = S::set1(T(i));
        const Reg scale = S::set1(T(0.5));
        const Reg shift = S::set1(T(1));
        for (std::size_t round = 0; round < rounds; ++round) {
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < kChains; ++i) {
                x[i] = S::fma(x[i], scale, shift);
            }
        }
        Reg total = S::zero();
        FASTMLP_UNROLL
        for (std::size_t i = 0; i < kChains; ++i) total = S::add(total, x[i]);
        // The result depends on the sums, so that no compiler removes them.
        const double flops = 2.0 * static_cast<double>(kChains * S::kLanes * rounds);
        return S::all_below(total, S::set1(T(__builtin_inf()))) ? flops : 0.0;
    }

    static void exp_array(const T* x, std::size_t count, T* out) noexcept {
        each_element<S>(x, count, out, Math<S>::exp);
    }
    static void log_array(const T* x, std::size_t count, T* out) noexcept {
        each_element<S>(x, count, out, Math<S>::log);
    }
};

}  // namespace
}  // namespace fastmlp::kernels
