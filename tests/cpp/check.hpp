/// A minimal test harness that reports where a check failed, and the comparisons of the tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

namespace check {

/// Equal bits, or both NaN: which NaN a NaN is belongs to no contract.
template <class T>
bool same(T a, T b) {
    return std::memcmp(&a, &b, sizeof(T)) == 0 || (std::isnan(a) && std::isnan(b));
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return same(x, y); });
}

/// Whether f() throws an Error.
template <class Error, class F>
bool throws(const F& f) {  // not a copy, which may need memory
    try {
        f();
    } catch (const Error&) {
        return true;
    } catch (...) {
        return false;
    }
    return false;
}

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
