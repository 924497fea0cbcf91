#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastmlp/interruption.hpp"
#include "files/disk.hpp"
#include "files/temporary_names.hpp"

namespace fastmlp::files {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGathered = 1 << 16;
/// The largest number of bytes per read or write, and so between two checks for interrupts.
constexpr std::size_t kLargestCall = std::size_t{1} << 25;

[[noreturn]] void fail(const char* what, int error, const fs::path& path) {
    throw fs::filesystem_error(what, path, std::error_code(error, std::generic_category()));
}

/// Repeats a call that was interrupted by a signal.
template <class Call>
auto retried(Call call) {
    auto result = call();
    while (result == -1 && errno == EINTR) result = call();
    return result;
}

/// An open file, closed by the destructor.
class Descriptor {
public:
    explicit Descriptor(int file = -1) : file_(file) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(file_, other.file_);
        return *this;
    }

    bool open() const { return file_ != -1; }
    int get() const { return file_; }
    void release() { file_ = -1; }
    /// Like ::close, but EINTR counts as closed.
    int close() {
        const int result = open() ? ::close(std::exchange(file_, -1)) : 0;
        return result == -1 && errno == EINTR ? 0 : result;
    }

private:
    int file_;
};

int bring_to_disk(const Descriptor& file) {
#if defined(F_FULLFSYNC)  // macOS, where fsync does not flush the drive's cache
    if (::fcntl(file.get(), F_FULLFSYNC) == 0) return 0;
#endif
    return retried([&] { return ::fsync(file.get()); });
}

/// `path` with symbolic links resolved, whether or not the file exists.
fs::path followed(fs::path path) {
    for (int links = 0; links < 40; ++links) {
        if (!fs::is_symlink(fs::symlink_status(path))) return path;
        const fs::path next = fs::read_symlink(path);
        path = next.is_absolute() ? next : path.parent_path() / next;
    }
    fail("cannot write", ELOOP, path);
}

/// The status of `target`, if it exists and may be replaced.
std::optional<struct stat> replaceable(const fs::path& target) {
    const fs::path name = target.filename();
    const bool folder = name.empty() || name == "." || name == "..";
    if (folder) fail("cannot write", target.empty() ? ENOENT : EISDIR, target);
    struct stat status{};
    if (::lstat(target.c_str(), &status) == -1) {
        if (errno == ENOENT) return std::nullopt;
        fail("cannot write", errno, target);
    }
    if (S_ISDIR(status.st_mode)) fail("cannot write", EISDIR, target);
    if (!S_ISREG(status.st_mode)) fail("not a regular file", EINVAL, target);
    if (::access(target.c_str(), W_OK) == -1) fail("cannot write", errno, target);
    return status;
}

/// Whether a temporary is still being written, and so locked by its writer. Without locks, as on
/// some network file systems: whether a process with the writer's PID is alive.
bool is_in_use(const Descriptor& temporary, int writer) {
    if (::flock(temporary.get(), LOCK_EX | LOCK_NB) == 0) return false;
    return errno == EWOULDBLOCK || ::kill(writer, 0) == 0 || errno != ESRCH;
}

/// Removes temporaries of dead processes. The PID alone is no evidence: in a container, a restarted
/// process often has the PID of the one that died. Errors are ignored.
void sweep(const Descriptor& folder, const std::string& prefix) {
    Descriptor list(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> names(list.open() ? ::fdopendir(list.get()) : nullptr,
                                                    &::closedir);
    if (!names) return;
    list.release();  // closed by closedir
    while (const dirent* const found = ::readdir(names.get())) {
        const int writer = writer_of(found->d_name, prefix);
        if (writer == 0) continue;
        constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
        const Descriptor file(::openat(folder.get(), found->d_name, kFlags));
        if (!file.open() || is_in_use(file, writer)) continue;
        ::unlinkat(folder.get(), found->d_name, 0);
    }
}

/// Locks a new temporary against `sweep`. False if another process is just removing it.
bool locked(const Descriptor& temporary) {
    if (::flock(temporary.get(), LOCK_EX | LOCK_NB) == -1) return errno != EWOULDBLOCK;
    struct stat status{};
    return ::fstat(temporary.get(), &status) == -1 || status.st_nlink > 0;
}

}  // namespace

struct InputFile::State {
    fs::path path;
    Descriptor file;
    std::uint64_t size;
};

InputFile::InputFile(const fs::path& path) {
    // Non-blocking: a pipe is refused below, not waited for.
    constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    Descriptor file(retried([&] { return ::open(path.c_str(), kFlags); }));
    if (!file.open()) fail("cannot open", errno, path);
    struct stat status{};
    if (::fstat(file.get(), &status) == -1) fail("cannot read", errno, path);
    if (S_ISDIR(status.st_mode)) fail("cannot read", EISDIR, path);
    if (!S_ISREG(status.st_mode)) fail("not a regular file", EINVAL, path);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    state_ = std::make_unique<State>(State{path, std::move(file), size});
}

InputFile::~InputFile() = default;

std::uint64_t InputFile::size() const {
    return state_->size;
}

bool InputFile::read(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t count = std::min(bytes.size(), kLargestCall);
        const int file = state_->file.get();
        const auto got = retried([&] { return ::read(file, bytes.data(), count); });
        if (got == -1) fail("cannot read", errno, state_->path);
        if (got == 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(got));
        look_for_interrupt();
    }
    return true;
}

struct AtomicFile::State {
    explicit State(fs::path to) : target(std::move(to)), old(replaceable(target)) {
        const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
        constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        folder = Descriptor(retried([&] { return ::open(parent.c_str(), kFlags); }));
        check(folder.open());
    }
    ~State() {
        if (!temporary.empty()) ::unlinkat(folder.get(), temporary.c_str(), 0);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void check(bool done) const {
        if (!done) fail("cannot write", errno, target);
    }
    void create_temporary();
    void write(std::span<const std::byte> bytes);

    fs::path target;
    std::optional<struct stat> old;
    Descriptor folder, file;
    Descriptor lock;        ///< a duplicate of `file`, which stays locked until it is renamed
    std::string temporary;  ///< name in the folder; empty if there is none
    std::vector<std::byte> pending;  ///< small pieces, buffered
};

void AtomicFile::State::create_temporary() {
    const std::string prefix = temporary_prefix(target.filename().string());
    sweep(folder, prefix);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    do {
        temporary.clear();
        std::string name = prefix + temporary_ending(::getpid());
        file =
            Descriptor(retried([&] { return ::openat(folder.get(), name.c_str(), kFlags, 0666); }));
        check(file.open());
        temporary = std::move(name);
    } while (!locked(file));
    lock = Descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (old) check(::fchmod(file.get(), old->st_mode & 0777) == 0);
    pending.reserve(kGathered);
}

void AtomicFile::State::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t count = std::min(bytes.size(), kLargestCall);
        const auto written = retried([&] { return ::write(file.get(), bytes.data(), count); });
        if (written == 0) fail("cannot write", EIO, target);
        check(written != -1);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        // Sync piece by piece: a sync of everything in `commit` could not be interrupted.
        if (count == kLargestCall) check(bring_to_disk(file) == 0);
        look_for_interrupt();
    }
}

AtomicFile::AtomicFile(const fs::path& path) : state_(std::make_unique<State>(followed(path))) {
    state_->create_temporary();
}

AtomicFile::~AtomicFile() = default;

void AtomicFile::reserve([[maybe_unused]] std::uint64_t size) {
#if defined(__linux__)
    const int file = state_->file.get();
    const bool done =
        retried([&] { return ::fallocate(file, 0, 0, static_cast<off_t>(size)); }) == 0;
    const bool full = !done && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
    state_->check(!full);  // any other error: not supported by the file system
#endif
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    auto& pending = state_->pending;
    if (pending.size() + bytes.size() > kGathered) {
        state_->write(pending);
        pending.clear();
    }
    if (bytes.size() > kGathered) {
        state_->write(bytes);
    } else {
        pending.insert(pending.end(), bytes.begin(), bytes.end());
    }
}

void AtomicFile::commit() {
    State& at = *state_;
    at.write(at.pending);
    at.check(bring_to_disk(at.file) == 0);
    at.check(at.file.close() == 0);
    const int folder = at.folder.get();
    const fs::path name = at.target.filename();
    at.check(::renameat(folder, at.temporary.c_str(), folder, name.c_str()) == 0);
    at.temporary.clear();
    // Some file systems cannot sync a folder; they write the name later.
    at.check(bring_to_disk(at.folder) == 0 || errno == EINVAL);
}

}  // namespace fastmlp::files
