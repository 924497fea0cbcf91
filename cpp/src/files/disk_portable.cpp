// For systems without POSIX: writing is as atomic as the standard library allows. It does not sync,
// so a power failure may lose data.

#include <cerrno>
#include <fstream>
#include <ios>
#include <random>
#include <string>
#include <utility>

#include "files/disk.hpp"

namespace fastmlp::files {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const fs::path& path) {
    const int error = errno != 0 ? errno : EIO;
    throw fs::filesystem_error(what, path, std::error_code(error, std::generic_category()));
}

void refuse_unless_regular(const fs::path& path) {
    if (fs::is_regular_file(path)) return;
    const auto error =
        fs::is_directory(path) ? std::errc::is_a_directory : std::errc::invalid_argument;
    throw fs::filesystem_error("not a regular file", path, std::make_error_code(error));
}

}  // namespace

struct InputFile::State {
    fs::path path;
    std::ifstream file;
    std::uint64_t size;
};

InputFile::InputFile(const fs::path& path) {
    if (fs::exists(path)) refuse_unless_regular(path);
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) fail("cannot open", path);
    state_ = std::make_unique<State>(State{path, std::move(file), fs::file_size(path)});
}

InputFile::~InputFile() = default;

std::uint64_t InputFile::size() const {
    return state_->size;
}

bool InputFile::read(std::span<std::byte> bytes) {
    errno = 0;
    state_->file.read(reinterpret_cast<char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
    if (state_->file.bad()) fail("cannot read", state_->path);
    return !state_->file.fail();
}

struct AtomicFile::State {
    explicit State(const fs::path& path) : target(fs::weakly_canonical(path)) {
        if (fs::exists(target)) refuse_unless_regular(target);
        const std::string random = std::to_string(std::random_device{}());
        temporary = target.parent_path() / ".";
        temporary += target.filename();
        temporary += "." + random + ".tmp";
        errno = 0;
        file.open(temporary, std::ios::binary | std::ios::trunc);
        check();
    }
    ~State() {
        file.close();
        std::error_code ignored;
        if (!temporary.empty()) fs::remove(temporary, ignored);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void check() const {
        if (!file) fail("cannot write", target);
    }

    fs::path target, temporary;
    std::ofstream file;
};

AtomicFile::AtomicFile(const fs::path& path) : state_(std::make_unique<State>(path)) {}

AtomicFile::~AtomicFile() = default;

void AtomicFile::reserve(std::uint64_t /*size*/) {}

void AtomicFile::write(std::span<const std::byte> bytes) {
    state_->file.write(reinterpret_cast<const char*>(bytes.data()),
                       static_cast<std::streamsize>(bytes.size()));
    state_->check();
}

void AtomicFile::commit() {
    state_->file.close();
    state_->check();
    fs::rename(state_->temporary, state_->target);
    state_->temporary.clear();
}

}  // namespace fastmlp::files
