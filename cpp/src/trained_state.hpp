/// All that a step of training changes: the parameters and what the optimizer remembers, as the
/// kernels want them, and running averages, with a way back to the last good state.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "dense_update.hpp"
#include "fastmlp/network.hpp"

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
        if (!roll_back_) return;
        for (Buffer<T>* buffer : buffers()) saved_.emplace_back(buffer->size());
        save();
    }

    const Image<T>& parameters() const { return parameters_; }
    const std::vector<UpdateTarget<T>>& targets() const { return targets_; }

    /// From the network's buffers to where the kernels work, and back.
    void load() {
        for_each_image([](Image<T>& image) { image.load(); });
    }
    void store() {
        for_each_image([](Image<T>& image) { image.store(); });
    }

    /// Whether all in the network's buffers is finite, and then saved to roll back to.
    bool save_if_finite(const kernels::KernelTable<T>& kernel) {
        for (const Buffer<T>* buffer : buffers()) {
            if (kernel.count_finite(buffer->data(), buffer->size()) != buffer->size()) return false;
        }
        save();
        return true;
    }
    /// The network's buffers are what they were when saved, if that was asked for.
    void restore() {
        if (!roll_back_) return;
        for (std::size_t i = 0; i < saved_.size(); ++i) {
            std::copy_n(saved_[i].data(), saved_[i].size(), buffers()[i]->data());
        }
        network_.optimizer_state().steps = saved_steps_;
    }

private:
    std::vector<Buffer<T>*> buffers() const {
        const OptimizerState<T>& state = network_.optimizer_state();
        std::vector<Buffer<T>*> all{network_.parameters().get(), network_.statistics().get()};
        if (state.first) all.push_back(state.first.get());
        if (state.second) all.push_back(state.second.get());
        return all;
    }
    void save() {
        if (!roll_back_) return;
        for (std::size_t i = 0; i < saved_.size(); ++i) {
            std::copy_n(buffers()[i]->data(), saved_[i].size(), saved_[i].data());
        }
        saved_steps_ = network_.optimizer_state().steps;
    }
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
    std::vector<Buffer<T>> saved_;
    std::uint64_t saved_steps_ = 0;
};

}  // namespace fastmlp
