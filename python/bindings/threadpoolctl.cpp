// For threadpoolctl, which looks up symbols by name in the loaded extension: see
// python/fastmlp/_threadpoolctl.py. No exception may cross the C boundary.

#include <algorithm>

#include "threads/thread_limits.hpp"

#define FASTMLP_VISIBLE extern "C" __attribute__((visibility("default")))

FASTMLP_VISIBLE int fastmlp_get_num_threads() noexcept {
    try {
        return fastmlp::get_num_threads();
    } catch (...) {
        return fastmlp::machine_threads();
    }
}

FASTMLP_VISIBLE void fastmlp_set_num_threads(int n) noexcept {
    fastmlp::set_num_threads(std::max(n, 0));
}
