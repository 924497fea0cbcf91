/// Files are little-endian on every machine.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace fastmlp::files {

/// Converts elements of `size` bytes from or to the file's order: swaps their bytes unless this
/// machine is little-endian.
inline void swap_byte_order(std::byte* bytes, std::size_t count, std::size_t size) {
    if constexpr (std::endian::native == std::endian::big) {
        for (std::size_t i = 0; i < count; i += size) std::reverse(bytes + i, bytes + i + size);
    }
}

}  // namespace fastmlp::files
