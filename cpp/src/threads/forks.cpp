#include "threads/forks.hpp"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace fastmlp {

/// All living objects. Trivially constructed and never destroyed, because they may outlive every
/// static object.
struct ForkList {
    std::mutex mutex;
    ForkAware* first = nullptr;
    bool prepared = false;

    template <class F>
    void for_each(F f) const {
        for (ForkAware* object = first; object != nullptr; object = object->next_) f(*object);
    }
    void add(ForkAware& object) {
        object.next_ = first;
        if (first != nullptr) first->previous_ = &object;
        first = &object;
    }
    void remove(ForkAware& object) {
        if (object.next_ != nullptr) object.next_->previous_ = object.previous_;
        (object.previous_ != nullptr ? object.previous_->next_ : first) = object.next_;
    }
};

namespace {

constinit ForkList list;

#if !defined(_WIN32)
void before_fork() {
    list.mutex.lock();
    list.for_each([](ForkAware& object) { object.before_fork(); });
}

void after_fork_in_parent() {
    list.for_each([](ForkAware& object) { object.after_fork_in_parent(); });
    list.mutex.unlock();
}

void after_fork_in_child() {
    list.for_each([](ForkAware& object) { object.after_fork_in_child(); });
    list.mutex.unlock();
}

void follow_forks() {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
#else
void follow_forks() {}
#endif

}  // namespace

void ForkAware::enlist() {
    const std::lock_guard lock(list.mutex);
    if (!list.prepared) follow_forks();
    list.prepared = true;
    list.add(*this);
}

void ForkAware::delist() noexcept {
    const std::lock_guard lock(list.mutex);
    list.remove(*this);
}

ForkGuard::ForkGuard() noexcept {
    list.mutex.lock();
}

ForkGuard::~ForkGuard() {
    list.mutex.unlock();
}

}  // namespace fastmlp
