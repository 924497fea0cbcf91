/// Borrowed data, which are never copied: row-major and sparse matrices, and targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "fastmlp/cpp20.hpp"

namespace fastmlp {

template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t stride = cols;  ///< elements from one row to the next; left out, those of a row

    T* row(std::size_t i) const { return data + i * stride; }
};

/// The elements of one sparse row, with ascending columns.
template <class T>
struct SparseRow {
    const std::int32_t* columns = nullptr;
    const T* values = nullptr;
    std::size_t count = 0;
    const double* exact = nullptr;  ///< what `values` were rounded from, or null
};

/// A borrowed matrix in compressed sparse rows (CSR): row i has the elements offsets[i] to
/// offsets[i + 1], whose columns ascend; all others are 0.
template <class T>
struct SparseView {
    const std::int64_t* offsets = nullptr;  ///< (rows + 1,)
    const std::int32_t* columns = nullptr;
    const T* values = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t count = 0;  ///< elements of `columns` and `values`
    /// What `values` were rounded from, or null if that is the same: a network that scales its
    /// features multiplies these, and rounds once.
    const double* exact = nullptr;

    SparseRow<T> row(std::size_t i) const {
        const auto first = static_cast<std::size_t>(offsets[i]);
        return {columns + first, values + first, static_cast<std::size_t>(offsets[i + 1]) - first,
                exact ? exact + first : nullptr};
    }
};

/// What a custom loss receives: the outputs of a batch, and where to write its results.
template <class T>
struct LossBatch {
    MatrixView<const T> nodes;     ///< (B, N): the outputs
    const std::uint32_t* samples;  ///< (B,): the index of each row's sample
    MatrixView<T> gradients;       ///< (B, N), to be written: dL/dh of each sample's loss
    T* losses;                     ///< (B,), to be written
};

template <class T>
using CustomLoss = std::function<void(const LossBatch<T>&)>;

/// The targets of samples: class labels (B,), target rows (B, N), or a custom loss that knows them,
/// exactly one of these; and the weights of the samples.
template <class T>
struct Targets {
    const std::int32_t* labels = nullptr;
    MatrixView<const T> values{};
    std::size_t rows = 0;
    /// Called once per batch, by one thread while the others wait; for Loss::kCustom only.
    const CustomLoss<T>* custom = nullptr;
    /// Weights w of the samples (B,), or null for 1 each: the loss is sum(w l) / sum(w), over the
    /// batch in a step and over all samples in an epoch's report. Samples of weight 0 are left out,
    /// whatever their features and targets are; a custom loss does not receive them.
    const T* weights = nullptr;
    /// `values` are not targets but dL/dh, the derivatives of a loss L, which only the caller
    /// knows, with respect to the outputs. Gradients are then sums over the rows, not means. For
    /// single steps only: `Network::backward` and TrainStep.
    bool is_gradient = false;

    static Targets of_labels(const std::int32_t* labels, std::size_t rows) {
        return {labels, {}, rows};
    }
    static Targets of_values(MatrixView<const T> values) { return {nullptr, values, values.rows}; }
    static Targets of_gradient(MatrixView<const T> gradient) {
        Targets result = of_values(gradient);
        result.is_gradient = true;
        return result;
    }
    static Targets of_function(const CustomLoss<T>& loss, std::size_t rows) {
        return {nullptr, {}, rows, &loss};
    }
};

}  // namespace fastmlp
