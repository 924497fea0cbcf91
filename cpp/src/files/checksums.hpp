/// The checksums of an archive: one of the metadata, one of each tensor, so that what is damaged
/// can be named. They tell what the file says, not how its header writes it down, so that another
/// program may write the same tensors in another order.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "files/safetensors.hpp"

namespace fastmlp::files {

constexpr const char* kChecksumKey = "crc32c";

/// Of all metadata but the checksums themselves.
std::string metadata_checksum(const std::map<std::string, std::string>& metadata);
/// Of all that the file says of a tensor: name, type, shape and elements.
std::string tensor_checksum(const Entry& entry, std::span<const std::byte> bytes);

/// "aaaaaaaa bbbbbbbb ...": the metadata's, then the tensors' in the order of their names.
std::string joined_checksums(const std::string& of_metadata,
                             const std::map<std::string_view, std::string>& of_tensors);

/// FormatError, which names the first part that is not what was written. The tensors' `data` begin
/// at `data_offset` of the file.
void check_checksums(const std::string& file, const Header& header, std::span<const std::byte> data,
                     std::uint64_t data_offset);

}  // namespace fastmlp::files
