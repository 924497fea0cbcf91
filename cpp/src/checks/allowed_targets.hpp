/// What the targets of a loss may be.
#pragma once

#include <cstddef>
#include <limits>

#include "fastmlp/layer.hpp"

namespace fastmlp {

/// The range of numbers, and what a message calls them.
template <class T>
struct Allowed {
    T least = -std::numeric_limits<T>::max(), most = std::numeric_limits<T>::max();
    const char* words = "finite";

    bool holds(const T* values, std::size_t count) const {
        bool all = true;  // without an early end, so that it is vectorised
        for (std::size_t i = 0; i < count; ++i) {
            all &= static_cast<int>(values[i] >= least) & static_cast<int>(values[i] <= most);
        }
        return all;
    }
};

template <class T>
Allowed<T> allowed_by(Loss loss) {
    if (loss.kind == Loss::kBinaryCrossEntropy) return {0, 1, "from 0 to 1"};
    const bool refuses_negative = loss.kind == Loss::kPoisson || loss.kind == Loss::kCrossEntropy;
    if (refuses_negative) return {.least = 0, .words = "at least 0 and finite"};
    return {};
}

}  // namespace fastmlp
