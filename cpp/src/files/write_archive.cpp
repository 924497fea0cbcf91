#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <vector>

#include "fastmlp/archive.hpp"
#include "files/byte_order.hpp"
#include "files/checksums.hpp"
#include "files/disk.hpp"
#include "files/format.hpp"
#include "files/safetensors.hpp"

namespace fastmlp {
namespace {

using files::Entry;
using files::Header;

/// The tensor's bytes in the file's byte order: borrowed, or in `swapped` if the order differs.
std::span<const std::byte> file_bytes(const Tensor& tensor, std::vector<std::byte>& swapped) {
    if constexpr (std::endian::native == std::endian::little) return tensor.bytes;
    swapped.assign(tensor.bytes.begin(), tensor.bytes.end());
    files::swap_byte_order(swapped.data(), swapped.size(), element_size(tensor.type));
    return swapped;
}

void check_writable(const Archive& archive) {
    for (const char* key : files::kOwnKeys) {
        if (archive.metadata.contains(key)) {
            throw std::invalid_argument(std::string("the metadata '") + key +
                                        "' are the file's own");
        }
    }
    for (const Tensor& tensor : archive.tensors) {
        if (tensor.name.empty() || tensor.name == files::kMetadata) {
            throw std::invalid_argument("'" + tensor.name + "' cannot be the name of a tensor");
        }
        if (tensor.shape.size() > files::kMaximalRank) {
            throw std::invalid_argument("tensor '" + tensor.name + "' has " +
                                        std::to_string(tensor.shape.size()) +
                                        " dimensions, at most 8 fit");
        }
        std::uint64_t size = 0;
        if (!files::tensor_size(tensor.type, tensor.shape, size) || size != tensor.bytes.size()) {
            throw std::invalid_argument("tensor '" + tensor.name + "': the shape " +
                                        files::shape_text(tensor.shape) + " takes other than " +
                                        std::to_string(tensor.bytes.size()) + " bytes");
        }
    }
}

/// The tensors in file order: larger elements first, so that all are aligned.
std::vector<const Tensor*> in_file_order(const Archive& archive) {
    std::vector<const Tensor*> tensors;
    for (const Tensor& tensor : archive.tensors) tensors.push_back(&tensor);
    std::stable_sort(tensors.begin(), tensors.end(), [](const Tensor* a, const Tensor* b) {
        return element_size(a->type) > element_size(b->type);
    });
    return tensors;
}

Header make_header(const Archive& archive, const std::vector<const Tensor*>& tensors) {
    Header header{archive.metadata, {}};
    header.metadata["format"] = files::kFormat;
    header.metadata["version"] = std::to_string(files::needed_version(archive.metadata));
    std::map<std::string_view, std::string> checksums;
    std::vector<std::byte> swapped;
    for (const Tensor* tensor : tensors) {
        const std::uint64_t begin = header.data_size();
        Entry entry{
            tensor->name, tensor->type, tensor->shape, begin, begin + tensor->bytes.size(), 0};
        std::string checksum = files::tensor_checksum(entry, file_bytes(*tensor, swapped));
        if (!checksums.emplace(tensor->name, std::move(checksum)).second) {
            throw std::invalid_argument("two tensors are called '" + tensor->name + "'");
        }
        header.entries.push_back(std::move(entry));
    }
    header.metadata[files::kChecksumKey] =
        files::joined_checksums(files::metadata_checksum(header.metadata), checksums);
    return header;
}

/// Calls write(bytes) for the parts of the file, in order, after start(size of the file).
template <class Start, class Write>
void write_parts(const Archive& archive, Start start, Write write) {
    check_writable(archive);
    const std::vector<const Tensor*> tensors = in_file_order(archive);
    const Header header = make_header(archive, tensors);
    const std::string text = files::format_header(header);
    std::byte word[files::kLengthBytes];
    for (std::size_t i = 0; i < files::kLengthBytes; ++i) {
        word[i] = static_cast<std::byte>(text.size() >> (8 * i));
    }
    start(files::kLengthBytes + text.size() + header.data_size());
    write(std::span<const std::byte>(word));
    write(std::as_bytes(std::span(text)));
    std::vector<std::byte> swapped;
    for (const Tensor* tensor : tensors) write(file_bytes(*tensor, swapped));
}

}  // namespace

void write_archive(const std::filesystem::path& path, const Archive& archive) {
    std::optional<files::AtomicFile> file;
    write_parts(
        archive, [&](std::uint64_t) { file.emplace(path); },
        [&](std::span<const std::byte> bytes) { file->write(bytes); });
    file->commit();
}

std::vector<std::byte> format_archive(const Archive& archive) {
    std::vector<std::byte> result;
    write_parts(
        archive, [&](std::uint64_t size) { result.reserve(static_cast<std::size_t>(size)); },
        [&](std::span<const std::byte> bytes) {
            result.insert(result.end(), bytes.begin(), bytes.end());
        });
    return result;
}

void check_can_write(const std::filesystem::path& path, const Archive& archive) {
    check_writable(archive);
    const Header header = make_header(archive, in_file_order(archive));
    const std::size_t text = files::format_header(header).size();
    files::AtomicFile(path).reserve(files::kLengthBytes + text + header.data_size());
}

}  // namespace fastmlp
