/// How long the caller of threads that are asleep waits for them to wake up.
#pragma once

#include <algorithm>
#include <chrono>

namespace fastmlp {

/// A thread may wake up late, or not at all while another process keeps its CPU busy. The caller
/// works alone meanwhile, in small parts, and waits a little after each: all waits together take at
/// most a tenth of the time since the call.
class Patience {
public:
    using Clock = std::chrono::steady_clock;

    /// Threads are called; has no effect while the caller already waits for them.
    void begin(Clock::time_point now) noexcept {
        if (called_ == Clock::time_point{}) called_ = now;
    }
    /// All are awake.
    void end() noexcept { *this = {}; }

    /// When a wait that begins now must end; in the past if it should not begin.
    Clock::time_point deadline(Clock::time_point now) const noexcept {
        return now + std::max<Clock::duration>(kLeast, (now - called_) / 10) - waited_;
    }
    void waited(Clock::duration time) noexcept { waited_ += time; }

private:
    /// On an idle machine threads need less to wake up.
    static constexpr std::chrono::microseconds kLeast{50};

    Clock::time_point called_{};
    Clock::duration waited_{};
};

}  // namespace fastmlp
