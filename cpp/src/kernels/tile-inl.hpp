/// The register tiles of all products.
///
/// Lanes run over outputs, so every output is one in-order fma chain for any tile: `Rows` x
/// `Vectors` accumulators stay in registers while the reduction index runs innermost. The exception
/// are narrow layers, which sum by k mod 16 (narrow-inl.hpp).
///
/// `S::pin` hides a loaded vector from gcc 12, which otherwise folds the load into each of its uses
/// (one load per fma instead of one per tile column; 25 % slower). It must see a scalar temporary:
/// pinning an array element sends the whole array to the stack.
#pragma once

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
using Reg = typename S::Reg;
template <class S>
using Scalar = typename S::Scalar;

constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/// Rows of the register tile for a panel of `vectors` vectors: about 24 accumulators, and at most 8
/// row pointers, which just fit in the general registers.
template <class S>
constexpr std::size_t tile_rows(std::size_t vectors) {
    const std::size_t rows = S::kRows * S::kVectors / vectors;
    return rows > 8 ? 8 : rows;
}

/// Calls f(first, size) for `count` items in the fewest parts of at most `most` items, of equal
/// sizes where possible, so that no part is a small remainder.
template <class F>
FASTMLP_INLINE void for_each_part(std::size_t count, std::size_t most, F f) {
    std::size_t parts = (count + most - 1) / most;
    for (std::size_t first = 0; parts > 0; --parts) {
        const std::size_t size = (count - first + parts - 1) / parts;
        f(first, size);
        first += size;
    }
}

/// Calls f with the compile-time constant `n`, 1 <= n <= kMost.
template <int N>
struct Constant {
    static constexpr int value = N;
};
template <int kMost, class F>
FASTMLP_INLINE void with_constant(std::size_t n, F f) {
    if constexpr (kMost > 1) {
        if (n < kMost) return with_constant<kMost - 1>(n, f);
    }
    f(Constant<kMost>{});
}

}  // namespace
}  // namespace fastmlp::kernels
