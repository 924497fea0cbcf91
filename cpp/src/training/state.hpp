/// All that a step of training changes: the parameters and what the optimizer remembers, as the
/// kernels want them, and running averages, with a way back to the last good state.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/dense_update.hpp"
#include "training/epoch_end.hpp"

namespace fastmlp {

template <class T>
class TrainedState {
public:
    /// Takes the network's own buffers; its optimizer state must be prepared.
    TrainedState(Network<T>& network, bool roll_back)
        : network_(network), roll_back_(roll_back),
          parameters_(network.layout(), network.parameters()->data()) {
        const OptimizerState<T>& state = network.optimizer_state();
        if (state.first) first_.emplace(network.layout(), state.first->data());
        if (state.second) second_.emplace(network.layout(), state.second->data());
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            UpdateTarget<T> target{parameters_[i]};
            if (first_) target.first = (*first_)[i];
            if (second_) target.second = (*second_)[i];
            targets_.push_back(target);
        }
        network.epoch_end().begin(network, roll_back);
    }
    ~TrainedState() { network_.epoch_end().end(); }
    TrainedState(const TrainedState&) = delete;
    TrainedState& operator=(const TrainedState&) = delete;

    const Image<T>& parameters() const { return parameters_; }
    const std::vector<UpdateTarget<T>>& targets() const { return targets_; }

    /// From the network's buffers to where the kernels work, and back.
    void load() {
        for_each_image([](Image<T>& image) { image.load(); });
    }
    void store() {
        for_each_image([](Image<T>& image) { image.store(); });
    }

    /// Whether all in the network's buffers is finite, and then it is that of an epoch end.
    bool save_if_finite(const kernels::KernelTable<T>& kernel) {
        const OptimizerState<T>& state = network_.optimizer_state();
        for (const Buffer<T>* buffer : {network_.parameters().get(), network_.statistics().get(),
                                        state.first.get(), state.second.get()}) {
            if (buffer == nullptr) continue;
            if (kernel.count_finite(buffer->data(), buffer->size()) != buffer->size()) return false;
        }
        network_.epoch_end().save();
        return true;
    }
    /// The network's buffers are what they were at the last epoch end, if that was asked for.
    void restore() {
        if (roll_back_) network_.epoch_end().restore();
    }

private:
    template <class F>
    void for_each_image(F f) {
        f(parameters_);
        if (first_) f(*first_);
        if (second_) f(*second_);
    }

    Network<T>& network_;
    bool roll_back_;
    Image<T> parameters_;
    std::optional<Image<T>> first_, second_;
    std::vector<UpdateTarget<T>> targets_;
};

}  // namespace fastmlp
