/// CRC-32C, the checksum of iSCSI (RFC 3720) and ext4. Detects every burst of errors of up to 32
/// bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fastmlp::files {

/// The checksum of data passed in pieces.
class Crc32c {
public:
    void add(std::span<const std::byte> bytes);
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    std::uint32_t value() const { return ~state_; }
    /// Eight lower-case hexadecimal digits.
    std::string hex() const;

private:
    std::uint32_t state_ = 0xFFFFFFFF;
};

}  // namespace fastmlp::files
