/// Long calls that can be stopped half-way, as by Ctrl-C.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>

#include "fastmlp/export.h"

namespace fastmlp {

/// `interrupted` returned true. Of a training, the parameters are those of the last completed step.
class FASTMLP_API Interrupted : public std::runtime_error {
public:
    Interrupted();
};

/// While it lives, calls that this thread makes can be interrupted.
///
///     InterruptScope scope([] { return flag.load(); });
///     network.predict(x, out);  // throws Interrupted soon after `flag` is set
///
/// `interrupted` is called every 50 ms or so by the thread that made the call (on an Executor by
/// the one that runs rank 0), first after 50 ms. If it returns true, the call throws Interrupted;
/// what it throws itself leaves the call likewise. It must not use the network.
///
/// What an interrupted call leaves behind: the network's parameters and running averages are as
/// they were. An output matrix may be written in part. After `Network::forward` there is no
/// workspace; after `Network::backward` the gradients are zero. Files are as they were. `train` and
/// `train_many` have an `interrupted` of their own, which stops them between steps.
class FASTMLP_API InterruptScope {
public:
    explicit InterruptScope(std::function<bool()> interrupted);
    ~InterruptScope();
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

    /// The innermost of this thread; null where there is none.
    static InterruptScope* current() noexcept;
    /// Calls `interrupted` if it is time, and throws as above.
    void look();

private:
    using Clock = std::chrono::steady_clock;

    std::function<bool()> interrupted_;
    InterruptScope* outer_;
    Clock::time_point next_;
};

/// Looks in the scope of this thread, if there is one.
inline void look_for_interrupt() {
    if (InterruptScope* const scope = InterruptScope::current()) scope->look();
}

}  // namespace fastmlp
