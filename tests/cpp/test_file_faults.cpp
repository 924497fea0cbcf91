// Saving a model is all or nothing: killed or failing at any system call, or at any moment, the
// file is the old or the new one, whole, and nothing else remains.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

#include "check.hpp"
#include "fastmlp/serialize.hpp"
#include "system_calls.hpp"

#if defined(CHECK_HAS_SYSTEM_CALLS)

#include <sys/prctl.h>

namespace {

namespace fs = std::filesystem;
using check::Fault;
using fastmlp::Activation;
using fastmlp::Network;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // the sanitizers make additional system calls
#else
constexpr bool kSanitized = false;
#endif

constexpr int kSaved = 0, kNoSpace = 1, kOtherError = 2, kNoError = 3;

Network<float> make_network(std::uint64_t seed) {
    // More than the writer gathers, so that there are several writes.
    return {100,
            {{200, Activation::kRelu}, {3, Activation::kSoftmax}},
            fastmlp::Loss::kCrossEntropy,
            seed};
}

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// A folder with the file of network 1; `save_second` writes network 2 over it.
class Scene {
public:
    Scene() {
        char pattern[] = "/tmp/fastmlp-faults.XXXXXX";
        folder_ = mkdtemp(pattern);
        fastmlp::save(second_, target());
        new_ = contents(target());
        restore();
    }
    ~Scene() { fs::remove_all(folder_); }

    fs::path target() const { return folder_ / "model.safetensors"; }
    const fs::path& folder() const { return folder_; }

    void restore() {
        fastmlp::save(first_, target());
        if (old_.empty()) old_ = contents(target());
    }

    int save_second() const {
        try {
            fastmlp::save(second_, target());
            return kSaved;
        } catch (const fs::filesystem_error& error) {
            const bool no_space = error.code() == std::errc::no_space_on_device;
            return error.path1() == target() && no_space ? kNoSpace : kOtherError;
        } catch (const std::exception&) {
            return kOtherError;
        }
    }

    bool has_old() const { return contents(target()) == old_; }
    bool has_new() const { return contents(target()) == new_; }
    /// Old or new, and it loads.
    bool is_whole() const {
        fastmlp::load<float>(target());
        const std::string now = contents(target());  // once: others may be writing
        return now == old_ || now == new_;
    }

private:
    Network<float> first_ = make_network(1), second_ = make_network(2);
    fs::path folder_;
    std::string old_, new_;
};

/// The rename comes after the file is on the disk, and is itself brought there.
void test_order(const std::vector<long>& calls) {
    const auto find = [&](auto from, long call) { return std::find(from, calls.end(), call); };
    const auto file = find(calls.begin(), SYS_fsync);
    const auto rename = find(file, SYS_renameat);
    CHECK(rename != calls.end());
    CHECK(find(rename, SYS_fsync) != calls.end());
    CHECK(find(rename, SYS_write) == calls.end());
}

/// Killed before or after any call: old or new; at most one temporary, which the next save removes.
void test_kills(Scene& scene, std::size_t calls) {
    const auto save = [&] { return scene.save_second(); };
    for (std::size_t at = 0; at < calls; ++at) {
        for (const auto kind : {Fault::Kind::kKillBefore, Fault::Kind::kKillAfter}) {
            const auto outcome = check::run_with({kind, at, 0}, save);
            CHECK(outcome.status == -1);
            CHECK(scene.is_whole());
            CHECK(files_in(scene.folder()) <= 2);
            scene.restore();
            CHECK(files_in(scene.folder()) == 1);
        }
    }
}

/// Any call fails in any way: the result is an error, the old file and no temporary file; or, if
/// the call was not needed, the new file.
void test_errors(Scene& scene, const std::vector<long>& calls) {
    const auto save = [&] { return scene.save_second(); };
    for (std::size_t at = 0; at < calls.size(); ++at) {
        for (const int error : {ENOSPC, EIO, EDQUOT, EACCES, ENOMEM, EINTR, ENOENT, EINVAL}) {
            const auto outcome = check::run_with({Fault::Kind::kError, at, error}, save);
            const bool after_rename =
                std::find(calls.begin(), calls.begin() + static_cast<long>(at), SYS_renameat) !=
                calls.begin() + static_cast<long>(at);
            CHECK(scene.is_whole());
            CHECK(outcome.status == kSaved || outcome.status == kNoSpace ||
                  outcome.status == kOtherError);
            CHECK(outcome.status != kSaved || scene.has_new());
            CHECK(outcome.status == kSaved || after_rename || scene.has_old());
            CHECK(outcome.status != kNoSpace || error == ENOSPC);
            const bool needed =
                calls[at] == SYS_write || calls[at] == SYS_fsync || calls[at] == SYS_renameat;
            CHECK(!needed || error != EIO || outcome.status == kOtherError);
            CHECK(!needed || error != ENOSPC || outcome.status == kNoSpace);
            // Where removing it is what fails, the temporary stays until the next save.
            CHECK(files_in(scene.folder()) == 1 || calls[at] == SYS_unlinkat);
            scene.restore();
            CHECK(files_in(scene.folder()) == 1);
        }
    }
}

/// Killed at 200 random moments of many saves.
void test_random_kills(Scene& scene) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> microseconds(0, 5000);
    std::size_t new_ones = 0;
    for (int i = 0; i < 200; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) {
                scene.save_second();
                scene.restore();
            }
        }
        std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
        kill(child, SIGKILL);
        int state = 0;
        waitpid(child, &state, 0);
        CHECK(scene.is_whole());
        CHECK(files_in(scene.folder()) <= 2);
        new_ones += scene.has_new() ? 1 : 0;
        scene.restore();
        CHECK(files_in(scene.folder()) == 1);
    }
    std::printf("random kills: %zu of 200 had replaced the file\n", new_ones);
}

/// A load that fails is an error, never a crash; a valid file gives no other error.
void test_load_errors(Scene& scene) {
    const auto load = [&] {
        try {
            fastmlp::load<float>(scene.target());
            return kSaved;
        } catch (const fs::filesystem_error& error) {
            return error.path1() == scene.target() ? kNoSpace : kOtherError;
        } catch (const fastmlp::FormatError&) {
            return kOtherError;
        } catch (const std::bad_alloc&) {
            return kNoError;
        }
    };
    const auto calls = check::run_with({}, load).calls;
    CHECK(std::count(calls.begin(), calls.end(), SYS_read) >= 3);
    for (std::size_t at = 0; at < calls.size(); ++at) {
        for (const int error : {EIO, EACCES, ENOMEM, EINTR}) {
            const auto outcome = check::run_with({Fault::Kind::kError, at, error}, load);
            CHECK(outcome.status >= 0);
            if (calls[at] == SYS_read)
                CHECK(outcome.status == (error == EINTR ? kSaved : kNoSpace));
        }
    }
    CHECK(scene.has_old());
}

/// Eight processes save, eight load: each load is one complete version.
void test_crowd(Scene& scene) {
    std::vector<pid_t> crowd;
    for (int i = 0; i < 16; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            bool good = true;
            for (int turn = 0; turn < 20; ++turn) {
                if (i % 2 == 0) {
                    good = good && scene.save_second() == kSaved;
                    scene.restore();
                } else {
                    good = good && scene.is_whole();
                }
            }
            _exit(good ? 0 : 1);
        }
        crowd.push_back(child);
    }
    for (const pid_t child : crowd) {
        int state = 0;
        waitpid(child, &state, 0);
        CHECK(WIFEXITED(state) && WEXITSTATUS(state) == 0);
    }
    CHECK(files_in(scene.folder()) == 1);
}

}  // namespace

int main() {
    Scene scene;
    const auto clean = check::run_with({}, [&] { return scene.save_second(); });
    if (kSanitized || !clean.traced) {
        std::printf("skipped: faults of system calls, which need ptrace and no sanitizer\n");
    } else {
        CHECK(clean.status == kSaved && scene.has_new());
        std::printf("a save makes %zu system calls\n", clean.calls.size());
        scene.restore();
        test_order(clean.calls);
        test_kills(scene, clean.calls.size());
        test_errors(scene, clean.calls);
        test_load_errors(scene);
    }
    test_random_kills(scene);
    test_crowd(scene);
    return check::report();
}

#else

int main() {
    std::printf("skipped: system calls are met on x86-64 Linux only\n");
}

#endif
