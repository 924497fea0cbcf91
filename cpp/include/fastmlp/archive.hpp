/// Named tensors and texts in one file: what models and checkpoints are written as.
///
/// The file is safetensors, of which docs/file-format.md describes the strict subset read here.
/// Reading runs no code, allocates nothing before all sizes are checked, and refuses every file
/// that is cut short or has a flipped bit.
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

/// A file's bytes are not what they should be.
class FASTMLP_API FormatError : public std::invalid_argument {
public:
    FormatError(std::string in_file, std::string in_field, std::uint64_t at_offset,
                const std::string& its_problem);

    std::string file;
    std::string field;     ///< "header", "tensor 'layers.0.weights'", "metadata 'architecture'"
    std::uint64_t offset;  ///< byte of the file
    std::string problem;
};

/// The name in the file: "F32". std::invalid_argument if files do not hold the type.
FASTMLP_API std::string_view element_name(ElementType type);

/// An array in C order and in this machine's byte order, borrowed.
struct Tensor {
    std::string name;
    ElementType type;
    std::vector<std::size_t> shape;
    std::span<const std::byte> bytes;
};

struct FASTMLP_API Archive {
    /// "format", "version" and "crc32c" are the file's own: neither to be set nor to be found here.
    std::map<std::string, std::string> metadata;
    std::vector<Tensor> tensors;
    /// Of an archive that was read: what its tensors borrow.
    std::shared_ptr<std::byte[]> memory;

    /// Null where there is none of this name.
    const Tensor* find(std::string_view name) const;
};

/// Writes the file as a whole or not at all: into a temporary beside it, which is brought to the
/// disk and then takes its name. The bytes depend on the archive alone.
///
/// Throws std::invalid_argument for an archive that cannot be written, and
/// std::filesystem::filesystem_error (a std::system_error), which has errno and the path, for what
/// the system refuses; the file is then what it was before.
FASTMLP_API void write_archive(const std::filesystem::path& path, const Archive& archive);

/// Throws what `write_archive` would throw now, as far as that can be known without writing:
/// whether the file can be there, and, where the system tells, whether there is room for it.
FASTMLP_API void check_can_write(const std::filesystem::path& path, const Archive& archive);

/// Throws FormatError, std::filesystem::filesystem_error, or std::bad_alloc.
FASTMLP_API Archive read_archive(const std::filesystem::path& path);

/// Throws what `read_archive` would throw for the file's header and size, without reading more.
FASTMLP_API void check_header(const std::filesystem::path& path);

/// `read_archive` for a file that is in memory already; `name` is what errors call it.
FASTMLP_API Archive parse_archive(std::span<const std::byte> bytes,
                                  const std::string& name = "<memory>");

}  // namespace fastmlp
