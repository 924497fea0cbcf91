/// The limits of the number of threads: what was requested (`fastmlp/threads.hpp`) and what the
/// machine provides. How many of them a computation uses: `thread_count.hpp`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fastmlp/threads.hpp"

namespace fastmlp {

/// The most threads of one call: `requested` > 0 is a limit in addition to the process-wide one, 0
/// is none. With FASTMLP_EXACT_THREADS=1 `requested` is returned unchanged.
int threads_allowed(int requested);

/// FASTMLP_EXACT_THREADS=1: use exactly as many threads as requested, however small the work.
bool exact_threads();

/// Whether FASTMLP_NUM_THREADS or OMP_NUM_THREADS sets the limit that `get_num_threads` starts
/// with. Throws std::invalid_argument as that does.
bool environment_limits_threads();

/// The number of CPUs this thread may use, at least 1: affinity mask and control-group quota.
int machine_threads() noexcept;

/// Parses an integer >= 1, with optional blanks around it, or nothing. `list`: only up to the first
/// comma.
std::optional<int> parse_thread_count(std::string_view text, bool list);

/// The CPUs that the control groups allow, rounded up, or nothing if there is no quota.
/// `membership` is the text of /proc/self/cgroup; `read` returns a file's text if it exists.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;
std::optional<int> cgroup_quota(std::string_view membership, const ReadFile& read);

}  // namespace fastmlp
