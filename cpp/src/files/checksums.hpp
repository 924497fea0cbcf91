/// The checksums of an archive: one of the metadata and one of each tensor, so that an error can
/// name the damaged part. They cover the content of the file, not the text of its header: another
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
/// Of a tensor's name, type, shape and elements.
std::string tensor_checksum(const Entry& entry, std::span<const std::byte> bytes);

/// "aaaaaaaa bbbbbbbb ...": of the metadata, then of the tensors sorted by name.
std::string joined_checksums(const std::string& of_metadata,
                             const std::map<std::string_view, std::string>& of_tensors);

/// Throws FormatError, which names the first damaged part. The tensors' `data` begin at
/// `data_offset` of the file.
void check_checksums(const std::string& file, const Header& header, std::span<const std::byte> data,
                     std::uint64_t data_offset);

}  // namespace fastmlp::files
