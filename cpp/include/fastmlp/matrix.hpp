/// A borrowed row-major matrix: the one way data enters the library, never copied.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastmlp {

template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t stride = 0;  ///< elements from one row to the next

    T* row(std::size_t i) const { return data + i * stride; }
};

/// What the outputs should be: class labels (B,), or target rows (B, N), exactly one of them; and
/// how much each sample counts.
template <class T>
struct Targets {
    const std::int32_t* labels = nullptr;
    MatrixView<const T> values{};
    std::size_t rows = 0;
    /// How much each sample counts (B,), or null for 1 each: losses are sum(w l) / sum(w), over the
    /// batch in a step, over all samples in an epoch's report.
    const T* weights = nullptr;

    static Targets of_labels(const std::int32_t* labels, std::size_t rows) {
        return {labels, {}, rows};
    }
    static Targets of_values(MatrixView<const T> values) { return {nullptr, values, values.rows}; }
};

}  // namespace fastmlp
