/// Files are little-endian, whatever the machine is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace fastmlp::files {

/// Swaps the bytes of each element of `size` bytes where this machine is not little-endian: from
/// the file's order, or to it.
inline void swap_byte_order(std::byte* bytes, std::size_t count, std::size_t size) {
    if constexpr (std::endian::native == std::endian::big) {
        for (std::size_t i = 0; i < count; i += size) std::reverse(bytes + i, bytes + i + size);
    }
}

}  // namespace fastmlp::files
