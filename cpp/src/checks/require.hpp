/// The refusal of a number that is out of its range.
#pragma once

#include <stdexcept>
#include <string>

namespace fastmlp {

/// std::invalid_argument "<name> must be <range>, got <value>" unless it holds.
inline void require(bool holds, const char* name, const char* range, double value) {
    if (holds) return;
    throw std::invalid_argument(std::string(name) + " must be " + range + ", got " +
                                std::to_string(value));
}

}  // namespace fastmlp
