#include "fastmlp/buffer.hpp"

#include <cstdint>
#include <new>

#include "kept_memory.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace fastmlp {
namespace {

constexpr std::align_val_t kAlignment{128};  // two lines: the prefetcher's pair

constinit KeptMemory kept;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;  // it could not tell that released memory is used
#elif defined(__has_feature)
constexpr bool kKeeps = !__has_feature(address_sanitizer);
#else
constexpr bool kKeeps = true;
#endif

/// The weights of a wide layer lie on more pages than a core can translate addresses for without
/// reading the page tables (2048-2048-2048-10, batch 2048: 4 % of a step). May have no effect.
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

}  // namespace

void* allocate_buffer(std::size_t bytes) noexcept {
    constexpr std::size_t kLarge = std::size_t{1} << 22;  // as in NumPy
    if (void* const memory = kKeeps ? kept.take(bytes) : nullptr) return memory;
    // nothrow, because AddressSanitizer aborts the process if a throwing `new` fails.
    void* const memory = ::operator new(bytes, kAlignment, std::nothrow);
    if (memory != nullptr && bytes >= kLarge) prefer_large_pages(memory, bytes);
    return memory;
}

void release_buffer(void* memory, std::size_t bytes) noexcept {
    const auto release = [](void* block) { ::operator delete(block, kAlignment); };
    if (kKeeps && memory != nullptr) {
        kept.give(memory, bytes, release);
    } else {
        release(memory);
    }
}

}  // namespace fastmlp
