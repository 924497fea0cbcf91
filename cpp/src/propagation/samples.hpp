/// The data of a training, and the order of its samples in an epoch. Batches are pointers to rows,
/// not copies; only rows of another type are converted into the workspace.
#pragma once

#include <vector>

#include "propagation/features.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// Puts the target and weight of `sample` into row `row` of the workspace.
template <class T>
void take_target(const Targets<T>& y, std::size_t sample, std::size_t row, Workspace<T>& work) {
    if (y.labels) {
        work.labels[row] = y.labels[sample];
    } else if (y.custom) {
        work.samples[row] = static_cast<std::uint32_t>(sample);
    } else {
        const T* const given = y.values.row(sample);
        work.targets[row] = work.scaled.by && !y.is_gradient ? work.scaled.take(given, row) : given;
    }
    if (y.weights) work.weights[row] = y.weights[sample];
}

/// Those of the positions 0..batch-1 whose weight_of(place) is not 0. Samples of weight 0 take no
/// part in a step: multiplying by 0 would not remove nodes that are infinite or NaN.
template <class WeightOf>
void find_counting(std::size_t batch, WeightOf weight_of, std::vector<std::uint32_t>& places) {
    places.clear();
    for (std::size_t b = 0; b < batch; ++b) {
        if (weight_of(b) != 0) places.push_back(static_cast<std::uint32_t>(b));
    }
}

/// The rows of a batch that count: whose weight is not 0, or all without weights.
template <class T>
std::vector<std::uint32_t> counting_rows(const T* weights, std::size_t rows) {
    std::vector<std::uint32_t> places;
    places.reserve(rows);
    find_counting(rows, [&](std::size_t b) { return weights ? weights[b] : T(1); }, places);
    return places;
}

template <class T>
struct Samples {
    Samples(const Features<T>& features, const Targets<T>& targets)
        : x(features), y(targets), lines(features), size(features.rows) {}

    void take(const Features<T>& features, const Targets<T>& targets) {
        x = features;
        y = targets;
        lines = RowLines(features);
        size = features.rows;
    }

    Features<T> x;
    Targets<T> y;
    RowLines lines;                        ///< of x
    std::size_t size;                      ///< how many to train on; x may have others
    const std::uint32_t* order = nullptr;  ///< of this epoch; null: 0, 1, 2, ...
    std::size_t before = 0;                ///< samples of the epoch before these
    std::uint32_t epoch = 0;               ///< of the network, in which they are

    std::size_t count() const { return size; }
    std::size_t operator[](std::size_t i) const { return order ? order[i] : i; }

    /// Gathers samples first + rows of the epoch, or first + places[rows] for a batch with weights,
    /// into rows `row` + rows of the workspace.
    void gather(const kernels::KernelTable<T>& kernel, std::size_t first, std::size_t row,
                Range rows, Workspace<T>& work, const std::uint32_t* places = nullptr) const {
        const auto sample_of = [&](std::size_t b) {
            return (*this)[first + (places ? places[b] : b)];
        };
        work.input.take_all(kernel, x, rows, sample_of, row);
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            take_target(y, sample_of(b), row + b, work);
        }
    }

    /// A prefetcher of dense rows: samples first + rows, up to the epoch's end.
    RowPrefetcher next_rows(std::size_t first, Range rows) const {
        return {lines,
                order,
                {std::min(count(), first + rows.first), std::min(count(), first + rows.last)}};
    }
};

}  // namespace fastmlp
