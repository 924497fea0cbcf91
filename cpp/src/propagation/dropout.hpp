/// Inverted dropout: which mask belongs to which sample, and what it keeps is scaled by.
///
/// The mask is a function of the seed, the layer, the epochs trained, the sample's position in its
/// epoch, and the node. It is drawn where it is applied, going forward and backward: that costs
/// less than to keep it.
#pragma once

#include <algorithm>
#include <cmath>

#include "fastmlp/random.hpp"
#include "kernels/table.hpp"
#include "propagation/batch_context.hpp"
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

/// to = from / (1 - rate) where kept, else +0, for rows `range`; from h to nodes, or from dL/dnodes
/// to dL/dh. Both may be one. `mask` is that of the batch's first sample, `places` those of the
/// rows in the batch: null for 0, 1, 2, ...
template <class T>
void drop(const kernels::KernelTable<T>& kernel, const kernels::Mask& mask, double rate,
          Range range, const std::uint32_t* places, Rows<T>& from, Rows<T>& to) {
    const auto place = [&](std::size_t b) {
        return places ? places[b] : static_cast<std::uint32_t>(b);
    };
    for (Range run = range; run.first < range.last; run.first = run.last) {
        run.last = places ? run.first + 1 : range.last;  // samples that stand side by side
        while (run.last < range.last && place(run.last) == place(run.last - 1) + 1) ++run.last;
        kernels::Mask own = mask;
        own.position += place(run.first);
        kernel.dropout(from.row(run.first), from.stride, run.size(), from.cols, own,
                       static_cast<T>(1.0 / (1.0 - rate)), to.row(run.first), to.stride);
    }
}

}  // namespace fastmlp
