/// The GIL, let go for the core's work and taken back for callbacks and signals.
///
/// At interpreter exit CPython before 3.14 ends a daemon thread that asks for the GIL by unwinding
/// its stack, which the destructors in our frames do not survive. Such a thread waits for the end
/// of the process instead, as it does from 3.14 on.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

#include "fastmlp/interruption.hpp"

namespace fastmlp::bindings {

template <class TakeGil>
void never_unwind(TakeGil take_gil) noexcept {
    try {
        take_gil();
    } catch (...) {
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

/// No GIL while it lives.
class Unlocked {
public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() {
        never_unwind([this] { PyEval_RestoreThread(state_); });
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

    /// The GIL again, for a while.
    class Locked {
    public:
        explicit Locked(Unlocked& unlocked) : unlocked_(unlocked) {
            never_unwind([this] { PyEval_RestoreThread(unlocked_.state_); });
        }
        ~Locked() { unlocked_.state_ = PyEval_SaveThread(); }
        Locked(const Locked&) = delete;
        Locked& operator=(const Locked&) = delete;

    private:
        Unlocked& unlocked_;
    };

private:
    PyThreadState* state_;
};

/// Only Python knows whether Ctrl-C came; what its handler raises leaves the core's call.
inline bool check_signals(Unlocked& unlocked) {
    const Unlocked::Locked gil(unlocked);
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    return false;
}

/// No GIL while it lives, but signals are heard: for every call that may take long.
class Interruptible {
public:
    Interruptible() : scope_([this] { return check_signals(unlocked_); }) {}

    Unlocked& unlocked() { return unlocked_; }

private:
    Unlocked unlocked_;
    InterruptScope scope_;
};

}  // namespace fastmlp::bindings
