/// Inverted dropout: which mask belongs to which sample, and what it keeps is scaled by.
///
/// The mask is a function of the seed, the layer, the epochs trained, the sample's position in its
/// epoch, and the node. It is drawn where it is applied, going forward and backward: that costs
/// less than to keep it.
#pragma once

#include <algorithm>
#include <cmath>

#include "batch_context.hpp"
#include "fastmlp/random.hpp"
#include "kernels/table.hpp"
#include "workspace.hpp"

namespace fastmlp {

/// The mask of the batch's first row in layer `layer`.
inline kernels::Mask dropout_mask(std::uint64_t seed, std::size_t layer, double rate,
                                  const BatchContext& context) {
    const double least = std::min(std::nearbyint(rate * 0x1p32), 0x1p32 - 1);
    return {seed,
            static_cast<std::uint32_t>(Purpose::kDropout) + 256 * static_cast<std::uint32_t>(layer),
            context.epoch, static_cast<std::uint32_t>(context.position),
            static_cast<std::uint32_t>(least)};
}

/// to = from / (1 - rate) where kept, else +0, for rows `range`; from h to nodes, or from dL/dnodes
/// to dL/dh. Both may be one.
template <class T>
void drop(const kernels::KernelTable<T>& kernel, kernels::Mask mask, double rate, Range range,
          Rows<T>& from, Rows<T>& to) {
    mask.position += static_cast<std::uint32_t>(range.first);
    kernel.dropout(from.row(range.first), from.stride, range.size(), from.cols, mask,
                   static_cast<T>(1.0 / (1.0 - rate)), to.row(range.first), to.stride);
}

}  // namespace fastmlp
