/// Inverted dropout: the mask of each sample, and the scale of the nodes it keeps.
///
/// The mask is a function of the seed, the layer, the epochs trained, the sample's position in its
/// epoch, and the node. It is computed in both the forward and the backward pass, which is cheaper
/// than storing it.
#pragma once

#include <algorithm>
#include <cmath>

#include "fastmlp/random.hpp"
#include "kernels/table.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp {

/// The mask of the batch's first sample in layer `layer`.
inline kernels::Mask dropout_mask(std::uint64_t seed, std::size_t layer, double rate,
                                  const BatchContext& context) {
    const double least = std::min(std::nearbyint(rate * 0x1p32), 0x1p32 - 1);
    return {seed,
            static_cast<std::uint32_t>(Purpose::kDropout) + 256 * static_cast<std::uint32_t>(layer),
            context.epoch, static_cast<std::uint32_t>(context.position),
            static_cast<std::uint32_t>(least)};
}

/// to = from / (1 - rate) where kept, else +0, for rows `range`: from h to nodes, and for deltas
/// the same, once they are multiplied by h' (unless a normalization follows h). `to` may be `from`.
/// `mask` belongs to the batch's first sample; `places` are the rows' positions in the batch, null
/// for 0, 1, 2, ...
template <class T>
void drop(const kernels::KernelTable<T>& kernel, const kernels::Mask& mask, double rate,
          Range range, const std::uint32_t* places, Rows<T>& from, Rows<T>& to) {
    const auto place = [&](std::size_t b) {
        return places ? places[b] : static_cast<std::uint32_t>(b);
    };
    for (Range run = range; run.first < range.last; run.first = run.last) {
        run.last = places ? run.first + 1 : range.last;  // consecutive samples
        while (run.last < range.last && place(run.last) == place(run.last - 1) + 1) ++run.last;
        kernels::Mask own = mask;
        own.position += place(run.first);
        kernel.dropout(from.row(run.first), from.stride, run.size(), from.cols, own,
                       static_cast<T>(1.0 / (1.0 - rate)), to.row(run.first), to.stride);
    }
}

}  // namespace fastmlp
