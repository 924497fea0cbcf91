#include "propagation/cache_size.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace fastmlp {
namespace {

std::size_t size_by_system() {
#if defined(__APPLE__)
    std::uint64_t bytes = 0;
    std::size_t length = sizeof(bytes);
    if (sysctlbyname("hw.l2cachesize", &bytes, &length, nullptr, 0) == 0) return bytes;
#elif defined(_SC_LEVEL2_CACHE_SIZE)
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (bytes > 0) return static_cast<std::size_t>(bytes);
#endif
    return 0;
}

/// Virtual machines report all kinds of sizes: none is believed beyond what cores have.
std::size_t believable_size() {
    constexpr std::size_t kUnknown = std::size_t{1} << 20, kLeast = kUnknown / 4, kMost = 4 << 20;
    const std::size_t bytes = size_by_system();
    return bytes == 0 ? kUnknown : std::clamp(bytes, kLeast, kMost);
}

std::atomic<std::size_t> assumed{0};

}  // namespace

std::size_t l2_cache_size() {
    static const std::size_t kSize = believable_size();
    const std::size_t other = assumed.load(std::memory_order_relaxed);
    return other == 0 ? kSize : other;
}

void assume_l2_cache_size(std::size_t bytes) {
    assumed.store(bytes, std::memory_order_relaxed);
}

}  // namespace fastmlp
