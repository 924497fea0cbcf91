/// Counts every allocation of the program, and makes it fail on request.
#pragma once

#include <atomic>
#include <cstddef>

namespace allocations {

extern std::atomic<std::size_t> count;
/// The allocation that finds `count` here fails.
extern std::atomic<std::size_t> refused;

}  // namespace allocations
