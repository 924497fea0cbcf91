/// Runs a piece of code in a separate process and causes the requested fault in one of its system
/// calls: the call fails, or the process is killed before or after it.
#pragma once

#if defined(__linux__) && defined(__x86_64__)
#define CHECK_HAS_SYSTEM_CALLS 1

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

namespace check {

struct Fault {
    enum class Kind { kNone, kError, kKillBefore, kKillAfter } kind = Kind::kNone;
    std::size_t at = 0;  ///< which system call, from 0
    int error = 0;       ///< for kError: what it fails with
};

struct Outcome {
    bool traced = true;       ///< false where this machine does not let us
    int status = -1;          ///< what `code` returned; -1 where it was killed
    std::vector<long> calls;  ///< numbers of the system calls it made
};

/// Makes the system call `number`, at whose entry or exit `child` is stopped, fail without effect.
/// `argument` is its first, kept from one to the other.
inline void refuse(pid_t child, long number, bool entry, int error, unsigned long long& argument) {
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    if (number == SYS_brk) {  // it has no errors: it fails by leaving the break where it is
        if (entry) argument = registers.rdi;
        registers.rdi = entry ? 0 : argument;
    } else if (entry) {
        registers.orig_rax = static_cast<unsigned long long>(-1);  // there is no such call
    } else {
        registers.rax = static_cast<unsigned long long>(-error);
    }
    ptrace(PTRACE_SETREGS, child, nullptr, &registers);
}

/// `code` returns the process's exit status, 0 to 255.
inline Outcome run_with(const Fault& fault, const std::function<int()>& code) {
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(255);
        raise(SIGSTOP);
        const int status = code();
        kill(getpid(), SIGSTOP);  // the end of what is counted
        _exit(status);
    }
    Outcome outcome;
    int state = 0;
    waitpid(child, &state, 0);
    if (!WIFSTOPPED(state)) return {false, -1, {}};
    ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    bool counting = true;
    unsigned long long argument = 0;
    long signal = 0;  // to deliver to the child: all except our own stops
    for (;;) {
        ptrace(PTRACE_SYSCALL, child, nullptr, signal);
        waitpid(child, &state, 0);
        if (WIFEXITED(state)) outcome.status = WEXITSTATUS(state);
        if (WIFEXITED(state) || WIFSIGNALED(state)) return outcome;
        const bool at_call = WSTOPSIG(state) == (SIGTRAP | 0x80);
        signal = at_call || WSTOPSIG(state) == SIGSTOP ? 0 : WSTOPSIG(state);
        counting = counting && at_call;
        if (!counting) continue;
        __ptrace_syscall_info info{};
        ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
        const bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
        if (entry) outcome.calls.push_back(static_cast<long>(info.entry.nr));
        if (outcome.calls.size() != fault.at + 1) continue;
        const auto kind = entry ? Fault::Kind::kKillBefore : Fault::Kind::kKillAfter;
        if (fault.kind == kind) kill(child, SIGKILL);
        if (fault.kind == Fault::Kind::kError)
            refuse(child, outcome.calls.back(), entry, fault.error, argument);
    }
}

}  // namespace check

#endif
