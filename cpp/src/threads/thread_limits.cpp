#include "threads/thread_limits.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace fastmlp {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

/// The argument of `set_num_threads`; 0: the default.
std::atomic<int> limit_set{0};

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

template <class Integer>
std::optional<Integer> parse_integer(std::string_view text) {
    Integer value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

/// Removes the text up to `separator`, and the separator, from `rest`; returns the text.
std::string_view next_field(std::string_view& rest, char separator) {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return field;
}

std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view{} : trimmed(value);
}

/// OMP_NUM_THREADS when this library was loaded, as OpenMP reads it; an invalid value is ignored,
/// as by OpenMP. Later it may be meant for others: Dask sets it where it starts workers.
const int kOpenMpLimit =
    parse_thread_count(environment("OMP_NUM_THREADS"), true).value_or(kNoLimit);

/// The limit set by the environment, kNoLimit if none.
int environment_limit() {
    constexpr const char* kName = "FASTMLP_NUM_THREADS";
    if (const std::string_view own = environment(kName); !own.empty()) {
        if (const std::optional<int> n = parse_thread_count(own, false)) return *n;
        throw std::invalid_argument(std::string(kName) + " must be an integer >= 1, got '" +
                                    std::string(own) + "'");
    }
    return kOpenMpLimit;
}

int default_limit() {
    static const int limit = environment_limit();
    return limit;
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// ceil(quota / period), or nothing for "max", -1 and anything else.
std::optional<int> whole_cpus(std::string_view quota, std::string_view period) {
    const auto us = parse_integer<std::int64_t>(trimmed(quota));
    const auto per = parse_integer<std::int64_t>(trimmed(period));
    if (!us || !per || *us <= 0 || *per <= 0) return std::nullopt;
    const std::int64_t cpus = *us / *per + (*us % *per != 0 ? 1 : 0);
    return static_cast<int>(std::min<std::int64_t>(cpus, kNoLimit));
}

/// The quota of the control group in the directory `group`, for the file names of either version.
std::optional<int> group_quota(const std::string& group, const ReadFile& read) {
    if (const auto line = read(group + "/cpu.max")) {
        std::string_view period = *line;
        const std::string_view quota = next_field(period, ' ');
        return whole_cpus(quota, period);
    }
    const auto quota = read(group + "/cpu.cfs_quota_us");
    const auto period = read(group + "/cpu.cfs_period_us");
    if (!quota || !period) return std::nullopt;
    return whole_cpus(*quota, *period);
}

/// The usual mount point of the hierarchy of a /proc/self/cgroup line ("id:controllers:path").
std::vector<std::string> mount_points(std::string_view controllers) {
    if (controllers.empty()) return {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    std::string_view rest = controllers;
    while (!rest.empty()) {
        if (next_field(rest, ',') == "cpu") {
            return {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/" + std::string(controllers)};
        }
    }
    return {};
}

/// "/a/b" -> "/a" -> ""
std::string_view parent(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

int affinity_count() noexcept {
#if defined(__linux__)
    cpu_set_t usual;
    if (sched_getaffinity(0, sizeof usual, &usual) == 0) return std::max(1, CPU_COUNT(&usual));
    // It is limited to 1,024 CPUs. The kernel returns EINVAL until the mask is large enough.
    for (int cpus = 2 * CPU_SETSIZE; errno == EINVAL && cpus <= (1 << 20); cpus *= 2) {
        cpu_set_t* const mask = CPU_ALLOC(static_cast<std::size_t>(cpus));
        if (mask == nullptr) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        const int status = sched_getaffinity(0, bytes, mask);
        const int count = status == 0 ? CPU_COUNT_S(bytes, mask) : 0;
        const int error = errno;
        CPU_FREE(mask);
        if (count > 0) return count;
        errno = error;
    }
#endif
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

int quota_count() noexcept {
#if defined(__linux__)
    try {
        const auto membership = read_file("/proc/self/cgroup");
        if (membership) return cgroup_quota(*membership, read_file).value_or(kNoLimit);
    } catch (...) {
        // Out of memory: treated as no quota. Creating threads will then fail.
    }
#endif
    return kNoLimit;
}

}  // namespace

std::optional<int> parse_thread_count(std::string_view text, bool list) {
    if (list) text = next_field(text, ',');
    const std::optional<int> count = parse_integer<int>(trimmed(text));
    if (!count || *count < 1) return std::nullopt;
    return count;
}

std::optional<int> cgroup_quota(std::string_view membership, const ReadFile& read) {
    int least = kNoLimit;
    while (!membership.empty()) {
        std::string_view line = next_field(membership, '\n');
        next_field(line, ':');
        const std::string_view controllers = next_field(line, ':');
        for (const std::string& mount : mount_points(controllers)) {
            // Every ancestor may have a quota. In a container the path may be the host's: the walk
            // then ends at the mount point, which is the container's group.
            for (std::string_view path = line;; path = parent(path)) {
                const auto quota = group_quota(mount + std::string(path), read);
                least = std::min(least, quota.value_or(kNoLimit));
                if (path.empty()) break;
            }
        }
    }
    if (least == kNoLimit) return std::nullopt;
    return least;
}

int machine_threads() noexcept {
    // The quota is read once (about 50 us); the affinity mask can differ between threads and calls.
    static const int quota = quota_count();
    return std::min(affinity_count(), quota);
}

bool exact_threads() {
    static const bool exact = environment("FASTMLP_EXACT_THREADS") == "1";
    return exact;
}

bool environment_limits_threads() {
    return default_limit() != kNoLimit;
}

int get_num_threads() {
    const int set = limit_set.load(std::memory_order_relaxed);
    const int limit = set > 0 ? set : default_limit();
    if (exact_threads() && limit != kNoLimit) return limit;
    return std::min(limit, machine_threads());
}

void set_num_threads(int n) {
    if (n < 0) {
        throw std::invalid_argument("n must be >= 1, or 0 for the default, got " +
                                    std::to_string(n));
    }
    limit_set.store(n, std::memory_order_relaxed);
}

int threads_allowed(int requested) {
    if (requested > 0 && exact_threads()) return requested;
    const int limit = get_num_threads();
    return requested > 0 ? std::min(requested, limit) : limit;
}

}  // namespace fastmlp
