#include "fastmlp/interruption.hpp"

#include <utility>

namespace fastmlp {
namespace {

constexpr std::chrono::milliseconds kInterval{50};

thread_local InterruptScope* innermost = nullptr;

}  // namespace

Interrupted::Interrupted() : std::runtime_error("interrupted") {}

InterruptScope::InterruptScope(std::function<bool()> interrupted)
    : interrupted_(std::move(interrupted)), outer_(std::exchange(innermost, this)),
      next_(Clock::now() + kInterval) {}

InterruptScope::~InterruptScope() {
    innermost = outer_;
}

InterruptScope* InterruptScope::current() noexcept {
    return innermost;
}

void InterruptScope::look() {
    if (Clock::now() < next_) return;
    if (interrupted_()) throw Interrupted();
    next_ = Clock::now() + kInterval;
}

}  // namespace fastmlp
