/// Named tensors and texts in one file: the container of models and checkpoints.
///
/// The file is safetensors, of which docs/file-format.md describes the strict subset read here.
/// Reading runs no code, allocates nothing before all sizes are checked, and detects every
/// truncated file and every flipped bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp/element_type.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// The content of a file is invalid.
class FASTMLP_API FormatError : public std::invalid_argument {
public:
    FormatError(std::string in_file, std::string in_field, std::uint64_t at_offset,
                const std::string& its_problem);

    std::string file;
    std::string field;     ///< "header", "tensor 'layers.0.weights'", "metadata 'architecture'"
    std::uint64_t offset;  ///< in bytes, from the start of the file
    std::string problem;
};

/// The name in the file, such as "F32". Throws std::invalid_argument for a type that files do not
/// support.
FASTMLP_API std::string_view element_name(ElementType type);

/// An array in C order and in this machine's byte order, borrowed.
struct Tensor {
    std::string name;
    ElementType type;
    std::vector<std::size_t> shape;
    std::span<const std::byte> bytes;
};

struct FASTMLP_API Archive {
    /// Without "format", "version" and "crc32c", which the format reserves.
    std::map<std::string, std::string> metadata;
    std::vector<Tensor> tensors;
    /// The memory that the tensors of an archive borrow, if it was read from a file.
    std::shared_ptr<std::byte[]> memory;

    /// Null if there is none of this name.
    const Tensor* find(std::string_view name) const;
};

/// Writes the file atomically: to a temporary in the same folder, which is synced to the disk and
/// then renamed. The bytes depend on the archive only.
///
/// Throws std::invalid_argument for an archive that cannot be written, and
/// std::filesystem::filesystem_error (a std::system_error) with errno and path for errors of the
/// system; an old file is then unchanged.
FASTMLP_API void write_archive(const std::filesystem::path& path, const Archive& archive);

/// Throws what `write_archive` would throw now, as far as this can be checked without writing:
/// whether the file can be created and, on systems that can check it, whether there is space.
FASTMLP_API void check_can_write(const std::filesystem::path& path, const Archive& archive);

/// Throws FormatError, std::filesystem::filesystem_error, or std::bad_alloc.
FASTMLP_API Archive read_archive(const std::filesystem::path& path);

/// Throws what `read_archive` would throw for the file's header and size, without reading the rest.
FASTMLP_API void check_header(const std::filesystem::path& path);

/// The bytes of the file that `write_archive` writes.
FASTMLP_API std::vector<std::byte> format_archive(const Archive& archive);

/// `read_archive` for a file in memory; `name` is used in errors.
FASTMLP_API Archive parse_archive(std::span<const std::byte> bytes,
                                  const std::string& name = "<memory>");

}  // namespace fastmlp
