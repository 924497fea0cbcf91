/// Releases the GIL for computations, and acquires it for callbacks and signals.
///
/// At interpreter exit, CPython before 3.14 ends a daemon thread that acquires the GIL by unwinding
/// its stack. The destructors in our frames would then access Python objects without the GIL. This
/// can happen anywhere inside Python code that we call, for example in a sleep or at a lock. Such a
/// thread therefore waits for the end of the process, as CPython does from 3.14 on: Python code is
/// called by `call_python` only, and nothing between it and the interpreter has a destructor.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

#include "fastmlp/interruption.hpp"

namespace fastmlp::bindings {

namespace py = pybind11;

/// Calls f(), which throws nothing, but in which the interpreter may end the thread.
template <class F>
void never_unwind(F f) noexcept {
    try {
        f();
    } catch (...) {
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

/// Releases the GIL while it exists.
class Unlocked {
public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() {
        never_unwind([this] { PyEval_RestoreThread(state_); });
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

    /// Holds the GIL again while it exists.
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

/// Calls function(arguments...); the GIL must be held.
template <class... Args>
py::object call_python(py::handle function, Args&&... arguments) {
    const py::tuple packed = py::make_tuple(std::forward<Args>(arguments)...);
    PyObject* result = nullptr;
    never_unwind([&] { result = PyObject_CallObject(function.ptr(), packed.ptr()); });
    if (result == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

/// Runs the handlers of pending signals, such as Ctrl-C, and throws what they raise. The GIL must
/// be held. Has an effect in the main thread only.
inline void check_signals() {
    int status = 0;
    never_unwind([&] { status = PyErr_CheckSignals(); });
    if (status != 0) throw py::error_already_set();
}

inline void check_signals(Unlocked& unlocked) {
    const Unlocked::Locked gil(unlocked);
    check_signals();
}

/// Releases the GIL while it exists, but handles signals: for every call that may take long.
class Interruptible {
public:
    Interruptible()
        : scope_([this] {
              check_signals(unlocked_);
              return false;
          }) {}

    Unlocked& unlocked() { return unlocked_; }

private:
    Unlocked unlocked_;
    InterruptScope scope_;
};

}  // namespace fastmlp::bindings
