#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "fastmlp/archive.hpp"
#include "files/byte_order.hpp"
#include "files/checksums.hpp"
#include "files/disk.hpp"
#include "files/format.hpp"
#include "files/json.hpp"
#include "files/safetensors.hpp"

namespace fastmlp {
namespace {

using files::Entry;
using files::Header;
using Metadata = std::map<std::string, std::string>;

/// Throws unless the file is in our format, of a known version.
void check_format(const std::string& file, const Metadata& metadata) {
    const auto value = [&](const char* key) {
        const auto found = metadata.find(key);
        return found == metadata.end() ? std::string() : found->second;
    };
    const auto refuse = [&](const std::string& key, const std::string& problem) {
        throw FormatError(file, "metadata '" + key + "'", files::kLengthBytes, problem);
    };
    if (value("format") != files::kFormat) {
        refuse("format", "must be 'fastmlp': the file was not written by fastmlp");
    }
    const std::string version = value("version");
    std::uint64_t written = 0;
    try {
        files::JsonReader number(version);
        written = number.integer();
        if (!number.at_end() || written == 0) number.fail("");
    } catch (const files::JsonError&) {
        refuse("version", "must be an integer from 1, got '" + version + "'");
    }
    if (written > files::kFormatVersion) {
        refuse("version", "written by version " + version +
                              " of the format; this library reads up to " +
                              std::to_string(files::kFormatVersion));
    }
    if (const std::uint64_t needed = files::needed_version(metadata); written != needed) {
        refuse("version", "is " + version + ", but the file holds what version " +
                              std::to_string(needed) + " has");
    }
    if (value("crc32c").empty()) refuse("crc32c", "there are no checksums");
}

/// A file in memory, with the interface of one on disk.
class MemoryFile {
public:
    explicit MemoryFile(std::span<const std::byte> bytes) : size_(bytes.size()), rest_(bytes) {}

    std::uint64_t size() const { return size_; }
    bool read(std::span<std::byte> bytes) {
        if (bytes.size() > rest_.size()) return false;
        if (!bytes.empty()) std::memcpy(bytes.data(), rest_.data(), bytes.size());
        rest_ = rest_.subspan(bytes.size());
        return true;
    }

private:
    std::uint64_t size_;
    std::span<const std::byte> rest_;
};

/// Fills all of `bytes`. The size was checked: it fails only if another process truncates the file.
template <class File>
void read_exactly(File& source, const std::string& file, std::span<std::byte> bytes) {
    if (!source.read(bytes)) {
        throw FormatError(file, "file", source.size(), "was cut short while it was read");
    }
}

template <class File>
std::string read_header_text(File& source, const std::string& file) {
    if (source.size() < files::kLengthBytes) {
        throw FormatError(file, "header length", 0,
                          "this is not a model file: it is shorter than the length of a header");
    }
    std::byte word[files::kLengthBytes];
    read_exactly(source, file, word);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < files::kLengthBytes; ++i) {
        length |= static_cast<std::uint64_t>(word[i]) << (8 * i);
    }
    if (length > files::kMaximalHeader) {
        throw FormatError(
            file, "header length", 0,
            "this is not a model file: it does not begin with the length of a header");
    }
    if (length > source.size() - files::kLengthBytes) {
        throw FormatError(file, "header length", 0,
                          "is " + std::to_string(length) + ", but the file has only " +
                              std::to_string(source.size()) + " bytes");
    }
    std::string text(static_cast<std::size_t>(length), '\0');
    read_exactly(source, file, std::as_writable_bytes(std::span(text)));
    return text;
}

std::shared_ptr<std::byte[]> allocate(std::uint64_t size) {
    if (size > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
    // nothrow, because AddressSanitizer aborts the process if a throwing `new` fails.
    auto* const memory = new (std::nothrow) std::byte[static_cast<std::size_t>(size)];
    if (memory == nullptr) throw std::bad_alloc();
    return std::shared_ptr<std::byte[]>(memory);
}

/// Reads the header and checks it against the size of the file; the tensors begin at `data_offset`.
template <class File>
Header read_header(File& source, const std::string& file, std::uint64_t& data_offset) {
    const std::string text = read_header_text(source, file);
    Header header = files::parse_header(
        text, file, [&](const Metadata& metadata) { check_format(file, metadata); });
    data_offset = files::kLengthBytes + text.size();
    if (header.data_size() != source.size() - data_offset) {
        throw FormatError(file, "file", source.size(),
                          "the header describes " + std::to_string(header.data_size()) +
                              " bytes of tensors, but " +
                              std::to_string(source.size() - data_offset) + " follow it");
    }
    return header;
}

template <class File>
Archive read_from(File& source, const std::string& file) {
    std::uint64_t data_offset = 0;
    Header header = read_header(source, file, data_offset);
    Archive archive;
    archive.memory = allocate(header.data_size());
    const std::span<std::byte> data(archive.memory.get(),
                                    static_cast<std::size_t>(header.data_size()));
    read_exactly(source, file, data);
    check_checksums(file, header, data, data_offset);
    for (Entry& entry : header.entries) {
        const auto bytes = data.subspan(static_cast<std::size_t>(entry.begin),
                                        static_cast<std::size_t>(entry.end - entry.begin));
        files::swap_byte_order(bytes.data(), bytes.size(), element_size(entry.type));
        archive.tensors.push_back(
            {std::move(entry.name), entry.type, std::move(entry.shape), bytes});
    }
    for (const char* key : files::kOwnKeys) header.metadata.erase(key);
    archive.metadata = std::move(header.metadata);
    return archive;
}

}  // namespace

const Tensor* Archive::find(std::string_view name) const {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const Tensor& tensor) { return tensor.name == name; });
    return found == tensors.end() ? nullptr : &*found;
}

Archive read_archive(const std::filesystem::path& path) {
    files::InputFile source(path);
    return read_from(source, path.string());
}

void check_header(const std::filesystem::path& path) {
    files::InputFile source(path);
    std::uint64_t data_offset = 0;
    read_header(source, path.string(), data_offset);
}

Archive parse_archive(std::span<const std::byte> bytes, const std::string& name) {
    MemoryFile source(bytes);
    return read_from(source, name);
}

}  // namespace fastmlp
