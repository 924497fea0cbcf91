/// Every allocation of the program, counted and, if asked, refused.
#pragma once

#include <atomic>
#include <cstddef>

namespace allocations {

extern std::atomic<std::size_t> count;
/// The allocation that finds `count` here fails.
extern std::atomic<std::size_t> refused;

}  // namespace allocations
