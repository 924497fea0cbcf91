/// Everything a training step changes: parameters and optimizer state in the kernels' layout, and
/// running averages. It can be rolled back to the last epoch end.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/dense.hpp"
#include "propagation/workspace.hpp"
#include "threads/parts.hpp"
#include "training/epoch_end.hpp"
#include "training/power.hpp"

namespace fastmlp {

/// Parameters and optimizer state in the kernels' layout.
template <class T>
class PackedState {
public:
    /// Uses the network's buffers; its optimizer state must be prepared.
    explicit PackedState(Network<T>& network)
        : parameters_(network.layout(), network.parameters()->data()) {
        const OptimizerState<T>& state = network.optimizer_state();
        if (state.first) first_moment_.emplace(network.layout(), state.first->data());
        if (state.second) second_moment_.emplace(network.layout(), state.second->data());
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            UpdateTarget<T> target{parameters_[i]};
            if (first_moment_) target.first_moment = (*first_moment_)[i];
            if (second_moment_) target.second_moment = (*second_moment_)[i];
            targets_.push_back(target);
        }
    }
    PackedState(const PackedState&) = delete;
    PackedState& operator=(const PackedState&) = delete;

    const PackedParameters<T>& parameters() const { return parameters_; }
    const std::vector<UpdateTarget<T>>& targets() const { return targets_; }

    /// Copies between the network's buffers and the kernels' layout.
    void load() {
        for_each_packed([](PackedParameters<T>& packed) { packed.load(); });
    }
    void store() {
        for_each_packed([](PackedParameters<T>& packed) { packed.store(); });
    }

private:
    template <class F>
    void for_each_packed(F f) {
        f(parameters_);
        if (first_moment_) f(*first_moment_);
        if (second_moment_) f(*second_moment_);
    }

    PackedParameters<T> parameters_;
    std::optional<PackedParameters<T>> first_moment_, second_moment_;
    std::vector<UpdateTarget<T>> targets_;
};

/// Whether everything that a training changes is finite in the network's buffers.
template <class T>
bool all_finite(const kernels::KernelTable<T>& kernel, const Network<T>& network,
                const Parts& parts = {}) {
    constexpr T kLimit = std::numeric_limits<T>::infinity();
    std::atomic<bool> finite{true};
    const OptimizerState<T>& state = network.optimizer_state();
    for (const Buffer<T>* buffer : {network.parameters().get(), network.statistics().get(),
                                    state.first.get(), state.second.get()}) {
        if (buffer == nullptr) continue;
        parts.each(buffer->size(), sizeof(T), [&](Range part) {
            const T* const first = buffer->data() + part.first;
            if (kernel.count_below(kLimit, first, part.size()) != part.size()) finite = false;
        });
    }
    return finite;
}

/// The same during a training, with the moving average and the way back.
template <class T>
class TrainingState : public PackedState<T> {
public:
    /// The moving average must be prepared if `averages`.
    TrainingState(Network<T>& network, bool roll_back, bool averages, const Parts& parts)
        : PackedState<T>(network), network_(network), roll_back_(roll_back), parts_(parts) {
        if (averages)
            average_.emplace(network.layout(), network.moving_average().parameters->data());
        network.epoch_end().begin(network, roll_back, parts);
    }
    ~TrainingState() { network_.epoch_end().end(); }

    void load() {
        PackedState<T>::load();
        if (average_) average_->load();
    }
    void store() {
        PackedState<T>::store();
        if (average_) average_->store();
    }

    /// Updates this thread's share of the moving average, which is now a mean over `steps` steps.
    void average(const kernels::KernelTable<T>& kernel, std::uint64_t steps, Share share) const {
        if (!average_) return;
        const MovingAverage<T>& average = network_.moving_average();
        const auto gain = static_cast<T>((1 - average.decay) / (1 - power(average.decay, steps)));
        for (std::size_t i = 0; i < this->parameters().size(); ++i) {
            const DenseView<T>&from = this->parameters()[i], &to = (*average_)[i];
            const Range rows = share.of(from.transposed ? from.n : from.k, 1);
            const std::size_t first = rows.first * from.ldw;
            kernel.approach(gain, rows.size() * from.ldw, from.w + first, to.w + first);
            if (share.rank != 0) continue;
            for_each_vector(from, [&](T* DenseView<T>::* part, std::size_t size) {
                kernel.approach(gain, size, from.*part, to.*part);
            });
        }
        const Range mine = share.of(average.statistics->size(), 1);
        kernel.approach(gain, mine.size(), network_.statistics()->data() + mine.first,
                        average.statistics->data() + mine.first);
    }

    /// Marks an epoch end, maybe the last one, if everything in the network's buffers is finite;
    /// returns whether it is.
    bool save_if_finite(const kernels::KernelTable<T>& kernel, bool is_last) {
        if (!all_finite(kernel, network_, parts_)) return false;
        network_.epoch_end().save(is_last, parts_);
        return true;
    }
    /// Rolls the network's buffers back to the last epoch end, if this was requested.
    void restore() {
        if (roll_back_) network_.epoch_end().restore();
    }

private:
    Network<T>& network_;
    bool roll_back_;
    Parts parts_;
    std::optional<PackedParameters<T>> average_;
};

}  // namespace fastmlp
