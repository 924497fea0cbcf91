/// Checks of one batch before a step. Nothing is allocated, unless there is something wrong.
#pragma once

#include <cmath>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "c_api/arguments.hpp"
#include "checks/checks.hpp"
#include "checks/finite.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp::c {

inline void check_threads(int n_threads) {
    if (n_threads >= 0) return;
    throw std::invalid_argument("n_threads must be at least 0, got " + std::to_string(n_threads));
}

/// Throws if an array overlaps the network's own memory, which steps read and write.
template <class T>
void check_not_of(const Network<T>& network, const T* data, std::size_t count, const char* name) {
    const auto check = [&](const Buffer<T>& own) {
        check_apart(data, count * sizeof(T), name, own.data(), own.size() * sizeof(T),
                    "memory of the network");
    };
    for (const auto* buffer :
         {&network.parameters(), &network.gradients(), &network.statistics(),
          &network.input_scaling(), &network.output_scaling(), &network.loss_weights()}) {
        if (*buffer) check(**buffer);
    }
    if (!network.workspace()) return;
    for (const auto* layers : {&network.workspace()->nodes, &network.workspace()->deltas}) {
        for (const Rows<T>& rows : *layers) check(rows.values);
    }
}

/// Throws at the first row of weight above 0 with an element that is not finite.
template <class T>
void check_finite_rows(const MatrixView<const T>& rows, const T* weights, const char* name) {
    if (count_finite(rows.data, rows.rows * rows.cols) == rows.rows * rows.cols) return;
    for (std::size_t b = 0; b < rows.rows; ++b) {
        if (weights != nullptr && weights[b] == 0) continue;
        if (count_finite(rows.row(b), rows.cols) == rows.cols) continue;
        throw std::invalid_argument(std::string(name) + " must be finite, row " +
                                    std::to_string(b) + " is not");
    }
}

template <class T>
void check_weights(const Network<T>& network, const T* weights, std::size_t rows) {
    if (weights == nullptr) return;
    check_not_of(network, weights, rows, "weights");
    check_sample_weights(weights, rows);
}

/// Throws unless the network reads x as finite numbers.
template <class T>
void check_features(const Network<T>& network, const MatrixView<const T>& x, const T* weights) {
    if (reads_finite(network, x)) return;
    check_finite_rows(x, weights, "x");
    const ColumnScaling<T> scaling(network.input_scaling().get());
    if (!scaling) return;
    for (std::size_t b = 0; b < x.rows; ++b) {
        if (weights != nullptr && weights[b] == 0) continue;
        if (count_finite(x.row(b), x.cols, scaling, x.cols) == x.cols) continue;
        throw std::invalid_argument("x must be finite once it is scaled, row " + std::to_string(b) +
                                    " is not");
    }
}

/// The batch x.
template <class T>
MatrixView<const T> batch(const Network<T>& network, const T* x, std::size_t rows,
                          const T* weights) {
    const MatrixView<const T> result = matrix(x, rows, network.features(), "x");
    if (rows == 0) throw std::invalid_argument("x must have at least one row");
    check_not_of(network, x, rows * network.features(), "x");
    check_weights(network, weights, rows);
    check_features(network, result, weights);
    return result;
}

/// The values, or the gradient, of a batch.
template <class T>
MatrixView<const T> batch_values(const Network<T>& network, const T* values, std::size_t rows,
                                 const char* name) {
    const MatrixView<const T> result = matrix(values, rows, network.outputs(), name);
    check_not_of(network, values, rows * network.outputs(), name);
    return result;
}

/// What the rows of a batch should give; `y` is of either type.
template <class T, class CTargets>
Targets<T> batch_targets(const Network<T>& network, const CTargets& y, std::size_t rows) {
    if ((y.labels != nullptr) + (y.values != nullptr) + (y.gradient != nullptr) != 1) {
        throw std::invalid_argument("y must have exactly one of labels, values and gradient");
    }
    if (y.weights != nullptr) check_not_of(network, y.weights, rows, "weights");
    Targets<T> result;
    if (y.labels != nullptr) {
        result = Targets<T>::of_labels(y.labels, rows);
    } else if (y.gradient != nullptr) {
        const MatrixView<const T> gradient = batch_values(network, y.gradient, rows, "gradient");
        check_finite_rows(gradient, y.weights, "gradient");
        result = Targets<T>::of_gradient(gradient);
    } else {
        result = Targets<T>::of_values(batch_values(network, y.values, rows, "values"));
    }
    result.weights = y.weights;
    if (!result.is_gradient) check_content(network, result);
    return result;
}

}  // namespace fastmlp::c
