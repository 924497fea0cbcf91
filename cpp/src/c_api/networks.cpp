/// The C interface: networks, their copies, what they are and what may be set.
#include "c_api/arguments.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"
#include "checks/finite.hpp"

using namespace fastmlp::c;

namespace {

template <class T>
fastmlp_status create(size_t features, const fastmlp_layer* layers, size_t layer_count,
                      const char* loss, uint64_t seed, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        auto all = to_layers(given(layers, "layers"), layer_count);
        const fastmlp::Loss chosen = to_loss(loss, all.back());
        *network = new fastmlp_network(fastmlp::Network<T>(features, std::move(all), chosen, seed));
    });
}

template <class T>
fastmlp_status create(const fastmlp_network_options* options, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        const fastmlp_network_options& from = *given(options, "options");
        auto layers = to_layers(from);
        const fastmlp::Loss loss = to_loss(from.loss, layers.back());
        *network = new fastmlp_network(
            fastmlp::Network<T>(from.features, std::move(layers), loss, from.seed));
    });
}

/// f(network), or `none` for no network. Nothing else can fail.
template <class V, class F>
V ask(const fastmlp_network* network, V none, F f) {
    return network != nullptr ? with_network(network, f) : none;
}

/// The elements of a buffer of a network of the type T; null if there are none, or another type.
template <class T, class Get>
T* elements(fastmlp_network* network, size_t* count, Get get) {
    T* data = nullptr;
    guarded([&] {
        const std::shared_ptr<fastmlp::Buffer<T>>& buffer = get(model<T>(network).network);
        if (count != nullptr) *count = buffer ? buffer->size() : 0;
        if (buffer) data = buffer->data();
    });
    return data;
}

const char* name_at(const std::vector<std::string>& names, size_t i) {
    return i < names.size() ? names[i].c_str() : nullptr;
}

/// Names are literals, which end in 0.
template <class T>
fastmlp_layer_info describe(const fastmlp::Network<T>& network, size_t i) {
    const fastmlp::Layer& layer = network.layers()[i];
    const fastmlp::LayerLayout& at = network.layout()[i];
    fastmlp_layer_info info{};
    info.inputs = at.k;
    info.nodes = at.n;
    info.activation = fastmlp::name_of(layer.activation).data();
    info.activation_parameter = layer.activation.parameter;
    info.normalization = fastmlp::name_of(layer.normalization).data();
    info.epsilon = layer.normalization.epsilon;
    info.momentum = layer.normalization.momentum;
    info.after_activation = layer.normalization.after_activation ? 1 : 0;
    info.dropout = layer.dropout;
    info.trainable = layer.trainable ? 1 : 0;
    info.rate_factor = layer.rate_factor;
    info.parameter_count = at.size();
    info.weights = at.weights.offset;
    info.biases = at.biases.offset;
    info.scales = at.scales.offset;
    info.shifts = at.shifts.offset;
    info.running_means = at.running_means.offset;
    info.running_variances = at.running_variances.offset;
    info.input_normalization = fastmlp::name_of(layer.input_normalization).data();
    info.input_epsilon = layer.input_normalization.epsilon;
    info.input_momentum = layer.input_normalization.momentum;
    info.input_scales = at.input_scales.offset;
    info.input_shifts = at.input_shifts.offset;
    info.input_running_means = at.input_running_means.offset;
    info.input_running_variances = at.input_running_variances.offset;
    return info;
}

/// Sets scales and offsets by `set`, of either side.
template <class T, class Set>
fastmlp_status set_scaling(fastmlp_network* handle, bool of_outputs, const T* scales,
                           const T* offsets, Set set) {
    return guarded([&] {
        fastmlp::Network<T>& network = model<T>(handle).network;
        if (scales == nullptr && offsets == nullptr) return set(network, {}, {});
        const size_t columns = of_outputs ? network.outputs() : network.features();
        for (const auto& [values, name] : {std::pair(scales, "scales"), {offsets, "offsets"}}) {
            given(values, name);
            if (fastmlp::count_finite(values, columns) < columns) {
                throw std::invalid_argument(std::string(name) + " must be finite");
            }
        }
        set(network, {scales, columns}, {offsets, columns});
    });
}

template <class T>
fastmlp_status set_input(fastmlp_network* network, const T* scales, const T* offsets) {
    return set_scaling(network, false, scales, offsets,
                       [](auto& net, std::span<const T> scale, std::span<const T> offset) {
                           net.set_input_scaling(scale, offset);
                       });
}

template <class T>
fastmlp_status set_output(fastmlp_network* network, const T* scales, const T* offsets) {
    return set_scaling(network, true, scales, offsets,
                       [](auto& net, std::span<const T> scale, std::span<const T> offset) {
                           net.set_output_scaling(scale, offset);
                       });
}

template <class T>
fastmlp_status set_loss_weights(fastmlp_network* handle, const T* weights) {
    return guarded([&] {
        fastmlp::Network<T>& network = model<T>(handle).network;
        network.set_loss_weights({weights, weights != nullptr ? network.outputs() : 0});
    });
}

}  // namespace

fastmlp_status fastmlp_create(size_t features, const fastmlp_layer* layers, size_t layer_count,
                              const char* loss, uint64_t seed, fastmlp_network** network) {
    return create<float>(features, layers, layer_count, loss, seed, network);
}

fastmlp_status fastmlp_create_f64(size_t features, const fastmlp_layer* layers, size_t layer_count,
                                  const char* loss, uint64_t seed, fastmlp_network** network) {
    return create<double>(features, layers, layer_count, loss, seed, network);
}

fastmlp_layer_options fastmlp_default_layer() {
    const fastmlp::Layer defaults{0, fastmlp::Activation::kRelu};
    return {defaults.nodes,
            "relu",
            "none",
            defaults.normalization.epsilon,
            defaults.normalization.momentum,
            defaults.normalization.after_activation ? 1 : 0,
            defaults.dropout,
            defaults.trainable ? 1 : 0,
            defaults.rate_factor};
}

fastmlp_network_options fastmlp_default_network() {
    const fastmlp_layer_options layer = fastmlp_default_layer();
    return {0, nullptr, 0, nullptr, 0, layer.normalization, layer.epsilon, layer.momentum};
}

fastmlp_status fastmlp_create_network(const fastmlp_network_options* options,
                                      fastmlp_network** network) {
    return create<float>(options, network);
}

fastmlp_status fastmlp_create_network_f64(const fastmlp_network_options* options,
                                          fastmlp_network** network) {
    return create<double>(options, network);
}

void fastmlp_destroy(fastmlp_network* network) {
    delete network;
}

fastmlp_status fastmlp_copy(const fastmlp_network* network, int with_optimizer,
                            fastmlp_network** copy) {
    return guarded([&] {
        given(copy, "copy");
        *copy = with_network(network, [&](const auto& net) {
            return new fastmlp_network(net.copy(with_optimizer != 0));
        });
    });
}

fastmlp_status fastmlp_averaged(const fastmlp_network* network, fastmlp_network** averaged) {
    return guarded([&] {
        given(averaged, "averaged");
        *averaged = with_network(
            network, [&](const auto& net) { return new fastmlp_network(net.averaged()); });
    });
}

fastmlp_status fastmlp_soft_update(fastmlp_network* network, const fastmlp_network* source,
                                   double tau) {
    return guarded([&] {
        with_network(network, [&]<class T>(fastmlp::Network<T>& net) {
            net.soft_update(model<T>(source, "source").network, tau);
        });
    });
}

size_t fastmlp_features(const fastmlp_network* network) {
    return ask(network, size_t{0}, [](const auto& net) { return net.features(); });
}

size_t fastmlp_outputs(const fastmlp_network* network) {
    return ask(network, size_t{0}, [](const auto& net) { return net.outputs(); });
}

int fastmlp_is_f64(const fastmlp_network* network) {
    return network != nullptr && network->any.index() == 1 ? 1 : 0;
}

size_t fastmlp_layer_count(const fastmlp_network* network) {
    return ask(network, size_t{0}, [](const auto& net) { return net.layers().size(); });
}

uint64_t fastmlp_seed(const fastmlp_network* network) {
    return ask(network, uint64_t{0}, [](const auto& net) { return net.seed(); });
}

uint32_t fastmlp_epoch(const fastmlp_network* network) {
    return ask(network, uint32_t{0}, [](const auto& net) { return net.epoch(); });
}

uint64_t fastmlp_steps(const fastmlp_network* network) {
    return ask(network, uint64_t{0}, [](const auto& net) { return net.optimizer_state().steps; });
}

const char* fastmlp_loss(const fastmlp_network* network, double* parameter) {
    const auto loss_of = [](const auto& net) { return net.loss(); };
    const fastmlp::Loss loss =
        ask(network, fastmlp::Loss(fastmlp::Loss::kMeanSquaredError), loss_of);
    if (parameter != nullptr) *parameter = loss.parameter;
    return network != nullptr ? fastmlp::name_of(loss.kind).data() : nullptr;
}

size_t fastmlp_class_count(const fastmlp_network* network) {
    return ask(network, size_t{0},
               [](const auto& net) { return fastmlp::class_count(net.layers().back()); });
}

const char* fastmlp_feature_name(const fastmlp_network* network, size_t feature) {
    return ask(network, static_cast<const char*>(nullptr),
               [&](const auto& net) { return name_at(net.names().features, feature); });
}

const char* fastmlp_class_name(const fastmlp_network* network, size_t class_index) {
    return ask(network, static_cast<const char*>(nullptr),
               [&](const auto& net) { return name_at(net.names().classes, class_index); });
}

fastmlp_status fastmlp_get_layer(const fastmlp_network* network, size_t layer,
                                 fastmlp_layer_info* info) {
    return guarded([&] {
        given(info, "info");
        with_network(network, [&](const auto& net) {
            const size_t count = net.layers().size();
            if (layer >= count) {
                throw std::invalid_argument("there is no layer " + std::to_string(layer) + " of " +
                                            std::to_string(count));
            }
            *info = describe(net, layer);
        });
    });
}

fastmlp_status fastmlp_set_trainable(fastmlp_network* network, size_t layer, int trainable) {
    return guarded([&] {
        with_network(network, [&](auto& net) { net.set_trainable(layer, trainable != 0); });
    });
}

fastmlp_status fastmlp_set_rate_factor(fastmlp_network* network, size_t layer, double factor) {
    return guarded(
        [&] { with_network(network, [&](auto& net) { net.set_rate_factor(layer, factor); }); });
}

float* fastmlp_parameters(fastmlp_network* network, size_t* count) {
    return elements<float>(network, count, [](auto& net) { return net.parameters(); });
}

float* fastmlp_gradients(fastmlp_network* network, size_t* count) {
    return elements<float>(network, count, [](auto& net) { return net.gradients(); });
}

float* fastmlp_statistics(fastmlp_network* network, size_t* count) {
    return elements<float>(network, count, [](auto& net) { return net.statistics(); });
}

double* fastmlp_parameters_f64(fastmlp_network* network, size_t* count) {
    return elements<double>(network, count, [](auto& net) { return net.parameters(); });
}

double* fastmlp_gradients_f64(fastmlp_network* network, size_t* count) {
    return elements<double>(network, count, [](auto& net) { return net.gradients(); });
}

double* fastmlp_statistics_f64(fastmlp_network* network, size_t* count) {
    return elements<double>(network, count, [](auto& net) { return net.statistics(); });
}

float* fastmlp_input_scaling(fastmlp_network* network) {
    return elements<float>(network, nullptr, [](auto& net) { return net.input_scaling(); });
}

float* fastmlp_output_scaling(fastmlp_network* network) {
    return elements<float>(network, nullptr, [](auto& net) { return net.output_scaling(); });
}

double* fastmlp_input_scaling_f64(fastmlp_network* network) {
    return elements<double>(network, nullptr, [](auto& net) { return net.input_scaling(); });
}

double* fastmlp_output_scaling_f64(fastmlp_network* network) {
    return elements<double>(network, nullptr, [](auto& net) { return net.output_scaling(); });
}

float* fastmlp_loss_weights(fastmlp_network* network) {
    return elements<float>(network, nullptr, [](auto& net) { return net.loss_weights(); });
}

double* fastmlp_loss_weights_f64(fastmlp_network* network) {
    return elements<double>(network, nullptr, [](auto& net) { return net.loss_weights(); });
}

fastmlp_status fastmlp_set_loss_weights(fastmlp_network* network, const float* weights) {
    return set_loss_weights(network, weights);
}

fastmlp_status fastmlp_set_loss_weights_f64(fastmlp_network* network, const double* weights) {
    return set_loss_weights(network, weights);
}

fastmlp_status fastmlp_set_input_scaling(fastmlp_network* network, const float* scales,
                                         const float* offsets) {
    return set_input(network, scales, offsets);
}

fastmlp_status fastmlp_set_output_scaling(fastmlp_network* network, const float* scales,
                                          const float* offsets) {
    return set_output(network, scales, offsets);
}

fastmlp_status fastmlp_set_input_scaling_f64(fastmlp_network* network, const double* scales,
                                             const double* offsets) {
    return set_input(network, scales, offsets);
}

fastmlp_status fastmlp_set_output_scaling_f64(fastmlp_network* network, const double* scales,
                                              const double* offsets) {
    return set_output(network, scales, offsets);
}
