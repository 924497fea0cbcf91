/// A number that one thread writes while others read it.
#pragma once

#include <atomic>

#include "fastmlp/cpp20.hpp"

namespace fastmlp {

/// Every read gives some value that was written. No ordering of other memory accesses.
template <class N>
class Relaxed {
public:
    Relaxed(N value = 0) noexcept : value_(value) {}  // NOLINT: stands for the number
    Relaxed(const Relaxed& other) noexcept : value_(N(other)) {}
    Relaxed& operator=(const Relaxed& other) noexcept { return *this = N(other); }
    Relaxed& operator=(N value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    /// For the one thread that writes: no other write may come between.
    Relaxed& operator+=(N more) noexcept { return *this = N(*this) + more; }

    operator N() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<N> value_;
};

}  // namespace fastmlp
