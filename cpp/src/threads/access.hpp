/// A readers-writer lock of a network: any number of readers, or one writing thread.
///
/// Readers wait for a short write (`forward`, `update`, an assignment), but get an error during a
/// training. A second writer gets an error, too: two threads that write concurrently are a bug of
/// the program. A writer that waits for readers blocks new ones, and readers that waited for a
/// writer precede the next one, so there is no starvation.
///
/// It is reentrant: the training thread may read in its callbacks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "threads/forks.hpp"

namespace fastmlp {

/// What a writer does.
struct Use {
    bool lasts = false;    ///< too long for readers to wait
    bool open = false;     ///< the same thread may write inside it
    bool at_rest = false;  ///< allowed inside a write of the same thread, between its steps
};

class Access final : public ForkAware {
public:
    class Glance;
    class Reading;
    class Writing;

    static constexpr Use kStep{};
    static constexpr Use kAssignment{.at_rest = true};
    static constexpr Use kSeveralSteps{.open = true};
    static constexpr Use kTraining{.lasts = true};
    static constexpr Use kTrainingBySteps{.lasts = true, .open = true};

    Access() { enlist(); }
    ~Access() { delist(); }

    /// Whether another thread is writing.
    bool busy() const noexcept {
        const std::thread::id id = writer_.load();
        return id != std::thread::id{} && id != std::this_thread::get_id();
    }

    /// How long to wait between two calls of `poll`, so that Ctrl-C can end the wait.
    static constexpr std::chrono::milliseconds kPatience{50};

private:
    enum class Entry { kEntered, kLasting };

    bool try_enter() noexcept {
        if (writer_.load() != std::thread::id{}) return false;
        readers_.fetch_add(1);
        if (writer_.load() == std::thread::id{}) return true;
        leave();
        return false;
    }
    void leave() noexcept {
        if (readers_.fetch_sub(1) == 1 && writer_.load() != std::thread::id{}) wake_writer();
    }
    template <class Poll>
    Entry enter(Poll poll);
    template <class Poll>
    void begin(const Use& use, Poll poll);
    void end() noexcept;

    bool is_mine() const noexcept { return writer_.load() == std::this_thread::get_id(); }
    bool read_by_this_thread() const noexcept;
    void wake_writer() noexcept;
    bool claim(const Use& use);
    void give_up(std::uint64_t turn, std::uint64_t forks) noexcept;
    void change_use(const Use& use) noexcept;

    void before_fork() noexcept override { mutex_.lock(); }
    void after_fork_in_parent() noexcept override { mutex_.unlock(); }
    void after_fork_in_child() noexcept override;

    std::atomic<std::uint32_t> readers_{0};  ///< calls that read
    std::atomic<std::thread::id> writer_{};  ///< set and reset under the lock
    std::mutex mutex_;                       ///< protects all that follows
    Condition changed_;
    Use use_;                    ///< the writer's
    std::uint32_t waiting_ = 0;  ///< readers waiting for the writer
    std::uint64_t turns_ = 0;    ///< writes ended so far; each end admits the waiting readers
    std::uint64_t forks_ = 0;    ///< forks between the first process and this one
};

/// A short read that never waits. While it is held, its thread must not fork or use the network
/// again. It costs 10 ns less than a `Reading`.
class Access::Glance {
public:
    explicit Glance(Access& access) noexcept : access_(access), entered_(access.try_enter()) {}
    ~Glance() {
        if (entered_) access_.leave();
    }
    Glance(const Glance&) = delete;
    Glance& operator=(const Glance&) = delete;

    explicit operator bool() const noexcept { return entered_; }

private:
    Access& access_;
    bool entered_;
};

/// Held while a network is read.
class Access::Reading {
public:
    /// Not held yet.
    explicit Reading(Access& access) noexcept : access_(access) {}
    ~Reading() {
        if (!entered_) return;
        leave_list();
        access_.leave();
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    /// Tries to begin without waiting; returns whether it could.
    bool try_begin() noexcept { return access_.try_enter() && entered(); }
    /// Waits for a short write to end; returns false if another thread is training. `poll` is
    /// called every now and then, without the lock held, and may end the wait by an exception.
    template <class Poll>
    bool begin(Poll poll) {
        return access_.enter(poll) == Entry::kEntered && entered();
    }

private:
    friend class Access;

    bool entered() noexcept;
    void leave_list() noexcept;

    static constinit thread_local Reading* innermost;  ///< of this thread, also of other networks

    Access& access_;
    bool entered_ = false;
    Reading* outer_ = nullptr;
};

/// Held while a network is written.
class Access::Writing {
public:
    /// Throws std::runtime_error if another thread is writing, or if this one is and `use` is not
    /// allowed inside. While it waits for readers, it also passes on exceptions of `poll`.
    template <class Poll>
    Writing(Access& access, const Use& use, Poll poll)
        : access_(access), nested_(access.is_mine()), outer_(nested_ ? access.use_ : Use{}) {
        access.begin(use, poll);
    }
    ~Writing() {
        if (nested_) {
            access_.change_use(outer_);
        } else {
            access_.end();
        }
    }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

private:
    Access& access_;
    bool nested_;  ///< inside another write of the same thread
    Use outer_;    ///< the use of that one
};

template <class Poll>
Access::Entry Access::enter(Poll poll) {
    if (try_enter()) return Entry::kEntered;
    if (is_mine() || read_by_this_thread()) {
        readers_.fetch_add(1);
        return Entry::kEntered;
    }
    std::unique_lock lock(mutex_);
    if (writer_.load() == std::thread::id{}) {
        readers_.fetch_add(1);  // no writer can begin under the lock
        return Entry::kEntered;
    }
    if (use_.lasts) return Entry::kLasting;
    const std::uint64_t turn = turns_, forks = forks_;
    ++waiting_;
    while (turns_ == turn) {
        if (changed_.get().wait_for(lock, kPatience) == std::cv_status::no_timeout) continue;
        lock.unlock();
        try {
            poll();
        } catch (...) {
            give_up(turn, forks);
            throw;
        }
        lock.lock();
        if (forks_ != forks) {  // in the child of a fork there is nobody to wait for
            lock.unlock();
            return enter(poll);
        }
    }
    return Entry::kEntered;
}

template <class Poll>
void Access::begin(const Use& use, Poll poll) {
    std::unique_lock lock(mutex_);
    if (!claim(use)) return;
    while (readers_.load() != 0) {
        if (changed_.get().wait_for(lock, kPatience) == std::cv_status::no_timeout) continue;
        lock.unlock();
        try {
            poll();
        } catch (...) {
            end();
            throw;
        }
        lock.lock();
    }
}

}  // namespace fastmlp
