#include "files/crc32c.hpp"

#include <array>

namespace fastmlp::files {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[i][b]: the contribution of byte b, i bytes before the end of a block of eight.
constexpr Tables make_tables() {
    constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, lowest bit first
    Tables tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t crc = b;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc % 2 != 0 ? kPolynomial : 0);
        tables[0][b] = crc;
    }
    for (std::size_t i = 1; i < tables.size(); ++i) {
        for (std::size_t b = 0; b < 256; ++b) {
            const std::uint32_t shorter = tables[i - 1][b];
            tables[i][b] = (shorter >> 8) ^ tables[0][shorter % 256];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

/// Eight bytes at a time (Kounavis and Berry, 2008): about 2 GB/s without special instructions.
void Crc32c::add(std::span<const std::byte> bytes) {
    std::uint32_t crc = state_;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        crc ^= byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
        crc = kTables[7][crc % 256] ^ kTables[6][(crc >> 8) % 256] ^ kTables[5][(crc >> 16) % 256] ^
              kTables[4][crc >> 24] ^ kTables[3][byte(i + 4)] ^ kTables[2][byte(i + 5)] ^
              kTables[1][byte(i + 6)] ^ kTables[0][byte(i + 7)];
    }
    for (; i < bytes.size(); ++i) crc = (crc >> 8) ^ kTables[0][(crc ^ byte(i)) % 256];
    state_ = crc;
}

std::string Crc32c::hex() const {
    std::string digits;
    for (int shift = 28; shift >= 0; shift -= 4) {
        digits += "0123456789abcdef"[(value() >> shift) % 16];
    }
    return digits;
}

}  // namespace fastmlp::files
