#include "files/json.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace fastmlp::files {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | (code >> 12));
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xF0 | (code >> 18));
        tail(12), tail(6), tail(0);
    }
}

/// Bytes of the code point at the start of `text`, 0 if it is not well-formed (Unicode, table 3-7).
std::size_t code_point_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
    const unsigned first = byte(0), second = byte(1);
    if (first == 0) return 0;
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && second < 0xA0;
        const bool surrogate = first == 0xED && second > 0x9F;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && second < 0x90;
        const bool too_large = first == 0xF4 && second > 0x8F;
        return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::size_t valid_utf8_length(std::string_view text) {
    std::size_t position = 0;
    while (position < text.size()) {
        const std::size_t length = code_point_length(text.substr(position));
        if (length == 0) break;
        position += length;
    }
    return position;
}

void JsonReader::fail(std::string problem) const {
    fail_at(position_, std::move(problem));
}

void JsonReader::fail_at(std::size_t position, std::string problem) {
    throw JsonError{position, std::move(problem)};
}

char JsonReader::next() {
    if (at_end()) fail("the text ends too early");
    return text_[position_++];
}

void JsonReader::expect(char symbol) {
    if (!accept(symbol)) fail(std::string("expected '") + symbol + "'");
}

bool JsonReader::accept(char symbol) {
    if (at_end() || text_[position_] != symbol) return false;
    ++position_;
    return true;
}

std::uint32_t JsonReader::code_unit() {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = next();
        const bool letter = c >= 'a' && c <= 'f';
        if (!is_digit(c) && !letter) fail_at(position_ - 1, "expected a lower-case hex digit");
        unit = unit * 16 + static_cast<std::uint32_t>(letter ? c - 'a' + 10 : c - '0');
    }
    return unit;
}

/// Reads what follows a backslash.
void JsonReader::escape(std::string& out) {
    const std::size_t start = position_ - 1;
    const char kind = next();
    switch (kind) {
        case '"':
        case '\\': out += kind; return;
        case 'b': out += '\b'; return;
        case 'f': out += '\f'; return;
        case 'n': out += '\n'; return;
        case 'r': out += '\r'; return;
        case 't': out += '\t'; return;
        case 'u': break;
        default: fail_at(start, "unknown escape in a string");
    }
    std::uint32_t code = code_unit();
    if (code >= 0xD800 && code < 0xDC00) {
        if (!accept('\\') || !accept('u')) fail_at(start, "half a surrogate pair");
        const std::uint32_t low = code_unit();
        if (low < 0xDC00 || low > 0xDFFF) fail_at(start, "half a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code == 0 || (code >= 0xDC00 && code < 0xE000)) {
        fail_at(start, code == 0 ? "NUL in a string" : "half a surrogate pair");
    }
    append_utf8(out, code);
}

std::string JsonReader::string() {
    expect('"');
    std::string out;
    for (;;) {
        const std::size_t start = position_;
        const char c = next();
        if (c == '"') return out;
        if (c == '\\') {
            escape(out);
            continue;
        }
        const std::size_t length = code_point_length(text_.substr(start));
        if (length == 0 || static_cast<unsigned char>(c) < 0x20) {
            fail_at(start, length == 0 ? "a string is not UTF-8, or has a NUL"
                                       : "a control character in a string");
        }
        out += text_.substr(start, length);
        position_ = start + length;
    }
}

std::uint64_t JsonReader::integer() {
    const std::size_t start = position_;
    while (!at_end() && is_digit(text_[position_])) ++position_;
    const std::string_view digits = text_.substr(start, position_ - start);
    std::uint64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc{} || stop != end || (digits.size() > 1 && digits[0] == '0')) {
        fail_at(start, "expected an integer of 0 to 2^64 - 1");
    }
    return value;
}

double JsonReader::number() {
    const std::size_t start = position_;
    while (!at_end() &&
           (is_digit(text_[position_]) ||
            std::string_view("+-.e").find(text_[position_]) != std::string_view::npos)) {
        ++position_;
    }
    // Not from_chars, which some standard libraries still lack for double.
    std::istringstream digits{std::string(text_.substr(start, position_ - start))};
    digits.imbue(std::locale::classic());
    double value = 0;
    digits >> value;
    if (digits.fail() || digits.peek() != std::istringstream::traits_type::eof() ||
        !std::isfinite(value)) {
        fail_at(start, "expected a finite number");
    }
    return value;
}

bool JsonReader::boolean() {
    for (const std::string_view word : {"true", "false"}) {
        if (text_.substr(position_, word.size()) != word) continue;
        position_ += word.size();
        return word == "true";
    }
    fail("expected true or false");
}

bool JsonReader::accept_null() {
    if (text_.substr(position_, 4) != "null") return false;
    position_ += 4;
    return true;
}

void JsonReader::skip(int depth) {
    if (depth == 0) fail("is nested too deeply");
    switch (at_end() ? '\0' : text_[position_]) {
        case '{': return object([&](const std::string&) { skip(depth - 1); });
        case '[': return array([&] { skip(depth - 1); });
        case '"': string(); return;
        case 't':
        case 'f': boolean(); return;
        default:
            if (!accept_null()) number();
    }
}

std::string without_spaces(std::string_view json) {
    std::string result;
    bool is_string = false, is_escaped = false;
    for (const char c : json) {
        if (c == ' ' && !is_string) continue;
        result += c;
        if (c == '"' && !is_escaped) is_string = !is_string;
        is_escaped = c == '\\' && !is_escaped;
    }
    return result;
}

std::string json_string(std::string_view text) {
    if (valid_utf8_length(text) != text.size()) {
        throw std::invalid_argument("a name or text for a file is not UTF-8, or has a NUL");
    }
    std::string out = "\"";
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (code < 0x20) {
            out += std::string("\\u00") + "01"[code / 16] + "0123456789abcdef"[code % 16];
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string json_number(double value) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    for (int digits = 1; digits <= std::numeric_limits<double>::max_digits10; ++digits) {
        out.str("");
        out.precision(digits);
        out << value;
        if (JsonReader(out.str()).number() == value) break;
    }
    return out.str();
}

}  // namespace fastmlp::files
