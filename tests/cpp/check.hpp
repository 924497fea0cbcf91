/// The smallest test harness that says where a check failed.
#pragma once

#include <cstdio>

namespace check {

inline int passed = 0;
inline int failed = 0;

inline void that(bool holds, const char* condition, const char* file, int line) {
    holds ? ++passed : ++failed;
    if (!holds) std::printf("%s:%d: failed: %s\n", file, line, condition);
}

/// Prints the counts; the exit code of the program.
inline int report() {
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) ::check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
