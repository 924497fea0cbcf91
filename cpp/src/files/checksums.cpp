#include "files/checksums.hpp"

#include "fastmlp/interruption.hpp"
#include "files/crc32c.hpp"

namespace fastmlp::files {
namespace {

constexpr std::string_view kEnd("\0", 1);

}  // namespace

/// Of a tensor's name, type, shape and elements.
std::string tensor_checksum(const Entry& entry, std::span<const std::byte> bytes) {
    Crc32c crc;
    crc.add(entry.name), crc.add(kEnd);
    crc.add(element_name(entry.type)), crc.add(kEnd);
    crc.add(shape_text(entry.shape)), crc.add(kEnd);
    constexpr std::size_t kPiece = std::size_t{1} << 25;
    while (bytes.size() > kPiece) {
        crc.add(bytes.first(kPiece));
        bytes = bytes.subspan(kPiece);
        look_for_interrupt();
    }
    crc.add(bytes);
    return crc.hex();
}

/// Of all metadata but the checksums themselves.
std::string metadata_checksum(const std::map<std::string, std::string>& metadata) {
    Crc32c crc;
    for (const auto& [key, value] : metadata) {
        if (key == kChecksumKey) continue;
        crc.add(key), crc.add(kEnd);
        crc.add(value), crc.add(kEnd);
    }
    return crc.hex();
}

/// "aaaaaaaa bbbbbbbb ...": of the metadata, then of the tensors sorted by name.
std::string joined_checksums(const std::string& of_metadata,
                             const std::map<std::string_view, std::string>& of_tensors) {
    std::string text = of_metadata;
    for (const auto& [name, checksum] : of_tensors) (text += ' ') += checksum;
    return text;
}

/// Compares all checksums; the error names the first damaged part.
void check_checksums(const std::string& file, const Header& header, std::span<const std::byte> data,
                     std::uint64_t data_offset) {
    std::map<std::string_view, const Entry*> by_name;
    for (const Entry& entry : header.entries) by_name.emplace(entry.name, &entry);
    const std::string& written = header.metadata.at(kChecksumKey);
    if (written.size() != 9 * by_name.size() + 8) {
        throw FormatError(file, "metadata 'crc32c'", kLengthBytes,
                          "needs one checksum for the metadata and one for each tensor");
    }
    constexpr const char* kDamaged = "damaged: the checksum differs";
    if (written.compare(0, 8, metadata_checksum(header.metadata)) != 0) {
        throw FormatError(file, "metadata", kLengthBytes, kDamaged);
    }
    std::size_t position = 8;
    for (const auto& [name, entry] : by_name) {
        const auto bytes = data.subspan(static_cast<std::size_t>(entry->begin),
                                        static_cast<std::size_t>(entry->end - entry->begin));
        if (written[position] != ' ' ||
            written.compare(position + 1, 8, tensor_checksum(*entry, bytes)) != 0) {
            throw FormatError(file, "tensor '" + entry->name + "'", data_offset + entry->begin,
                              kDamaged);
        }
        position += 9;
    }
}

}  // namespace fastmlp::files
