/// A file of an archive whose parts may say anything, with checksums that are right nevertheless.
#pragma once

#include <map>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "fastmlp/archive.hpp"
#include "files/checksums.hpp"
#include "files/format.hpp"
#include "files/json.hpp"
#include "files/safetensors.hpp"

namespace check {

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// Replaces one of the values in `json`, a number, a string or a list, by another.
inline void replace_value(std::string& json, std::mt19937& random, const std::string& value) {
    std::vector<std::pair<std::size_t, std::size_t>> values;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (json[i] != ':' && json[i] != ',' && json[i] != '[') continue;
        const std::size_t end = json.find_first_of(",]}:", i + 1);
        if (end != std::string::npos && json[end] != ':') values.emplace_back(i + 1, end);
    }
    if (values.empty()) return;
    const auto [begin, end] = values[random() % values.size()];
    json.replace(begin, end - begin, value);
}

class SignedFile {
public:
    /// `archive` has one entry of metadata, which describes the networks.
    explicit SignedFile(const fastmlp::Archive& archive) {
        std::tie(key_, description_) = *archive.metadata.begin();
        std::uint64_t begin = 0;
        for (const fastmlp::Tensor& tensor : archive.tensors) {
            const std::uint64_t end = begin + tensor.bytes.size();
            entries_.push_back({tensor.name, tensor.type, tensor.shape, begin, end, 0});
            fields_.push_back(
                std::string("{\"dtype\":") + quoted(fastmlp::element_name(tensor.type)) +
                ",\"shape\":" + fastmlp::files::shape_text(tensor.shape) + ",\"data_offsets\":[" +
                std::to_string(begin) + "," + std::to_string(end) + "]}");
            data_.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
            begin = end;
        }
    }

    /// The networks' description, then each tensor's fields: JSON, to be changed.
    std::string& part(std::size_t i) { return i == 0 ? description_ : fields_[i - 1]; }
    std::size_t part_count() const { return 1 + fields_.size(); }

    /// `missing` bytes at the end are left out.
    std::string bytes(std::size_t missing = 0) const {
        std::map<std::string, std::string> metadata = {{key_, description_}, {"format", "fastmlp"}};
        metadata["version"] = std::to_string(fastmlp::files::needed_version(metadata));
        metadata["crc32c"] = checksums(metadata);
        std::string header;
        for (const auto& [key, value] : metadata) {
            header += (header.empty() ? "{\"__metadata__\":{" : ",");
            header += quoted(key) + ":" + quoted(value);
        }
        header += "}";
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            header += ',';
            header += quoted(entries_[i].name) + ":" + fields_[i];
        }
        header += "}";
        std::string file;
        for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
        file += header + data_;
        file.resize(file.size() - std::min(missing, data_.size()));
        return file;
    }

private:
    static std::string quoted(std::string_view text) { return fastmlp::files::json_string(text); }

    /// As a reader computes them: for the types and shapes that the fields say.
    std::string checksums(const std::map<std::string, std::string>& metadata) const {
        std::map<std::string_view, std::string> of_tensors;
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            fastmlp::files::Entry entry = entries_[i];
            read_fields(fields_[i], entry);
            const std::size_t begin = std::min<std::size_t>(entry.begin, data_.size());
            const std::size_t size =
                std::min<std::size_t>(entry.end - entry.begin, data_.size() - begin);
            of_tensors[entries_[i].name] =
                fastmlp::files::tensor_checksum(entry, bytes_of(data_).subspan(begin, size));
        }
        return fastmlp::files::joined_checksums(fastmlp::files::metadata_checksum(metadata),
                                                of_tensors);
    }

    /// What a reader would take from the fields, if they make sense.
    static void read_fields(const std::string& fields, fastmlp::files::Entry& entry) {
        try {
            const std::string header = "{\"__metadata__\":{},\"a\":" + fields + "}";
            const auto parsed = fastmlp::files::parse_header(header, "file", [](const auto&) {});
            entry.type = parsed.entries.at(0).type;
            entry.shape = parsed.entries.at(0).shape;
        } catch (const fastmlp::FormatError&) {
            return;  // the reader will not come so far
        }
    }

    std::string key_, description_, data_;
    std::vector<fastmlp::files::Entry> entries_;
    std::vector<std::string> fields_;
};

}  // namespace check
