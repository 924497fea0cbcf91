/// Checks for interrupts a few times per second, however long a step takes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace fastmlp {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How many steps to run before the next check for interrupts: about kInterval seconds' worth.
class Pacer {
public:
    std::size_t steps() const { return steps_; }
    /// Records that `steps` steps took `seconds`.
    void measured(std::size_t steps, double seconds) {
        constexpr double kInterval = 0.02;
        if (steps < steps_ && seconds < kInterval) return;  // cut short by the epoch's end
        const double fitting = static_cast<double>(steps) * kInterval / std::max(seconds, 1e-9);
        const double most = 8.0 * static_cast<double>(steps);  // the first steps are slow
        steps_ = static_cast<std::size_t>(std::clamp(fitting, 1.0, most));
    }

private:
    std::size_t steps_ = 1;
};

}  // namespace fastmlp
