/// The check that a number is within its range.
#pragma once

#include <stdexcept>
#include <string>

namespace fastmlp {

/// Throws std::invalid_argument "<name> must be <range>, got <value>" unless the condition holds.
inline void require(bool holds, const char* name, const char* range, double value) {
    if (holds) return;
    throw std::invalid_argument(std::string(name) + " must be " + range + ", got " +
                                std::to_string(value));
}

}  // namespace fastmlp
