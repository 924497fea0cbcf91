#include "training/epoch_end.hpp"

#include <algorithm>

namespace fastmlp {

template <class T>
void EpochEnd<T>::begin(Network<T>& network, bool eager) {
    {
        const std::lock_guard lock(mutex_);
        trainers_.push_back(std::this_thread::get_id());
        network_ = &network;
        eager_ = eager_ || eager;
    }
    try {
        save();
    } catch (...) {  // no memory
        end();
        throw;
    }
}

template <class T>
void EpochEnd<T>::save() {
    std::shared_ptr<const Network<T>> old;  // not destroyed under the lock: see ForkAware
    const std::lock_guard lock(mutex_);
    if (network_ == nullptr || (!eager_ && !wanted_)) return;
    old = std::move(copy_);
    const std::vector<Buffer<T>*> from = buffers();
    while (saved_.size() < from.size()) saved_.emplace_back(from[saved_.size()]->size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::copy_n(from[i]->data(), from[i]->size(), saved_[i].data());
    }
    saved_buffers_ = from.size();
    optimizer_ = network_->optimizer_state().kind;
    steps_ = network_->optimizer_state().steps;
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
    if (saved_.empty()) return;
    const std::vector<Buffer<T>*> to = buffers();
    OptimizerState<T>& state = network_->optimizer_state();
    // The optimizer may have been replaced since; the state of the new one is still empty.
    const bool is_same = state.kind == optimizer_ && to.size() == saved_buffers_;
    for (std::size_t i = 0; i < (is_same ? to.size() : kOfNetwork); ++i) {
        std::copy_n(saved_[i].data(), saved_[i].size(), to[i]->data());
    }
    if (is_same) {
        state.steps = steps_;
        network_->moving_average().steps = averaged_;
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
        changed_.get().wait_for(lock, patience, [this] { return !saved_.empty(); });
        if (saved_.empty() || copy_) return copy_;
    }
    const auto copy =
        std::shared_ptr<Network<T>>(new Network<T>(typename Network<T>::Like{network}));
    const std::lock_guard lock(mutex_);
    if (!copy_ && !saved_.empty()) {
        std::copy_n(saved_[0].data(), saved_[0].size(), copy->parameters()->data());
        std::copy_n(saved_[1].data(), saved_[1].size(), copy->statistics()->data());
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
        if (!saved_.empty()) network_->set_epoch(epoch_);
        forget();
    }
    mutex_.unlock();
}

template <class T>
void EpochEnd<T>::forget() noexcept {
    network_ = nullptr;
    eager_ = false;
    trainers_.clear();
    saved_.clear();
}

template <class T>
std::vector<Buffer<T>*> EpochEnd<T>::buffers() const {
    const OptimizerState<T>& state = network_->optimizer_state();
    std::vector<Buffer<T>*> all{network_->parameters().get(), network_->statistics().get()};
    if (state.first) all.push_back(state.first.get());
    if (state.second) all.push_back(state.second.get());
    const MovingAverage<T>& average = network_->moving_average();
    if (average.parameters) {
        all.push_back(average.parameters.get());
        all.push_back(average.statistics.get());
    }
    return all;
}

template class EpochEnd<float>;
template class EpochEnd<double>;

}  // namespace fastmlp
