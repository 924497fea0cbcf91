/// What an archive says of itself.
#pragma once

#include <cstdint>

namespace fastmlp::files {

constexpr const char* kFormat = "fastmlp";
constexpr std::uint64_t kFormatVersion = 1;
/// The metadata that are the file's own.
constexpr const char* kOwnKeys[] = {"format", "version", "crc32c"};

}  // namespace fastmlp::files
