#include "files/safetensors.hpp"

#include <array>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "files/json.hpp"

namespace fastmlp {
namespace {

struct ElementKind {
    ElementType type;
    std::string_view name;
};

constexpr std::array<ElementKind, 11> kElementKinds = {{
    {ElementType::kBool, "BOOL"},
    {ElementType::kU8, "U8"},
    {ElementType::kI8, "I8"},
    {ElementType::kU16, "U16"},
    {ElementType::kI16, "I16"},
    {ElementType::kU32, "U32"},
    {ElementType::kI32, "I32"},
    {ElementType::kF32, "F32"},
    {ElementType::kU64, "U64"},
    {ElementType::kI64, "I64"},
    {ElementType::kF64, "F64"},
}};

}  // namespace

std::string_view element_name(ElementType type) {
    for (const ElementKind& kind : kElementKinds) {
        if (kind.type == type) return kind.name;
    }
    throw std::invalid_argument("files do not hold elements of this type");
}

FormatError::FormatError(std::string in_file, std::string in_field, std::uint64_t at_offset,
                         const std::string& its_problem)
    : std::invalid_argument(in_file + ": " + in_field + ": " + its_problem + " (byte " +
                            std::to_string(at_offset) + ")"),
      file(std::move(in_file)), field(std::move(in_field)), offset(at_offset),
      problem(its_problem) {}

}  // namespace fastmlp

namespace fastmlp::files {
namespace {

/// The three fields of a tensor, each once, in any order.
struct Fields {
    std::optional<ElementType> type;
    std::optional<std::vector<std::size_t>> shape;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> offsets;
};

class HeaderParser {
public:
    explicit HeaderParser(std::string_view text) : json_(text) {}

    Header parse(
        const std::function<void(const std::map<std::string, std::string>&)>& check_metadata) {
        Header header;
        bool first = true;
        json_.object([&](const std::string& name) {
            if (first && name != kMetadata) {
                json_.fail("the file was not written by fastmlp, which puts '__metadata__' first");
            }
            if (!first && name == kMetadata) json_.fail("'__metadata__' comes twice");
            if (std::exchange(first, false)) {
                header.metadata = metadata();
                check_metadata(header.metadata);
            } else {
                header.entries.push_back(entry(name, header.data_size()));
            }
        });
        if (first) json_.fail("the file was not written by fastmlp: it has no '__metadata__'");
        while (json_.accept(' ')) continue;
        if (!json_.at_end()) json_.fail("expected nothing but blanks behind the header");
        check_names(header.entries);
        return header;
    }

    /// The name of what is being read, for errors.
    const std::string& field() const { return field_; }

private:
    std::map<std::string, std::string> metadata() {
        field_ = "metadata";
        std::map<std::string, std::string> result;
        json_.object([&](const std::string& key) {
            field_ = "metadata '" + key + "'";
            if (!result.emplace(key, json_.string()).second) json_.fail("the key comes twice");
        });
        field_ = "header";
        return result;
    }

    Entry entry(const std::string& name, std::uint64_t begin) {
        field_ = "tensor '" + name + "'";
        const std::size_t position = json_.position();
        if (name.empty()) json_.fail("a tensor has no name");
        Fields fields;
        json_.object([&](const std::string& key) { field_value(key, fields); });
        if (!fields.type || !fields.shape || !fields.offsets) {
            json_.fail("a tensor needs dtype, shape and data_offsets");
        }
        const auto [from, to] = *fields.offsets;
        std::uint64_t size = 0;
        if (!tensor_size(*fields.type, *fields.shape, size)) json_.fail("the shape is too large");
        if (from != begin) {
            JsonReader::fail_at(position, "data_offsets begin at " + std::to_string(from) +
                                              ", but the tensor before it ends at " +
                                              std::to_string(begin));
        }
        if (to < from || to - from != size) {
            JsonReader::fail_at(position,
                                "shape " + shape_text(*fields.shape) + " of " +
                                    std::string(element_name(*fields.type)) + " takes " +
                                    std::to_string(size) + " bytes, but data_offsets are [" +
                                    std::to_string(from) + "," + std::to_string(to) + "]");
        }
        field_ = "header";
        return {name, *fields.type, std::move(*fields.shape), from, to, kLengthBytes + position};
    }

    void field_value(const std::string& key, Fields& fields) {
        if (key == "dtype" && !fields.type) {
            fields.type = element_type();
        } else if (key == "shape" && !fields.shape) {
            fields.shape = shape();
        } else if (key == "data_offsets" && !fields.offsets) {
            json_.expect('[');
            const std::uint64_t from = json_.integer();
            json_.expect(',');
            fields.offsets = {from, json_.integer()};
            json_.expect(']');
        } else {
            json_.fail("field '" + key + "' is unknown or comes twice");
        }
    }

    ElementType element_type() {
        const std::size_t position = json_.position();
        const std::string name = json_.string();
        for (const ElementKind& kind : kElementKinds) {
            if (kind.name == name) return kind.type;
        }
        JsonReader::fail_at(position, "dtype '" + name + "' is not supported");
    }

    std::vector<std::size_t> shape() {
        std::vector<std::size_t> result;
        json_.array([&] {
            const std::uint64_t extent = json_.integer();
            if (result.size() == kMaximalRank) json_.fail("more than 8 dimensions");
            if (extent > std::numeric_limits<std::size_t>::max()) json_.fail("too large");
            result.push_back(static_cast<std::size_t>(extent));
        });
        return result;
    }

    void check_names(const std::vector<Entry>& entries) {
        std::set<std::string_view> names;
        for (const Entry& entry : entries) {
            if (names.insert(entry.name).second) continue;
            field_ = "tensor '" + entry.name + "'";
            JsonReader::fail_at(static_cast<std::size_t>(entry.position) - kLengthBytes,
                                "the name comes twice");
        }
    }

    JsonReader json_;
    std::string field_ = "header";
};

}  // namespace

bool tensor_size(ElementType type, const std::vector<std::size_t>& shape, std::uint64_t& bytes) {
    bytes = element_size(type);
    bool empty = false, fits = true;
    for (const std::uint64_t extent : shape) {
        empty = empty || extent == 0;
        if (empty) continue;
        fits = fits && bytes <= std::numeric_limits<std::uint64_t>::max() / extent;
        bytes *= extent;
    }
    if (empty) bytes = 0;
    return empty || fits;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i > 0) text += ',';
        text += std::to_string(shape[i]);
    }
    return text + "]";
}

std::string format_header(const Header& header) {
    std::string text = "{\"__metadata__\":{";
    for (const auto& [key, value] : header.metadata) {
        if (text.back() != '{') text += ',';
        text += json_string(key) + ":" + json_string(value);
    }
    text += "}";
    for (const Entry& entry : header.entries) {
        text += ',';
        text += json_string(entry.name) + ":{\"dtype\":" + json_string(element_name(entry.type)) +
                ",\"shape\":" + shape_text(entry.shape) + ",\"data_offsets\":[" +
                std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
    }
    text += "}";
    text.append((8 - text.size() % 8) % 8, ' ');
    if (text.size() > kMaximalHeader) {
        throw std::invalid_argument("the names, shapes and metadata take " +
                                    std::to_string(text.size()) + " bytes; a file can hold " +
                                    std::to_string(kMaximalHeader));
    }
    return text;
}

Header parse_header(
    std::string_view text, const std::string& file,
    const std::function<void(const std::map<std::string, std::string>&)>& check_metadata) {
    HeaderParser parser(text);
    try {
        return parser.parse(check_metadata);
    } catch (const JsonError& error) {
        throw FormatError(file, parser.field(), kLengthBytes + error.position, error.problem);
    }
}

}  // namespace fastmlp::files
