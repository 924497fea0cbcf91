#include "propagation/cache_size.hpp"

#include <atomic>
#include <cstdint>
#include <fstream>
#include <string>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace fastmlp {
namespace {

#if defined(__APPLE__)

std::size_t by_system(const char* name) {
    std::uint64_t bytes = 0;
    std::size_t length = sizeof(bytes);
    return sysctlbyname(name, &bytes, &length, nullptr, 0) == 0 ? bytes : 0;
}

CacheSizes by_system() {
    return {by_system("hw.l1dcachesize"), by_system("hw.l2cachesize")};
}

#else

/// The C library's answer, which is CPUID's on x86 and often none on other processors.
std::size_t by_library(int level) {
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    const long bytes = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
#else
    return static_cast<void>(level), std::size_t{0};
#endif
}

/// Linux' answer: a folder for each cache, with files such as "2", "Unified" and "1024K".
std::size_t by_sysfs(int level) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index";
    const auto open = [&](int index, const char* name) {
        return std::ifstream(folder + std::to_string(index) + "/" + name);
    };
    int found = 0;
    std::string type;
    std::size_t kilobytes = 0;
    for (int index = 0; open(index, "level") >> found; ++index) {
        if (found != level || !(open(index, "type") >> type) || type == "Instruction") continue;
        if (open(index, "size") >> kilobytes) return kilobytes << 10;
    }
    return 0;
}

CacheSizes by_system() {
    const auto size = [](int level) {
        const std::size_t bytes = by_library(level);
        return bytes != 0 ? bytes : by_sysfs(level);
    };
    return {size(1), size(2)};
}

#endif

/// Virtual machines report all kinds of sizes: none is believed beyond what cores have.
std::size_t believable(std::size_t bytes, std::size_t unknown) {
    return bytes == 0 ? unknown : std::clamp(bytes, unknown / 4, unknown * 4);
}

std::atomic<std::size_t> assumed_l1{0}, assumed_l2{0};

}  // namespace

CacheSizes cache_sizes() {
    static const CacheSizes kSizes = [] {
        const CacheSizes given = by_system(), unknown;
        return CacheSizes{believable(given.l1, unknown.l1), believable(given.l2, unknown.l2)};
    }();
    const std::size_t l2 = assumed_l2.load(std::memory_order_relaxed);
    return l2 == 0 ? kSizes : CacheSizes{assumed_l1.load(std::memory_order_relaxed), l2};
}

void assume_cache_sizes(const CacheSizes* sizes) {
    assumed_l1.store(sizes ? sizes->l1 : 0, std::memory_order_relaxed);
    assumed_l2.store(sizes ? sizes->l2 : 0, std::memory_order_relaxed);
}

}  // namespace fastmlp
