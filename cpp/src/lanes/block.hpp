/// How many rows of a batch are computed at a time in lanes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/cache_size.hpp"
#include "training/options.hpp"

namespace fastmlp {

/// The widest layer with batches normalised as a whole, in lanes, if they leave half the L2 cache:
/// nothing goes block by block then, while the rows of one wide network alone stay in the L1 cache.
/// Without this limit 10-32-32-3 would take up to 1.05 times as long, 8-16-1 is 1.7 times as fast.
inline constexpr std::size_t kWidestOfWholeBatches = 24;

/// How many times the L2 cache such batches may take at most. At five times, 20-24-2 gains 5 %, at
/// ten it takes 1.1 and at forty 1.6 times as long as alone; one network needs less memory, too.
inline constexpr std::size_t kLargestOfWholeBatches = 8;

/// Of the features and nodes of all networks. Deltas are not counted: those of a relu take the
/// place of its nodes, and others fit beside them.
template <class T>
std::size_t bytes_of_lane_row(const Network<T>& network, std::size_t lanes) {
    std::size_t columns = network.features();
    for (const Layer& layer : network.layers()) columns += layer.nodes;
    return columns * lanes * sizeof(T);
}

/// Rows of a batch that are computed at a time: all if it is normalised as a whole, else as many as
/// take a sixteenth of the L2 cache (of 1 MiB: 12 KiB to 64 KiB were measured). Long rows take up
/// to an eighth, as each block reads and writes the sums of all gradients: 64-8-10 of float64 takes
/// 4 to 8 % longer in blocks of 24 rows than of 40, but 10-16-16-3 12 % longer in 88 than in 44.
template <class T>
std::size_t rows_of_lane_block(const Network<T>& network, std::size_t lanes, std::size_t batch) {
    constexpr std::size_t kTile = 4, kFew = 40;
    if (measures_batches(network.layers())) return batch;
    const std::size_t l2 = cache_sizes().l2, row = bytes_of_lane_row(network, lanes);
    const auto rows_in = [=](std::size_t bytes) { return bytes / row / kTile * kTile; };
    const std::size_t most = std::max(rows_in(l2 / 16), std::min(kFew, rows_in(l2 / 8)));
    const std::size_t blocks = most > 0 ? (batch + most - 1) / most : batch;
    const std::size_t even = (batch + blocks - 1) / blocks;
    return std::min(batch, (even + kTile - 1) / kTile * kTile);
}

/// Whether batches of this size are worth the lanes.
template <class T>
bool batch_fits_in_lanes(const Network<T>& network, std::size_t lanes, std::size_t batch) {
    const std::vector<Layer>& layers = network.layers();
    if (!measures_batches(layers)) return true;
    const std::size_t l2 = cache_sizes().l2, bytes = bytes_of_lane_row(network, lanes);
    if (batch <= l2 / 2 / bytes) return true;
    if (batch > kLargestOfWholeBatches * l2 / bytes) return false;
    return std::all_of(layers.begin(), layers.end(),
                       [](const Layer& layer) { return layer.nodes <= kWidestOfWholeBatches; });
}

}  // namespace fastmlp
