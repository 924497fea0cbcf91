/// What a fork must not tear: objects with a lock, which the child would find held by a thread it
/// does not have.
#pragma once

#include <condition_variable>
#include <mutex>
#include <new>

namespace fastmlp {

/// An object that forks wait for. The order of locks is: that of the list, then those of the
/// objects. So none may be constructed or destroyed, and no `ForkGuard` be made, under an object's
/// own lock.
class ForkAware {
public:
    ForkAware(const ForkAware&) = delete;
    ForkAware& operator=(const ForkAware&) = delete;

    /// Before a fork: takes the object's lock.
    virtual void before_fork() noexcept = 0;
    /// Lets go of it.
    virtual void after_fork_in_parent() noexcept = 0;
    /// The same in the child, after everything that vanished threads held there was given up. Of
    /// all threads only the calling one, which forked, is left.
    virtual void after_fork_in_child() noexcept = 0;

protected:
    ForkAware() = default;
    ~ForkAware() = default;
    /// The last act of a constructor, and the first of a destructor.
    void enlist();
    void delist() noexcept;

private:
    friend struct ForkList;
    ForkAware *previous_ = nullptr, *next_ = nullptr;
};

/// While it lives there is no fork: for the moment in which a shared pointer is replaced.
class ForkGuard {
public:
    ForkGuard() noexcept;
    ~ForkGuard();
    ForkGuard(const ForkGuard&) = delete;
    ForkGuard& operator=(const ForkGuard&) = delete;
};

/// A condition variable that can be reset. After a fork the waiting threads of the parent are still
/// counted, and to notify or to destroy it might wait for them.
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
