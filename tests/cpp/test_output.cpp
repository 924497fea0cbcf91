// Softmax and losses equal plain loops that follow docs/arithmetic.md bit for bit, on every
// instruction set of this machine.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "fastmlp/isa.hpp"
#include "kernels/dispatch.hpp"
#include "output_batch.hpp"

namespace {

using check::same;
using fastmlp::kernels::kernel_table;
using fastmlp::kernels::KernelTable;
using output::Batch;
using output::padded;
using output::Result;

// ---- the specification -------------------------------------------------------------------------

/// Sum over n terms: partial sums by index mod 16, folded by halving.
template <class T, class Add>
T tree16(std::size_t n, Add add) {
    T s[16] = {};
    for (std::size_t j = 0; j < n; ++j) s[j % 16] = add(s[j % 16], j);
    for (std::size_t half = 8; half > 0; half /= 2) {
        for (std::size_t r = 0; r < half; ++r) s[r] = s[r] + s[r + half];
    }
    return s[0];
}

template <class T>
T scalar_function(void (*f)(const T*, std::size_t, T*) noexcept, T x) {
    T y;
    f(&x, 1, &y);
    return y;
}

template <class T>
struct Softmax {
    T max, sum;
    std::vector<T> p;
    Softmax(const T* z, std::size_t n) : max(*std::max_element(z, z + n)) {
        const auto exp = kernel_table<T>("scalar").exp_array;
        for (std::size_t j = 0; j < n; ++j) p.push_back(scalar_function<T>(exp, z[j] - max));
        sum = tree16<T>(n, [&](T s, std::size_t j) { return s + p[j]; });
        for (T& value : p) value = value * (T(1) / sum);
    }
    T log_sum() const { return scalar_function<T>(kernel_table<T>("scalar").log_array, sum); }
};

template <class T>
Result<T> expected_labels(const Batch<T>& batch) {
    Result<T> result(batch);
    for (std::size_t b = 0; b < batch.rows; ++b) {
        const T* z = batch.z.data() + b * batch.stride;
        const Softmax<T> softmax(z, batch.n);
        const auto label = static_cast<std::size_t>(batch.labels[b]);
        for (std::size_t j = 0; j < batch.n; ++j) {
            result.delta[b * batch.stride + j] = softmax.p[j] - (j == label ? T(1) : T(0));
        }
        result.losses[b] = softmax.log_sum() - (z[label] - softmax.max);
    }
    return result;
}

template <class T>
Result<T> expected_targets(const Batch<T>& batch) {
    Result<T> result(batch);
    for (std::size_t b = 0; b < batch.rows; ++b) {
        const T* z = batch.z.data() + b * batch.stride;
        const T* y = batch.target_rows[b];
        const Softmax<T> softmax(z, batch.n);
        const T whole = tree16<T>(batch.n, [&](T s, std::size_t j) { return s + y[j]; });
        for (std::size_t j = 0; j < batch.n; ++j) {
            result.delta[b * batch.stride + j] = softmax.p[j] * whole - y[j];
        }
        const T log_sum = softmax.log_sum();
        result.losses[b] = tree16<T>(batch.n, [&](T s, std::size_t j) {
            return s + y[j] * (log_sum - (z[j] - softmax.max));
        });
    }
    return result;
}

template <class T>
Result<T> expected_squared_error(const Batch<T>& batch) {
    Result<T> result(batch);
    const T n = static_cast<T>(batch.n);
    for (std::size_t b = 0; b < batch.rows; ++b) {
        const T* h = batch.z.data() + b * batch.stride;
        const T* y = batch.target_rows[b];
        for (std::size_t j = 0; j < batch.n; ++j) {
            result.delta[b * batch.stride + j] = (T(2) / n) * (h[j] - y[j]);
        }
        result.losses[b] =
            tree16<T>(batch.n,
                      [&](T s, std::size_t j) { return std::fma(h[j] - y[j], h[j] - y[j], s); }) /
            n;
    }
    return result;
}

// ---- the kernels -------------------------------------------------------------------------------

template <class T>
Result<T> labels_of(const KernelTable<T>& kernel, const Batch<T>& x) {
    Result<T> result(x);
    kernel.cross_entropy_labels(x.z.data(), x.stride, x.labels.data(), x.rows, x.n,
                                result.delta.data(), x.stride, result.losses.data());
    return result;
}

template <class T>
using TargetLoss = typename KernelTable<T>::TargetLoss;

template <class T>
Result<T> targets_of(TargetLoss<T> loss, const Batch<T>& x, T parameter = 0) {
    Result<T> result(x);
    // A kernel must write the zeros beyond n itself.
    for (std::size_t b = 0; b < x.rows; ++b) {
        std::fill_n(result.delta.begin() + static_cast<std::ptrdiff_t>(b * x.stride), padded(x.n),
                    std::numeric_limits<T>::quiet_NaN());
    }
    loss(x.z.data(), x.stride, x.target_rows.data(), x.rows, x.n, parameter, result.delta.data(),
         x.stride, result.losses.data());
    return result;
}

template <class T>
using MeanLoss = typename KernelTable<T>::MeanLoss;

/// The same of a mean over the outputs, whose terms may have weights.
template <class T>
Result<T> means_of(MeanLoss<T> loss, const Batch<T>& x, T parameter = 0,
                   const std::vector<T>& weights = {}) {
    Result<T> result(x);
    for (std::size_t b = 0; b < x.rows; ++b) {
        std::fill_n(result.delta.begin() + static_cast<std::ptrdiff_t>(b * x.stride), padded(x.n),
                    std::numeric_limits<T>::quiet_NaN());
    }
    loss(x.z.data(), x.stride, x.target_rows.data(), weights.empty() ? nullptr : weights.data(),
         x.rows, x.n, parameter, result.delta.data(), x.stride, result.losses.data());
    return result;
}

/// The loss of output j alone in row b.
template <class T>
T term_of(MeanLoss<T> loss, const Batch<T>& x, std::size_t b, std::size_t j, T parameter) {
    std::vector<T> delta(16);
    const T* const target = x.target_rows[b] + j;
    T result = 0;
    loss(x.z.data() + b * x.stride + j, 16, &target, nullptr, 1, 1, parameter, delta.data(), 16,
         &result);
    return result;
}

/// With weights only the losses change. The second output has weight 0 and a loss of NaN.
template <class T>
void compare_weighted(const KernelTable<T>& kernel, Batch<T> x) {
    using Table = KernelTable<T>;
    const Table& scalar = kernel_table<T>("scalar");
    const T parameter = T(0.3);
    std::vector<T> weights;
    for (std::size_t j = 0; j < x.n; ++j) weights.push_back(T(j == 1 ? 0 : 0.1 + 0.3 * j));
    const std::vector<T> ones(x.n, T(1));
    const auto losses = {&Table::binary_cross_entropy,
                         &Table::poisson,
                         &Table::mean_absolute_error,
                         &Table::huber,
                         &Table::quantile,
                         &Table::mean_squared_error};
    for (const auto loss : losses) {
        CHECK(means_of<T>(kernel.*loss, x, parameter, ones) ==
              means_of<T>(kernel.*loss, x, parameter));
    }
    for (auto& row : x.targets) {
        if (x.n > 1) row[1] = std::numeric_limits<T>::quiet_NaN();
    }
    for (std::size_t b = 0; b < x.rows; ++b) x.target_rows[b] = x.targets[b].data();
    for (const auto loss : losses) {
        const bool squares = loss == &Table::mean_squared_error;
        Result<T> expected = means_of<T>(kernel.*loss, x, parameter);
        for (std::size_t b = 0; b < x.rows; ++b) {
            const auto add = [&](T sum, std::size_t j) {
                if (weights[j] == 0) return sum;
                const T error = x.z[b * x.stride + j] - x.target_rows[b][j];
                if (squares) return std::fma(weights[j] * error, error, sum);
                return sum + weights[j] * term_of<T>(scalar.*loss, x, b, j, parameter);
            };
            expected.losses[b] = tree16<T>(x.n, add) / static_cast<T>(x.n);
        }
        CHECK(means_of<T>(kernel.*loss, x, parameter, weights).losses == expected.losses);
    }
}

template <class T>
Result<T> smoothed_of(const KernelTable<T>& kernel, const Batch<T>& x, T smoothing) {
    Result<T> result(x);
    kernel.cross_entropy_smoothed(x.z.data(), x.stride, x.labels.data(), x.rows, x.n, smoothing,
                                  result.delta.data(), x.stride, result.losses.data());
    return result;
}

/// Labels are rows of targets that are one at the label.
template <class T>
Result<T> smoothed_rows_of(const KernelTable<T>& kernel, Batch<T> x, T smoothing) {
    for (std::size_t b = 0; b < x.rows; ++b) {
        for (std::size_t j = 0; j < x.n; ++j) {
            x.targets[b][j] = static_cast<T>(j == static_cast<std::size_t>(x.labels[b]));
        }
        x.target_rows[b] = x.targets[b].data();
    }
    return targets_of<T>(kernel.cross_entropy_targets, x, smoothing);
}

template <class T>
std::vector<T> softmax_of(const KernelTable<T>& kernel, const Batch<T>& x) {
    std::vector<T> z = x.z, p;
    kernel.softmax(z.data(), x.stride, z.data(), x.stride, x.rows, x.n, T(0));
    for (std::size_t b = 0; b < x.rows; ++b) {
        const auto row = z.begin() + static_cast<std::ptrdiff_t>(b * x.stride);
        p.insert(p.end(), row, row + static_cast<std::ptrdiff_t>(x.n));
    }
    return p;
}

template <class T>
void compare(const KernelTable<T>& kernel, const Batch<T>& batch) {
    CHECK(labels_of(kernel, batch) == expected_labels(batch));
    CHECK(targets_of<T>(kernel.cross_entropy_targets, batch) == expected_targets(batch));
    CHECK(means_of<T>(kernel.mean_squared_error, batch) == expected_squared_error(batch));
    using Table = KernelTable<T>;
    const Table& scalar = kernel_table<T>("scalar");
    CHECK(targets_of<T>(kernel.cross_entropy_targets, batch, T(0.3)) ==
          targets_of<T>(scalar.cross_entropy_targets, batch, T(0.3)));
    for (const auto loss : {&Table::binary_cross_entropy, &Table::poisson,
                            &Table::mean_absolute_error, &Table::huber, &Table::quantile}) {
        CHECK(means_of<T>(kernel.*loss, batch, T(0.3)) == means_of<T>(scalar.*loss, batch, T(0.3)));
    }
    compare_weighted(kernel, batch);
    CHECK(smoothed_of(kernel, batch, T(0.3)) == smoothed_rows_of(kernel, batch, T(0.3)));
    std::vector<T> p;
    for (std::size_t b = 0; b < batch.rows; ++b) {
        const Softmax<T> softmax(batch.z.data() + b * batch.stride, batch.n);
        p.insert(p.end(), softmax.p.begin(), softmax.p.end());
    }
    CHECK(same(softmax_of(kernel, batch), p));
}

/// Binary cross-entropy against extended precision; its log1p is not in the table.
template <class T>
void test_binary_cross_entropy() {
    for (const double width : {0.1, 3.0, 30.0, 120.0}) {
        const Batch<T> x(500, 3, width, 3);
        const Result<T> got = means_of<T>(kernel_table<T>("scalar").binary_cross_entropy, x);
        double loss_error = 0, delta_error = 0;
        for (std::size_t b = 0; b < x.rows; ++b) {
            long double loss = 0, magnitude = 0;
            for (std::size_t j = 0; j < x.n; ++j) {
                const long double z = x.z[b * x.stride + j], y = x.targets[b][j];
                loss += std::max(z, 0.0L) - z * y + std::log1p(std::exp(-std::fabs(z)));
                magnitude += std::fabs(z) + 1;
                const long double delta = (1 / (1 + std::exp(-z)) - y) / 3;
                const long double off = std::fabs(got.delta[b * x.stride + j] - delta);
                delta_error = std::max(delta_error, static_cast<double>(off));
            }
            const long double off = std::fabs(got.losses[b] - loss / 3) / magnitude;
            loss_error = std::max(loss_error, static_cast<double>(off));
        }
        CHECK(loss_error < 2 * std::numeric_limits<T>::epsilon());
        CHECK(delta_error < 2 * std::numeric_limits<T>::epsilon());
    }
}

/// A score that is not finite shows in its row's loss and nowhere else.
template <class T>
void test_not_finite(const KernelTable<T>& kernel, std::size_t rows, std::size_t n) {
    const T inf = std::numeric_limits<T>::infinity();
    for (const T bad : {inf, std::numeric_limits<T>::quiet_NaN()}) {
        Batch<T> x(rows, n, 3.0, 11);
        const Result<T> clean = labels_of(kernel, x);
        x.z[x.stride * (rows / 2) + n - 1] = bad;
        const Result<T> labels = labels_of(kernel, x);
        const Result<T> entropy = targets_of<T>(kernel.cross_entropy_targets, x);
        const Result<T> binary = means_of<T>(kernel.binary_cross_entropy, x);
        const Result<T> squared = means_of<T>(kernel.mean_squared_error, x);
        for (std::size_t b = 0; b < rows; ++b) {
            const bool finite = b != rows / 2;
            for (const Result<T>* result : {&labels, &entropy, &binary, &squared}) {
                CHECK(std::isfinite(result->losses[b]) == finite);
                CHECK(same(result->delta[b * x.stride + padded(n) - 1], T(0)) || n % 16 == 0);
            }
            CHECK(!finite || same(labels.losses[b], clean.losses[b]));
        }
    }
}

template <class T>
void test_type() {
    test_binary_cross_entropy<T>();
    for (const std::string& isa : fastmlp::available_isas()) {
        const KernelTable<T>& kernel = kernel_table<T>(isa);
        for (const std::size_t n : {1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 24, 31, 32, 40, 100}) {
            for (const std::size_t rows : {1, 2, 3, 4, 5, 8, 13, 16, 17, 21, 33}) {
                compare(kernel, Batch<T>(rows, n, 4.0, static_cast<int>(n)));
            }
            compare(kernel, Batch<T>(37, n, 900.0, 5));
            compare(kernel, Batch<T>(1, n, 0.0, 6));
            test_not_finite(kernel, 1, n);
            test_not_finite(kernel, 19, n);
        }
    }
}

}  // namespace

int main() {
    test_type<float>();
    test_type<double>();
    return check::report();
}
