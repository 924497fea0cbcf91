/// Objects with a lock must not be forked while another thread holds it: in the child that thread
/// does not exist, and the lock would stay held forever.
#pragma once

#include <condition_variable>
#include <mutex>
#include <new>

namespace fastmlp {

/// An object whose lock is acquired before a fork. Lock order: first the list, then the objects. So
/// while the lock of an object is held, no such object may be constructed or destroyed, and no
/// `ForkGuard` may be made.
class ForkAware {
public:
    ForkAware(const ForkAware&) = delete;
    ForkAware& operator=(const ForkAware&) = delete;

    /// Before a fork: acquires the object's lock.
    virtual void before_fork() noexcept = 0;
    /// After a fork, in the parent: releases it.
    virtual void after_fork_in_parent() noexcept = 0;
    /// After a fork, in the child, where only the calling thread exists: gives up everything other
    /// threads held, then releases the lock.
    virtual void after_fork_in_child() noexcept = 0;

protected:
    ForkAware() = default;
    ~ForkAware() = default;
    /// To be called last in a constructor and first in a destructor.
    void enlist();
    void delist() noexcept;

private:
    friend struct ForkList;
    ForkAware *previous_ = nullptr, *next_ = nullptr;
};

/// Delays forks while it exists: for the moment in which a shared pointer is replaced.
class ForkGuard {
public:
    ForkGuard() noexcept;
    ~ForkGuard();
    ForkGuard(const ForkGuard&) = delete;
    ForkGuard& operator=(const ForkGuard&) = delete;
};

/// A condition variable that can be reset. After a fork the parent's waiting threads are still
/// counted in it, and notifying or destroying it might block forever.
class Condition {
public:
    Condition() { ::new (memory_) std::condition_variable; }
    ~Condition() { get().~condition_variable(); }
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;

    std::condition_variable& get() noexcept {
        return *std::launder(reinterpret_cast<std::condition_variable*>(memory_));
    }
    /// In the child of a fork.
    void renew() noexcept { ::new (memory_) std::condition_variable; }

private:
    alignas(std::condition_variable) unsigned char memory_[sizeof(std::condition_variable)];
};

}  // namespace fastmlp
