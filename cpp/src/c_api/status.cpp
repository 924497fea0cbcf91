/// Errors, the version, and the limit of threads of the C interface.
#include "c_api/status.hpp"

#include <algorithm>
#include <cstring>

#include "fastmlp/version.hpp"
#include "threads/thread_limits.hpp"

namespace fastmlp::c {
namespace {

/// A fixed buffer: reporting that memory is exhausted must not allocate.
thread_local char last_error[512] = "";

}  // namespace

fastmlp_status failed(fastmlp_status status, const char* message) noexcept {
    const std::size_t length = std::min(std::strlen(message), sizeof(last_error) - 1);
    std::memcpy(last_error, message, length);
    last_error[length] = '\0';
    return status;
}

}  // namespace fastmlp::c

const char* fastmlp_last_error() {
    return fastmlp::c::last_error;
}

const char* fastmlp_version() {
    return fastmlp::kVersion;
}

int fastmlp_get_num_threads() {
    int n = 1;
    if (fastmlp::c::guarded([&] { n = fastmlp::get_num_threads(); }) != FASTMLP_OK) {
        n = fastmlp::machine_threads();
    }
    return n;
}

void fastmlp_set_num_threads(int n) {
    fastmlp::set_num_threads(std::max(n, 0));
}
