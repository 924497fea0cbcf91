/// Activations, their derivatives and whole-array kernels, compiled per instruction set.
#pragma once

#include <cstddef>

#include "kernels/attributes.hpp"
#include "kernels/math-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// z[r][c] = f(z[r][c]); rows are padded, so every vector is a full one.
template <class S, class Function>
FASTMLP_INLINE void each_vector(typename S::Scalar* z, std::size_t ldz, std::size_t rows,
                                std::size_t cols, Function f) {
    for (std::size_t r = 0; r < rows; ++r, z += ldz) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) S::store(z + c, f(S::load(z + c)));
    }
}

/// delta[r][c] = f(h[r][c], delta[r][c])
template <class S, class Function>
FASTMLP_INLINE void each_pair(const typename S::Scalar* h, std::size_t ldh,
                              typename S::Scalar* delta, std::size_t ldd, std::size_t rows,
                              std::size_t cols, Function f) {
    for (std::size_t r = 0; r < rows; ++r, h += ldh, delta += ldd) {
        for (std::size_t c = 0; c < cols; c += S::kLanes) {
            S::store(delta + c, f(S::load(h + c), S::load(delta + c)));
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

    static void sigmoid(T* z, std::size_t ldz, std::size_t rows, std::size_t cols) noexcept {
        each_vector<S>(z, ldz, rows, cols, Math<S>::sigmoid);
    }
    static void tanh(T* z, std::size_t ldz, std::size_t rows, std::size_t cols) noexcept {
        each_vector<S>(z, ldz, rows, cols, Math<S>::tanh);
    }
    static void relu(T* z, std::size_t ldz, std::size_t rows, std::size_t cols) noexcept {
        each_vector<S>(z, ldz, rows, cols, S::relu);
    }

    static void sigmoid_backward(const T* h, std::size_t ldh, T* delta, std::size_t ldd,
                                 std::size_t rows, std::size_t cols) noexcept {
        each_pair<S>(h, ldh, delta, ldd, rows, cols,
                     [](Reg y, Reg d) { return S::mul(d, S::mul(y, S::sub(S::set1(T(1)), y))); });
    }
    static void tanh_backward(const T* h, std::size_t ldh, T* delta, std::size_t ldd,
                              std::size_t rows, std::size_t cols) noexcept {
        each_pair<S>(h, ldh, delta, ldd, rows, cols,
                     [](Reg y, Reg d) { return S::mul(d, S::fnma(y, y, S::set1(T(1)))); });
    }
    static void relu_backward(const T* h, std::size_t ldh, T* delta, std::size_t ldd,
                              std::size_t rows, std::size_t cols) noexcept {
        each_pair<S>(h, ldh, delta, ldd, rows, cols, S::relu_mask);
    }

    static void descend(const T* gradient, std::size_t count, T rate, T* w) noexcept {
        const Reg eta = S::set1(rate);
        std::size_t i = 0;
        for (; i + S::kLanes <= count; i += S::kLanes) {
            S::store(w + i, S::fnma(eta, S::load(gradient + i), S::load(w + i)));
        }
        if (i == count) return;
        const std::size_t left = count - i;
        const Reg g = S::load_partial(gradient + i, left), last = S::load_partial(w + i, left);
        S::store_partial(w + i, S::fnma(eta, g, last), left);
    }

    static std::size_t count_finite(const T* x, std::size_t count) noexcept {
        std::size_t i = 0;
        while (count - i >= S::kLanes && S::all_finite(S::load(x + i))) i += S::kLanes;
        while (i < count && x[i] - x[i] == T(0)) ++i;
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
        // The result is told from the sums, so that no compiler leaves them out.
        const double flops = 2.0 * static_cast<double>(kChains * S::kLanes * rounds);
        return S::all_finite(total) ? flops : 0.0;
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
