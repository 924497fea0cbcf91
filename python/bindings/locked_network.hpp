/// A network as Python holds it: the core's network, and who may use it right now.
///
/// All waits are without the GIL, which who is waited for may need to finish. Ctrl-C ends them.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "fastmlp/network.hpp"
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
    py::object features;                            ///< what `forward` borrowed
    mutable py::object feature_names, class_names;  ///< as Python sees them, once it has asked
    mutable Access access;
    std::optional<TrainStep<T>> train_step;  ///< of train_on_batch, once it was called
    std::vector<std::int32_t> labels;        ///< its labels, where they were of another type
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

/// Held while a network is trained from Python, or as one of many: what it was at the last
/// `epoch_end().save()`, or at the begin, is there for those who predict meanwhile.
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

/// Held while the network itself is read: a step is waited for, a training is a RuntimeError. The
/// training thread itself may read in its callbacks, where the network is exact and at rest.
class Reading {
public:
    template <class T>
    Reading(const LockedNetwork<T>& model, Unlocked& unlocked) : reading_(model.access) {
        if (reading_.begin([&] { check_signals(unlocked); })) return;
        throw std::runtime_error("the network is being trained in another thread");
    }
    /// With the GIL, of which it lets go to wait.
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

/// The network to predict with: itself, held as by `Reading`, or, while another thread trains it,
/// what it was at the last epoch end.
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
            // The training is about to begin, or to end, or did not save before it was asked.
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
