/// The JSON of model files. Each value has exactly one spelling, so that every flipped bit of a
/// file is detected: no whitespace, floating point only where expected, \u00xx in lower case and
/// only for characters that must be escaped, valid UTF-8, no NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fastmlp::files {

/// A syntax error, with its position in the text.
struct JsonError {
    std::size_t position;
    std::string problem;
};

/// Reads values one after the other: the caller knows what to expect. Anything else throws
/// JsonError.
class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    std::size_t position() const { return position_; }
    bool at_end() const { return position_ == text_.size(); }
    /// Reads `symbol`, or throws.
    void expect(char symbol);
    /// Reads the next character if it is `symbol`; returns whether it was.
    bool accept(char symbol);

    std::string string();
    /// A decimal integer below 2^64.
    std::uint64_t integer();
    /// A finite number.
    double number();
    /// true or false.
    bool boolean();
    /// Reads null if it comes next; returns whether it did.
    bool accept_null();
    /// Reads a value of any kind, nested less than `depth` deep.
    void skip(int depth = 64);

    /// {"key":value,...}: calls `member(key)`, which reads the value.
    template <class Member>
    void object(Member member) {
        expect('{');
        if (accept('}')) return;
        do {
            const std::string key = string();
            expect(':');
            member(key);
        } while (accept(','));
        expect('}');
    }

    /// [value,...]: calls `element()`, which reads one.
    template <class Element>
    void array(Element element) {
        expect('[');
        if (accept(']')) return;
        do {
            element();
        } while (accept(','));
        expect(']');
    }

    [[noreturn]] void fail(std::string problem) const;
    [[noreturn]] static void fail_at(std::size_t position, std::string problem);

private:
    char next();
    std::uint32_t code_unit();
    void escape(std::string& out);

    std::string_view text_;
    std::size_t position_ = 0;
};

/// JSON without spaces between its values.
std::string without_spaces(std::string_view json);

/// The JSON string of `text`, with quotes. Throws std::invalid_argument if `text` is not UTF-8 or
/// contains a NUL.
std::string json_string(std::string_view text);
/// The shortest decimal that reads back as the same double.
std::string json_number(double value);

/// The position of the first byte of `text` that is NUL or not valid UTF-8; its size if none is.
std::size_t valid_utf8_length(std::string_view text);

}  // namespace fastmlp::files
