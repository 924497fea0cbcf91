#include "threads/access.hpp"

#include <stdexcept>

namespace fastmlp {

constinit thread_local Access::Reading* Access::Reading::innermost = nullptr;

bool Access::Reading::entered() noexcept {
    entered_ = true;
    outer_ = innermost;
    innermost = this;
    return true;
}

void Access::Reading::leave_list() noexcept {
    Reading** place = &innermost;
    while (*place != this) place = &(*place)->outer_;
    *place = outer_;
}

bool Access::read_by_this_thread() const noexcept {
    const Reading* reading = Reading::innermost;
    while (reading != nullptr && &reading->access_ != this) reading = reading->outer_;
    return reading != nullptr;
}

void Access::wake_writer() noexcept {
    const std::lock_guard lock(mutex_);
    changed_.get().notify_all();
}

/// Makes this thread the writer, or changes its use to `use` if it is the writer already; returns
/// whether there may be readers to wait for. Called under the lock.
bool Access::claim(const Use& use) {
    if (is_mine()) {
        if (!use.at_rest && (!use_.open || use.lasts)) {
            throw std::runtime_error("the network is being trained: not from its own callback");
        }
        use_ = {.lasts = use_.lasts, .open = use.open};
        return false;
    }
    if (writer_.load() != std::thread::id{}) {
        throw std::runtime_error("the network is being trained in another thread");
    }
    if (read_by_this_thread()) {
        throw std::runtime_error("the network is being read: not from a signal handler meanwhile");
    }
    use_ = use;
    writer_.store(std::this_thread::get_id());
    return true;
}

void Access::change_use(const Use& use) noexcept {
    const std::lock_guard lock(mutex_);
    use_ = use;
}

void Access::end() noexcept {
    const std::lock_guard lock(mutex_);
    readers_.fetch_add(waiting_);
    waiting_ = 0;
    ++turns_;
    writer_.store(std::thread::id{});
    changed_.get().notify_all();
}

/// A reader stops waiting; it may have been admitted already.
void Access::give_up(std::uint64_t turn, std::uint64_t forks) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (forks_ != forks) return;
        if (turns_ == turn) {
            --waiting_;
            return;
        }
    }
    leave();
}

/// After a fork: keeps what the calling thread holds; all other holders no longer exist.
void Access::after_fork_in_child() noexcept {
    changed_.renew();
    std::uint32_t mine = 0;
    for (const Reading* r = Reading::innermost; r != nullptr; r = r->outer_) {
        mine += &r->access_ == this ? 1 : 0;
    }
    readers_.store(mine);
    if (!is_mine()) writer_.store(std::thread::id{});
    waiting_ = 0;
    ++forks_;
    mutex_.unlock();
}

}  // namespace fastmlp
