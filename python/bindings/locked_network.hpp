/// A network with its lock, as used from Python.
///
/// Threads wait without the GIL, which the thread they wait for may need to finish. Ctrl-C ends a
/// wait.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "fastmlp/hessian_product.hpp"
#include "fastmlp/network.hpp"
#include "fastmlp/objective.hpp"
#include "fastmlp/train_step.hpp"
#include "gil.hpp"
#include "threads/access.hpp"
#include "training/epoch_end.hpp"

namespace fastmlp::bindings {

template <class T>
struct LockedNetwork {
    LockedNetwork(std::size_t n_features, std::vector<Layer> layers, Loss loss, std::uint64_t seed)
        : network(n_features, std::move(layers), loss, seed) {}

    explicit LockedNetwork(Network<T> loaded) : network(std::move(loaded)) {}

    Network<T> network;
    py::object features;                            ///< borrowed by `forward`
    mutable py::object feature_names, class_names;  ///< as Python objects, once they were read
    mutable Access access;
    std::optional<TrainStep<T>> train_step;            ///< of train_on_batch, once it was called
    std::optional<Objective<T>> objective;             ///< once it was called
    std::optional<HessianProduct<T>> hessian_product;  ///< of hvp, once it was called
    std::vector<std::int32_t> labels;                  ///< its labels, converted from another type
};

/// Held while the network is written.
class Writing {
public:
    template <class T>
    Writing(LockedNetwork<T>& model, const Use& use, Unlocked& unlocked)
        : writing_(model.access, use, [&] { check_signals(unlocked); }) {}

private:
    Access::Writing writing_;
};

/// Held while a network is trained from Python, or as one of many. Other threads predict with its
/// state at the last `epoch_end().save()`, or at the start.
template <class T>
class Training {
public:
    Training(LockedNetwork<T>& model, const Use& use, Unlocked& unlocked)
        : network_(model.network), writing_(model, use, unlocked) {
        network_.epoch_end().begin(network_, true);
    }
    ~Training() { network_.epoch_end().end(); }
    Training(const Training&) = delete;
    Training& operator=(const Training&) = delete;

private:
    Network<T>& network_;
    Writing writing_;
};

/// Held while the network itself is read. Waits for a step of another thread; throws RuntimeError
/// if another thread is training. The training thread may read in its callbacks, during which the
/// network does not change.
class Reading {
public:
    template <class T>
    Reading(const LockedNetwork<T>& model, Unlocked& unlocked) : reading_(model.access) {
        if (reading_.begin([&] { check_signals(unlocked); })) return;
        throw std::runtime_error("the network is being trained in another thread");
    }
    /// To be called with the GIL, which is released while waiting.
    template <class T>
    explicit Reading(const LockedNetwork<T>& model) : reading_(model.access) {
        if (reading_.try_begin()) return;
        Unlocked unlocked;
        if (reading_.begin([&] { check_signals(unlocked); })) return;
        throw std::runtime_error("the network is being trained in another thread");
    }

private:
    Access::Reading reading_;
};

/// The network to predict with: itself, held as by `Reading`, or, while another thread trains it, a
/// copy from the end of the last epoch.
template <class T>
class Predicting {
public:
    Predicting(const LockedNetwork<T>& model, Unlocked& unlocked)
        : reading_(model.access), network_(&model.network) {
        const auto poll = [&] { check_signals(unlocked); };
        std::chrono::milliseconds patience(0);
        while (!reading_.begin(poll)) {
            copy_ = model.network.last_epoch_end(patience);
            network_ = copy_.get();
            if (copy_) return;
            // The training is about to begin or to end, or has not kept a copy since it was asked
            // to.
            if (patience == Access::kPatience) poll();
            patience = std::min(2 * patience + std::chrono::milliseconds(1), Access::kPatience);
        }
        network_ = &model.network;
    }

    const Network<T>& network() const { return *network_; }

private:
    Access::Reading reading_;
    std::shared_ptr<const Network<T>> copy_;
    const Network<T>* network_;
};

}  // namespace fastmlp::bindings
