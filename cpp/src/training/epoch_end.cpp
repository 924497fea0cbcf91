#include "training/epoch_end.hpp"

#include <algorithm>

namespace fastmlp {

template <class T>
void EpochEnd<T>::begin(Network<T>& network, bool eager, const Parts& parts) {
    {
        const std::lock_guard lock(mutex_);
        trainers_.push_back(std::this_thread::get_id());
        network_ = &network;
        eager_ = eager_ || eager;
    }
    try {
        save(false, parts);
    } catch (...) {  // no memory
        end();
        throw;
    }
}

template <class T>
void EpochEnd<T>::save(bool is_last, const Parts& parts) {
    std::shared_ptr<const Network<T>> old;  // not destroyed under the lock: see ForkAware
    const std::lock_guard lock(mutex_);
    const bool is_over = is_last && trainers_.size() == 1;
    if (network_ == nullptr || !(wanted_ || (eager_ && !is_over))) return;
    old = std::move(copy_);
    const auto from = buffers();
    for (std::size_t i = 0; i < kParts; ++i) {
        const std::size_t size = from[i] ? from[i]->size() : 0;
        if (saved_[i].size() != size) saved_[i] = Buffer<T>::unset(size);
        parts.each(size, sizeof(T), [&](Range part) {
            std::copy_n(from[i]->data() + part.first, part.size(), saved_[i].data() + part.first);
        });
    }
    is_saved_ = true;
    optimizer_ = network_->optimizer_state().kind;
    steps_ = network_->optimizer_state().steps;
    decay_ = network_->moving_average().decay;
    averaged_ = network_->moving_average().steps;
    epoch_ = network_->epoch();
    changed_.get().notify_all();
}

template <class T>
void EpochEnd<T>::expect_readers() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
}

template <class T>
void EpochEnd<T>::restore() {
    if (!is_saved_) return;
    const auto to = buffers();
    const auto has_size = [&](Part part) {
        return saved_[part].size() == (to[part] ? to[part]->size() : 0);
    };
    const auto take = [&](Part part) {
        if (to[part]) std::copy_n(saved_[part].data(), saved_[part].size(), to[part]->data());
    };
    take(kParameters), take(kStatistics);
    // The optimizer may have been replaced since, and the moving average, too: the state of the new
    // one is still empty.
    OptimizerState<T>& state = network_->optimizer_state();
    if (state.kind == optimizer_ && has_size(kFirst) && has_size(kSecond)) {
        take(kFirst), take(kSecond);
        state.steps = steps_;
    }
    MovingAverage<T>& average = network_->moving_average();
    if (average.decay == decay_ && has_size(kAverage) && has_size(kAverageStatistics)) {
        take(kAverage), take(kAverageStatistics);
        average.steps = averaged_;
    }
}

template <class T>
void EpochEnd<T>::end() noexcept {
    std::shared_ptr<const Network<T>> old;
    const std::lock_guard lock(mutex_);
    trainers_.pop_back();
    if (!trainers_.empty()) return;
    old = std::move(copy_);
    forget();
    changed_.get().notify_all();
}

template <class T>
std::shared_ptr<const Network<T>> EpochEnd<T>::read(const Network<T>& network,
                                                    std::chrono::milliseconds patience) {
    {
        std::unique_lock lock(mutex_);
        wanted_ = true;
        changed_.get().wait_for(lock, patience, [this] { return is_saved_; });
        if (!is_saved_ || copy_) return copy_;
    }
    const auto copy =
        std::shared_ptr<Network<T>>(new Network<T>(typename Network<T>::Like{network}));
    const std::lock_guard lock(mutex_);
    if (!copy_ && is_saved_) {
        const Buffer<T>&parameters = saved_[kParameters], &statistics = saved_[kStatistics];
        std::copy_n(parameters.data(), parameters.size(), copy->parameters()->data());
        std::copy_n(statistics.data(), statistics.size(), copy->statistics()->data());
        copy->copy_column_settings(
            network);  // here, as only a training keeps others from writing it
        copy->set_epoch(epoch_);
        copy_ = copy;
    }
    return copy_;
}

/// If the training thread did not survive the fork, the network goes back to the last epoch end.
template <class T>
void EpochEnd<T>::after_fork_in_child() noexcept {
    changed_.renew();
    if (network_ != nullptr && trainers_.back() != std::this_thread::get_id()) {
        restore();
        if (is_saved_) network_->set_epoch(epoch_);
        forget();
    }
    mutex_.unlock();
}

template <class T>
void EpochEnd<T>::forget() noexcept {
    network_ = nullptr;
    eager_ = false;
    trainers_.clear();
    is_saved_ = false;
    saved_ = {};
}

template <class T>
auto EpochEnd<T>::buffers() const -> std::array<Buffer<T>*, kParts> {
    const OptimizerState<T>& state = network_->optimizer_state();
    const MovingAverage<T>& average = network_->moving_average();
    return {network_->parameters().get(), network_->statistics().get(), state.first.get(),
            state.second.get(),           average.parameters.get(),     average.statistics.get()};
}

template class EpochEnd<float>;
template class EpochEnd<double>;

}  // namespace fastmlp
