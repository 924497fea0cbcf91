/// The GIL, let go for the core's work and taken back for callbacks and signals.
///
/// At interpreter exit CPython before 3.14 ends a daemon thread that asks for the GIL by unwinding
/// its stack, which the destructors in our frames do not survive: they would touch Python objects
/// that are no longer the thread's to touch. The thread may ask for it anywhere inside Python code
/// that we call, as in a sleep or at a lock. Such a thread waits for the end of the process
/// instead, as it does from 3.14 on. So Python code is called by `call_python` only, and nothing
/// between there and the interpreter has a destructor.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

#include "fastmlp/interruption.hpp"

namespace fastmlp::bindings {

namespace py = pybind11;

/// Calls f(), which throws nothing, but may be where the interpreter ends the thread.
template <class F>
void never_unwind(F f) noexcept {
    try {
        f();
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

/// function(arguments...), with the GIL.
template <class... Args>
py::object call_python(py::handle function, Args&&... arguments) {
    const py::tuple packed = py::make_tuple(std::forward<Args>(arguments)...);
    PyObject* result = nullptr;
    never_unwind([&] { result = PyObject_CallObject(function.ptr(), packed.ptr()); });
    if (result == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

/// Runs the handlers of signals that came, above all of Ctrl-C, and throws what they raise. With
/// the GIL; only in the main thread does it do anything.
inline void check_signals() {
    int status = 0;
    never_unwind([&] { status = PyErr_CheckSignals(); });
    if (status != 0) throw py::error_already_set();
}

inline void check_signals(Unlocked& unlocked) {
    const Unlocked::Locked gil(unlocked);
    check_signals();
}

/// Releases the GIL while it exists, but signals are handled: for every call that may take long.
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
