#include "fastmlp/buffer.hpp"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace fastmlp {

/// The weights of a wide layer lie on more pages than a core can translate addresses for without
/// reading the page tables (2048-2048-2048-10, batch 2048: 4 % of a step).
void prefer_large_pages(void* memory, std::size_t bytes) noexcept {
#if defined(MADV_HUGEPAGE)
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (start + page - 1) / page * page;
    if (first < start + bytes) {
        madvise(reinterpret_cast<void*>(first), start + bytes - first, MADV_HUGEPAGE);
    }
#else
    static_cast<void>(memory);
    static_cast<void>(bytes);
#endif
}

}  // namespace fastmlp
