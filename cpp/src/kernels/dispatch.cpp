#include "kernels/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "fastmlp/isa.hpp"

namespace fastmlp {
namespace kernels {

// One per <isa>.cpp. Taking an address is safe on every machine; calling a kernel is not.
extern const Isa kScalar;
extern const Isa kAvx2;
extern const Isa kAvx512;
extern const Isa kNeon;

namespace {

/// Best first. The compiler's check includes operating system support for the registers.
std::vector<const Isa*> detect() {
    std::vector<const Isa*> isas;
#if defined(FASTMLP_HAVE_AVX512)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("fma")) {
        isas.push_back(&kAvx512);
    }
#endif
#if defined(FASTMLP_HAVE_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(&kAvx2);
#endif
#if defined(FASTMLP_HAVE_NEON)
    isas.push_back(&kNeon);
#endif
    isas.push_back(&kScalar);
    return isas;
}

const std::vector<const Isa*>& available() {
    static const std::vector<const Isa*> isas = detect();
    return isas;
}

const Isa* find(std::string_view name) {
    for (const Isa* isa : available()) {
        if (name == isa->name) return isa;
    }
    return nullptr;
}

std::string not_available(std::string_view what, std::string_view name) {
    std::string text = std::string(what) + " '" + std::string(name) +
                       "' is not available on this machine; available: ";
    for (const Isa* isa : available()) {
        if (isa != available().front()) text += ", ";
        text += isa->name;
    }
    return text;
}

const Isa& choose() {
    const char* forced = std::getenv("FASTMLP_ISA");
    if (forced == nullptr || *forced == '\0') return *available().front();
    if (const Isa* isa = find(forced)) return *isa;
    throw std::invalid_argument(not_available("FASTMLP_ISA: instruction set", forced));
}

}  // namespace

const Isa& active_isa() {
    static const Isa& isa = choose();  // a failed choice is repeated at the next call
    return isa;
}

const Isa& find_isa(std::string_view name) {
    if (const Isa* isa = find(name)) return *isa;
    throw std::invalid_argument(not_available("instruction set", name));
}

}  // namespace kernels

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const kernels::Isa* isa : kernels::available()) names.emplace_back(isa->name);
    return names;
}

}  // namespace fastmlp
