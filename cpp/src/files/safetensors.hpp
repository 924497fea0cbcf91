/// The layout of a safetensors file: eight bytes of header length, the header as JSON, the tensors'
/// bytes without gaps.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp/archive.hpp"

namespace fastmlp::files {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaximalHeader = 1 << 20;
constexpr std::size_t kMaximalRank = 8;
constexpr std::string_view kMetadata = "__metadata__";  ///< a name that no tensor has

/// One tensor, as described in the header.
struct Entry {
    std::string name;
    ElementType type;
    std::vector<std::size_t> shape;
    std::uint64_t begin, end;  ///< of its bytes, from the end of the header
    std::uint64_t position;    ///< of its name, from the start of the file
};

struct Header {
    std::map<std::string, std::string> metadata;
    std::vector<Entry> entries;

    /// Bytes of all tensors.
    std::uint64_t data_size() const { return entries.empty() ? 0 : entries.back().end; }
};

/// The header as JSON text, padded with blanks so that the tensors are aligned. Throws
/// std::invalid_argument if it is too long.
std::string format_header(const Header& header);

/// Parses a header; `file` is the name for errors. `check_metadata` is called with the metadata,
/// which come first, before anything else is checked.
Header parse_header(
    std::string_view text, const std::string& file,
    const std::function<void(const std::map<std::string, std::string>&)>& check_metadata);

/// "[2,3]"
std::string shape_text(const std::vector<std::size_t>& shape);

/// The size of an array in bytes; nothing if it does not fit 64 bits.
bool tensor_size(ElementType type, const std::vector<std::size_t>& shape, std::uint64_t& bytes);

}  // namespace fastmlp::files
