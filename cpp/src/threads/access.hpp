/// Who may use a network right now: many that read it, or one thread that writes it.
///
/// A step (`forward`, `update`, an assignment) is short, and readers wait for it; a training lasts,
/// and readers get an error. Nobody waits for another writer: two threads that write at once are a
/// mistake of the program. A writer that waits for readers lets no new ones in, and the readers
/// that waited for a writer come before the next one, so nobody starves.
///
/// A thread never waits for itself: the training thread reads in its callbacks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "threads/forks.hpp"

namespace fastmlp {

/// What a writer is up to.
struct Use {
    bool lasts = false;    ///< readers do not wait for it
    bool open = false;     ///< its thread may write again before it ends
    bool at_rest = false;  ///< allowed inside another one of the same thread, between its steps
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

    /// Another thread is writing.
    bool busy() const noexcept {
        const std::thread::id id = writer_.load();
        return id != std::thread::id{} && id != std::this_thread::get_id();
    }

    /// How long to wait before the caller is polled again, so that Ctrl-C can end the wait.
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
    std::mutex mutex_;                       ///< of all that follows
    Condition changed_;
    Use use_;                    ///< the writer's
    std::uint32_t waiting_ = 0;  ///< readers that wait for the writer to end
    std::uint64_t turns_ = 0;    ///< ends of writers, each of which lets in those that wait
    std::uint64_t forks_ = 0;    ///< that this process came from
};

/// A short reading, if it can be held at once: its thread does nothing meanwhile that could fork,
/// or use the network again. It costs 10 ns less than a `Reading`.
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

    /// Whether it is held at once.
    bool try_begin() noexcept { return access_.try_enter() && entered(); }
    /// Waits for a step; false where another thread is inside a training. What `poll` throws, which
    /// is called every now and then without a lock, ends the wait.
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
    /// Throws std::runtime_error where another thread writes, or this one does and `use` does not
    /// go with that; and what `poll` throws while it waits for readers.
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
    bool nested_;  ///< in another one of the same thread,
    Use outer_;    ///< whose use this is
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
        readers_.fetch_add(1);  // no writer comes while we have the lock
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
        if (forks_ != forks) {  // a child, where nobody is left to wait for
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
