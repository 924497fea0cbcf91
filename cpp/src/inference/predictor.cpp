#include "fastmlp/predictor.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "checks/checks.hpp"
#include "inference/block.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/packed.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {

template <class T>
struct Predictor<T>::State {
    explicit State(const Network<T>& network)
        : kernel(kernels::active_table<T>()), features(network.features()),
          layers(network.layers()), loss(network.loss()), heads(network.heads()),
          layout(network.layout()), parameters(layout.size()), statistics(layout.statistics_size()),
          packed(layout, parameters.data()) {}

    void load(const Network<T>& network) {
        std::copy_n(network.parameters()->data(), layout.size(), parameters.data());
        std::copy_n(network.statistics()->data(), statistics.size(), statistics.data());
        copy(network.input_scaling(), input);
        copy(network.output_scaling(), output);
        packed.load();
    }

    void predict(MatrixView<const T> x, Range range, MatrixView<T> out) {
        const auto weights = [this](std::size_t i) { return read_only(packed[i]); };
        const InferenceLayers<T, decltype(weights)> net{
            kernel,
            layers,
            loss,
            weights,
            {&layout, statistics.data()},
            ColumnScaling<T>(output ? &*output : nullptr),
            heads};
        const ColumnScaling<T> scaling(input ? &*input : nullptr);
        block.predict(net, as_read(layers, scaled<T>(x, scaling)), range, out);
    }

    /// Into the room there is.
    static void copy(const std::shared_ptr<Buffer<T>>& from, std::optional<Buffer<T>>& to) {
        if (!from) return to.reset();
        if (!to) to.emplace(from->size());
        std::copy_n(from->data(), from->size(), to->data());
    }

    const kernels::KernelTable<T>& kernel;
    std::size_t features;
    std::vector<Layer> layers;
    Loss loss;
    std::vector<Head> heads;
    Layout layout;
    Buffer<T> parameters, statistics;
    std::optional<Buffer<T>> input, output;  ///< scalings
    PackedParameters<T> packed;
    InferenceBlock<T> block;
};

template <class T>
Predictor<T>::Predictor(const Network<T>& network) : state_(std::make_unique<State>(network)) {
    refresh(network);
    // Predicts a full block of zeros, so that no later call allocates.
    const Buffer<T> x(features());
    Buffer<T> out(outputs());
    const IeeeDefaults ieee;
    const std::size_t rows = rows_in_cache();
    state_->predict({x.data(), rows, features(), 0}, {0, rows}, {out.data(), rows, outputs(), 0});
}

template <class T>
Predictor<T>::~Predictor() = default;
template <class T>
Predictor<T>::Predictor(Predictor&&) noexcept = default;
template <class T>
Predictor<T>& Predictor<T>::operator=(Predictor&&) noexcept = default;

template <class T>
std::size_t Predictor<T>::features() const {
    return state_->features;
}

template <class T>
std::size_t Predictor<T>::outputs() const {
    return state_->layers.back().nodes;
}

template <class T>
void Predictor<T>::refresh(const Network<T>& network) {
    if (network.features() != features() || network.loss().kind != state_->loss.kind ||
        network.heads() != state_->heads ||
        !std::equal(network.layers().begin(), network.layers().end(), state_->layers.begin(),
                    state_->layers.end(), predict_alike)) {
        throw std::invalid_argument("refresh takes a network with the layers of the first one");
    }
    state_->load(network);
}

template <class T>
void Predictor<T>::predict_row(std::span<const T> x, std::span<T> out) {
    predict({x.data(), 1, x.size(), x.size()}, {out.data(), 1, out.size(), out.size()});
}

template <class T>
void Predictor<T>::predict(MatrixView<const T> x, MatrixView<T> out) {
    check_shapes(features(), outputs(), x, out);
    const IeeeDefaults ieee;
    for_each_block({0, x.rows}, rows_in_cache(), 0, nullptr,
                   [&](Range range) { state_->predict(x, range, out); });
}

template class Predictor<float>;
template class Predictor<double>;

}  // namespace fastmlp
