/// The parts behind `fastmlp/threads.hpp`: what was asked for and what the machine grants.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fastmlp/threads.hpp"

namespace fastmlp {

/// Threads for one call: `requested` > 0 is an upper limit beside the process-wide one, 0 means
/// no wish. With FASTMLP_EXACT_THREADS=1 a request is taken as it is.
int threads_allowed(int requested);

/// FASTMLP_EXACT_THREADS=1: the caller must run as many threads as requested, however small the
/// work is.
bool exact_threads();

/// CPUs this thread may run on, at least 1: affinity mask and control-group quota.
int machine_threads() noexcept;

/// An integer >= 1 with blanks around it, or nothing. `list`: only up to the first comma.
std::optional<int> parse_thread_count(std::string_view text, bool list);

/// Whole CPUs (rounded up) that the control groups allow, or nothing where none sets a quota.
/// `membership` is the text of /proc/self/cgroup; `read` gives a file's text if it exists.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;
std::optional<int> cgroup_quota(std::string_view membership, const ReadFile& read);

}  // namespace fastmlp
