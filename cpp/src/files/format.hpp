/// The metadata of the format itself.
#pragma once

#include <cstdint>

namespace fastmlp::files {

constexpr const char* kFormat = "fastmlp";
constexpr std::uint64_t kFormatVersion = 2;
/// The keys of metadata that the format reserves.
constexpr const char* kOwnKeys[] = {"format", "version", "crc32c"};
/// The metadata of version 2: a file with any of them is of version 2, every other of version 1.
constexpr const char* kNetworkKey = "network";
constexpr const char* kEnsembleKey = "ensemble";
constexpr const char* kTableKey = "table";

template <class Metadata>
std::uint64_t needed_version(const Metadata& metadata) {
    for (const char* key : {kNetworkKey, kEnsembleKey, kTableKey}) {
        if (metadata.contains(key)) return 2;
    }
    return 1;
}

}  // namespace fastmlp::files
