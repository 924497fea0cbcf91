/// Files as the system has them. Everything here throws std::filesystem::filesystem_error, with the
/// system's error code and the path, and is implemented once per platform.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace fastmlp::files {

/// A regular file, opened for reading. Never mapped: a file that another process cuts short would
/// take this one with it.
class InputFile {
public:
    explicit InputFile(const std::filesystem::path& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    std::uint64_t size() const;
    /// Fills `bytes` with what comes next; false where the file ends before.
    bool read(std::span<std::byte> bytes);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A file that appears under its name whole, or not at all.
///
/// It is written as `.name.pid.random.tmp` in the same folder. `commit` brings it to the disk and
/// gives it the name; without a commit it is removed. What processes that died have left of the
/// same name is removed first. Of a symbolic link the file it leads to is replaced, which keeps its
/// permissions; a hard link to the old file keeps the old bytes.
class AtomicFile {
public:
    explicit AtomicFile(const std::filesystem::path& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Throws if there is no room for `size` bytes, where the system tells.
    void reserve(std::uint64_t size);
    void write(std::span<const std::byte> bytes);
    void commit();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace fastmlp::files
