/// File access, implemented once per platform. Everything here throws
/// std::filesystem::filesystem_error with the system's error code and the path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace fastmlp::files {

/// A regular file, opened for reading. Never memory-mapped: if another process truncated the file,
/// this one would be killed by a signal.
class InputFile {
public:
    explicit InputFile(const std::filesystem::path& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    std::uint64_t size() const;
    /// Reads the next bytes; false if the file ends before `bytes` is full.
    bool read(std::span<std::byte> bytes);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A file that is written atomically: it appears complete or not at all.
///
/// It is written as `.name.pid.random.tmp` in the same folder. `commit` syncs it to the disk and
/// renames it; without a commit it is removed. Temporaries left by dead processes for the same name
/// are removed first. If the path is a symbolic link, its target is replaced and keeps its
/// permissions; a hard link to the old file keeps the old content.
class AtomicFile {
public:
    explicit AtomicFile(const std::filesystem::path& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Throws if there is no space for `size` bytes, on systems that can check it.
    void reserve(std::uint64_t size);
    void write(std::span<const std::byte> bytes);
    void commit();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace fastmlp::files
