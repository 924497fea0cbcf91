#include "files/temporary_names.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>
#include <system_error>

namespace fastmlp::files {
namespace {

constexpr std::string_view kSuffix = ".tmp";
constexpr std::size_t kRandomDigits = 16;

}  // namespace

std::string temporary_prefix(const std::string& name) {
    std::size_t length = std::min<std::size_t>(name.size(), 200);
    while (length < name.size() && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) {
        --length;
    }
    return std::string(".").append(name, 0, length) + ".";
}

std::string temporary_ending(int process) {
    std::random_device random;
    char digits[kRandomDigits + 1];
    std::snprintf(digits, sizeof digits, "%08x%08x", random(), random());
    return std::to_string(process) + "." + digits + std::string(kSuffix);
}

int writer_of(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return 0;
    const std::string_view rest = name.substr(prefix.size());
    int pid = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), pid);
    const auto digits = static_cast<std::size_t>(stop - rest.data());
    const bool shaped =
        rest.size() == digits + 1 + kRandomDigits + kSuffix.size() && rest[digits] == '.';
    return error == std::errc{} && shaped && pid > 0 ? pid : 0;
}

}  // namespace fastmlp::files
