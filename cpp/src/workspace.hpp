/// What one batch leaves behind on its way through the network: nodes, deltas and losses.
#pragma once

#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"
#include "fastmlp/matrix.hpp"
#include "padding.hpp"

namespace fastmlp {

/// A padded matrix with a pointer to each of its rows.
template <class T>
struct Rows {
    Rows(std::size_t batch, std::size_t columns)
        : cols(columns), stride(activation_stride(cols)), values(checked_multiply(batch, stride)) {
        for (std::size_t b = 0; b < batch; ++b) pointers.push_back(values.data() + b * stride);
    }

    T* row(std::size_t b) { return values.data() + b * stride; }

    std::size_t cols, stride;
    Buffer<T> values;
    std::vector<const T*> pointers;
};

template <class T>
struct Workspace {
    Workspace(const Layout& layout, const std::vector<Layer>& layers, std::size_t rows)
        : capacity(rows), input(rows), labels(rows), targets(rows), weights(rows), losses(rows),
          scores(rows, layout[layout.layer_count() - 1].n) {
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            z.emplace_back(keeps_z(layers[i].activation) ? rows : 0, layout[i].n);
            nodes.emplace_back(rows, layout[i].n);
            deltas.emplace_back(rows, layout[i].n);
        }
    }

    std::size_t capacity;                ///< rows there is room for
    std::size_t batch = 0;               ///< rows in use
    std::vector<const T*> input;         ///< rows of features, borrowed
    std::vector<std::int32_t> labels;    ///< the batch's labels,
    std::vector<const T*> targets;       ///< or its target rows, borrowed
    std::vector<T> weights;              ///< how much each sample counts, if that is told
    Buffer<T> losses;                    ///< per sample
    std::vector<Rows<T>> z;              ///< of the layers that keep it, else without rows
    std::vector<Rows<T>> nodes, deltas;  ///< of layer i + 1 in the paper's count
    Rows<T> scores;                      ///< what the loss reads: see loss.hpp
};

}  // namespace fastmlp
