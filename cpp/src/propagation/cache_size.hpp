/// The size of this machine's L2 cache, by which large batches are divided. It decides when memory
/// is accessed, never a result.
#pragma once

#include <cstddef>

namespace fastmlp {

/// Bytes per core; 1 MiB where the system does not say.
std::size_t l2_cache_size();

/// From now on `l2_cache_size` is `bytes`, for tests; 0: that of the machine.
void assume_l2_cache_size(std::size_t bytes);

}  // namespace fastmlp
