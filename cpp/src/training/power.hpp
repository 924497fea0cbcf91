/// Integer powers, for the schedules and the bias corrections of the optimizers.
#pragma once

#include <cstdint>

namespace fastmlp {

/// base^n by squaring: the same operations, and so the same bits, on every platform.
inline double power(double base, std::uint64_t n) {
    double result = 1;
    for (; n != 0; n >>= 1, base *= base) {
        if (n & 1) result *= base;
    }
    return result;
}

}  // namespace fastmlp
