/// The sizes of this machine's caches, from which the sizes of blocks follow that are to stay in
/// them. They decide when memory is accessed, never a result. No block depends on a third-level
/// cache.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/table.hpp"

namespace fastmlp {

/// Bytes per core.
struct CacheSizes {
    std::size_t l1 = std::size_t{32} << 10;  ///< of data
    std::size_t l2 = std::size_t{1} << 20;
};

/// Those of this machine; the above where the system does not say.
CacheSizes cache_sizes();

/// From now on `cache_sizes` returns `sizes`, for tests; null: those of the machine.
void assume_cache_sizes(const CacheSizes* sizes);

/// How many items of `bytes` fit into `size` bytes of a cache, in whole vectors of kPad items.
inline std::size_t items_in_cache(std::size_t size, std::size_t bytes) {
    return std::max(kernels::kPad, size / bytes / kernels::kPad * kernels::kPad);
}

/// Rows that inference takes through all layers together: enough to reuse a panel of weights from
/// the cache, few enough that their nodes stay in it (128 for a cache of 1 MiB).
inline std::size_t rows_in_cache() {
    return items_in_cache(cache_sizes().l2, 8192);
}

}  // namespace fastmlp
