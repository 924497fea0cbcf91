/// A network as Python holds it: the core's network, and who may use it right now.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "fastmlp/network.hpp"

namespace fastmlp::bindings {

namespace py = pybind11;

template <class T>
struct Model {
    Model(std::size_t n_features, std::vector<Layer> layers, Loss loss, std::uint64_t seed)
        : network(n_features, std::move(layers), loss, seed) {}

    explicit Model(Network<T> loaded) : network(std::move(loaded)) {}

    Network<T> network;
    py::object features;                    ///< what `forward` borrowed
    std::atomic<std::thread::id> writer{};  ///< the thread that trains
    std::atomic<int> readers{0};            ///< calls that predict

    /// Another thread is training.
    bool busy() const {
        const auto id = writer.load();
        return id != std::thread::id{} && id != std::this_thread::get_id();
    }
};

/// Held while parameters are read. From the training thread itself (a callback) that is allowed:
/// they are exact and at rest then.
template <class T>
class Reading {
public:
    explicit Reading(Model<T>& model) : model_(model) {
        ++model_.readers;
        if (model_.busy()) {
            --model_.readers;
            throw std::runtime_error("the network is being trained in another thread");
        }
    }
    ~Reading() { --model_.readers; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

private:
    Model<T>& model_;
};

/// Held while parameters are written. Waits for readers, whose calls are short; never for another
/// writer. Construct without the GIL.
template <class T>
class Writing {
public:
    explicit Writing(Model<T>& model) : model_(model) {
        std::thread::id nobody{};
        if (!model_.writer.compare_exchange_strong(nobody, std::this_thread::get_id())) {
            throw std::runtime_error(nobody == std::this_thread::get_id()
                                         ? "the network is being trained: not from its own callback"
                                         : "the network is being trained in another thread");
        }
        while (model_.readers.load() != 0) std::this_thread::yield();
    }
    ~Writing() { model_.writer.store(std::thread::id{}); }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

private:
    Model<T>& model_;
};

}  // namespace fastmlp::bindings
