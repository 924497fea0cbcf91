/// A borrowed row-major matrix: the one way data enters the library, never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace fastmlp {

template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t stride = 0;  ///< elements from one row to the next

    T* row(std::size_t i) const { return data + i * stride; }
};

/// The elements of one sparse row: `columns` ascend.
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

/// A batch at the output, for a custom loss.
template <class T>
struct LossBatch {
    MatrixView<const T> nodes;     ///< (B, N): the outputs
    const std::uint32_t* samples;  ///< (B,): which sample each row is
    MatrixView<T> gradients;       ///< (B, N), to be filled: of each sample's loss by its outputs
    T* losses;                     ///< (B,), to be filled
};

template <class T>
using CustomLoss = std::function<void(const LossBatch<T>&)>;

/// What the outputs should be: class labels (B,), or target rows (B, N), or what only a function
/// knows, exactly one of them; and how much each sample counts.
template <class T>
struct Targets {
    const std::int32_t* labels = nullptr;
    MatrixView<const T> values{};
    std::size_t rows = 0;
    /// Called by one thread while the others wait, once a batch; with Loss::kCustom only.
    const CustomLoss<T>* custom = nullptr;
    /// How much each sample counts (B,), or null for 1 each: losses are sum(w l) / sum(w), over the
    /// batch in a step, over all samples in an epoch's report. A sample of weight 0 is left out,
    /// whatever its features and targets are; a custom loss is not asked about it.
    const T* weights = nullptr;
    /// `values` are no targets but dL/dh, what the caller found the derivatives of some loss L by
    /// the outputs to be. Gradients are sums over the rows then, not divided. In steps only:
    /// `backward` of a network, and TrainStep.
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
