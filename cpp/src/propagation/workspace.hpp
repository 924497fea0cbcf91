/// One batch: what its rows have in common, and their nodes, deltas and losses in every layer.
#pragma once

#include <optional>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"
#include "fastmlp/matrix.hpp"
#include "propagation/features.hpp"
#include "propagation/packed.hpp"
#include "propagation/scaling.hpp"
#include "propagation/shares.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

/// What a layer needs to know about the batch beyond the rows that it computes.
struct BatchContext {
    std::size_t batch = 0;     ///< rows of the whole batch of weight above 0
    bool training = false;     ///< with batch statistics and dropout, else as in prediction
    std::uint32_t epoch = 0;   ///< this and the next two determine dropout masks:
    std::size_t position = 0;  ///< samples of the epoch before this batch,
    const std::uint32_t* places = nullptr;  ///< and of the batch before each row; null: 0, 1, ...
    Share share{};                          ///< this thread's part of the work,
    ThreadTeam* team = nullptr;  ///< the threads that share the rows; null for one thread

    /// This thread's part of the rows.
    Range rows() const { return rows_of(share, batch); }

    /// Waits until all threads have reached this point.
    void meet() const {
        if (team != nullptr) team->barrier(static_cast<int>(share.rank));
    }
    /// Waits for another thread, until `ready()`.
    template <class Ready>
    void wait(Ready ready) const {
        team->wait(static_cast<int>(share.rank), ready);
    }
};

/// A padded matrix with a pointer to each of its rows. Only the padding has values: 0, as kernels
/// multiply it.
template <class T>
struct Rows {
    Rows(std::size_t batch, std::size_t columns)
        : cols(columns), stride(activation_stride(cols)),
          values(Buffer<T>::unset(checked_multiply(batch, stride))), pointers(batch) {
        for (std::size_t b = 0; b < batch; ++b) {
            pointers[b] = row(b);
            std::fill(row(b) + cols, row(b) + padded(cols), T(0));
        }
    }

    T* row(std::size_t b) { return values.data() + b * stride; }
    MatrixView<T> view() { return {values.data(), pointers.size(), cols, stride}; }

    std::size_t cols, stride;
    Buffer<T> values;
    std::vector<const T*> pointers;
};

/// What a normalised layer keeps of the forward pass, and its gradients.
template <class T>
struct Normalized {
    Normalized(std::size_t rows, std::size_t n)
        : x(rows, n), delta(rows, n), inverses(rows), means(padded(n)), variances(padded(n)),
          scale_gradients(padded(n)), shift_gradients(padded(n)), zeros(padded(n)) {}

    Rows<T> x;
    Rows<T> delta;                               ///< dL/d(scale x + shift)
    Buffer<T> inverses;                          ///< 1 / sqrt(variance + epsilon) of each row,
    Buffer<T> means, variances;                  ///< or the moments of each node, over the batch
    Buffer<T> scale_gradients, shift_gradients;  ///< of each node
    Buffer<T> zeros;  ///< in place of these where statistics are constant: no gradient through them
};

/// The batch's targets if outputs are scaled: `Workspace::targets` are then the scaled ones.
template <class T>
struct ScaledOutputs {
    ColumnScaling<T> by;
    std::optional<Rows<T>> targets;  ///< scaled
    std::vector<const T*> in_units;  ///< as passed by the caller

    /// Makes room for targets of `columns` columns.
    void expect(const ColumnScaling<T>& scaling, std::size_t rows, std::size_t columns) {
        by = scaling;
        if (!by || targets) return;
        targets.emplace(rows, columns);
        in_units.resize(rows);
    }

    const T* take(const T* given, std::size_t row) {
        in_units[row] = given;
        T* const target = targets->row(row);
        for (std::size_t j = 0; j < targets->cols; ++j) target[j] = by.inverse(given[j], j);
        return target;
    }
};

template <class T>
struct Workspace {
    Workspace(const Layout& layout, const std::vector<Layer>& layers, std::size_t rows)
        : capacity(rows), labels(rows), targets(rows), samples(rows), weights(rows), losses(rows),
          scores(rows, layout[layout.layer_count() - 1].n) {
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            const Normalization normalization = layers[i].normalization;
            const bool is_normalized = normalization != Normalization::kNone;
            const bool apart = keeps_z(layers[i].activation) || layers[i].dropout > 0 ||
                               (is_normalized && normalization.after_activation);
            z.emplace_back(apart ? rows : 0, layout[i].n);
            normalized.emplace_back();
            if (is_normalized) normalized.back().emplace(rows, layout[i].n);
            nodes.emplace_back(rows, layout[i].n);
            deltas.emplace_back(rows, layout[i].n);
        }
        if (normalizes_inputs(layers)) {
            normalized_inputs.emplace(rows, layout[0].k);
        }
    }

    std::size_t capacity;                ///< number of rows allocated
    std::size_t batch = 0;               ///< rows in use, of weight above 0
    InputRows<T> input;                  ///< rows of features
    std::vector<std::int32_t> labels;    ///< the batch's labels,
    std::vector<const T*> targets;       ///< or its target rows, borrowed
    std::vector<std::uint32_t> samples;  ///< their indices, for a custom loss
    std::vector<T> weights;              ///< the weight of each sample, if any
    ScaledOutputs<T> scaled;             ///< if the network scales its outputs
    Buffer<T> losses;                    ///< per sample
    std::vector<Buffer<T>> head_losses;  ///< of each head, per sample, not times its weight
    std::vector<Rows<T>> z;              ///< what h' is computed from if that is not the nodes,
                                         ///< else without rows
    std::vector<std::optional<Normalized<T>>> normalized;  ///< of normalised layers only
    std::optional<Normalized<T>> normalized_inputs;        ///< if they are normalised, in `input`
    std::vector<Rows<T>> nodes, deltas;                    ///< of layer i + 1 in the paper's count
    Rows<T> scores;                                        ///< what the loss reads: see loss.hpp
    std::optional<Rows<T>> features;    ///< derivatives by the features, once requested,
    bool features_known = false;        ///< whether of these deltas
    bool has_deltas = false;            ///< whether of the current parameters
    BatchContext context;               ///< of the last `Network::forward`,
    std::optional<Features<T>> x;       ///< what it borrowed,
    std::vector<std::uint32_t> places;  ///< and which rows of it are in use
};

}  // namespace fastmlp
