/// Interrupting long calls, for example by Ctrl-C.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// `interrupted` returned true. After a training, the parameters are those of the last completed
/// step.
class FASTMLP_API Interrupted : public std::runtime_error {
public:
    Interrupted();
};

/// While it exists, calls made by this thread can be interrupted.
///
///     InterruptScope scope([] { return flag.load(); });
///     network.predict(x, out);  // throws Interrupted soon after `flag` is set
///
/// `interrupted` is called about every 50 ms by the calling thread (with an Executor, by the one
/// that runs rank 0), first after 50 ms. If it returns true, the call throws Interrupted; if it
/// throws, the call passes the exception on. It must not use the network.
///
/// After an interrupted call the network's parameters and running averages are unchanged, and so
/// are files. An output matrix may be written in part. After `Network::forward` there is no
/// workspace; after `Network::backward` the gradients are zero. `train` and `train_many` have an
/// option `interrupted` instead, which stops them between steps.
class FASTMLP_API InterruptScope {
public:
    explicit InterruptScope(std::function<bool()> interrupted);
    ~InterruptScope();
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

    /// The innermost one of this thread; null if there is none.
    static InterruptScope* current() noexcept;
    /// Calls `interrupted` if it is due, and throws as above.
    void look();

private:
    using Clock = std::chrono::steady_clock;

    std::function<bool()> interrupted_;
    InterruptScope* outer_;
    Clock::time_point next_;
};

/// `InterruptScope::look` of this thread's scope, if there is one.
inline void look_for_interrupt() {
    if (InterruptScope* const scope = InterruptScope::current()) scope->look();
}

}  // namespace fastmlp
