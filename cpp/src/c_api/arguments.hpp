/// Converts arguments of the C interface to those of the C++ interface. Throws
/// std::invalid_argument for null pointers, sizes beyond memory and unknown names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp.h"
#include "fastmlp/fastmlp.hpp"
#include "files/json.hpp"

namespace fastmlp::c {

template <class Pointer>
Pointer given(Pointer pointer, const char* name) {
    if (pointer == nullptr) throw std::invalid_argument(std::string(name) + " is null");
    return pointer;
}

/// A size that no array can have is usually a negative number.
inline void check_count(std::size_t count, std::size_t bytes_each, const char* name) {
    if (count > PTRDIFF_MAX / bytes_each) {
        throw std::invalid_argument(std::string(name) + " is " + std::to_string(count) +
                                    ", more than memory can hold");
    }
}

template <class T>
MatrixView<T> matrix(T* data, std::size_t rows, std::size_t cols, const char* name) {
    check_count(rows, sizeof(T) * cols, "rows");
    if (rows > 0) given(data, name);
    return {data, rows, cols, cols};
}

/// Throws unless the arrays have no byte in common.
inline void check_apart(const void* a, std::size_t a_bytes, const char* name, const void* b,
                        std::size_t b_bytes, const char* other) {
    const std::less<> before;
    const auto* const first = static_cast<const std::byte*>(a);
    const auto* const second = static_cast<const std::byte*>(b);
    if (a == nullptr || b == nullptr || a_bytes == 0 || b_bytes == 0) return;
    if (!before(first, second + b_bytes) || !before(second, first + a_bytes)) return;
    throw std::invalid_argument(std::string(name) + " overlaps " + other);
}

/// `out` of the same rows as x, apart from it.
template <class T>
MatrixView<T> results(T* out, std::size_t cols, const MatrixView<const T>& x) {
    const MatrixView<T> result = matrix(out, x.rows, cols, "out");
    check_apart(out, x.rows * cols * sizeof(T), "out", x.data, x.rows * x.cols * sizeof(T), "x");
    return result;
}

/// `y` is of either type.
template <class T, class CTargets>
Targets<T> targets(const CTargets& y, std::size_t rows, std::size_t outputs) {
    if ((y.labels == nullptr) == (y.values == nullptr)) {
        throw std::invalid_argument("y must have either labels or values");
    }
    if (y.labels != nullptr) return Targets<T>::of_labels(y.labels, rows);
    return Targets<T>::of_values({y.values, rows, outputs, outputs});
}

/// from_name(name), for a name, or a name and a parameter: "leaky_relu(0.2)".
template <class FromName>
auto with_parameter(std::string_view text, const char* what, FromName from_name) {
    const std::size_t bracket = std::min(text.find('('), text.size());
    auto result = from_name(text.substr(0, bracket));
    if (bracket == text.size()) return result;
    files::JsonReader rest(text.substr(bracket + 1));
    bool is_complete = false;
    try {
        result.parameter = rest.number();
        rest.expect(')');
        is_complete = rest.at_end();
    } catch (const files::JsonError&) {
    }
    if (!is_complete) {
        throw std::invalid_argument("'" + std::string(text) + "' is not " + what +
                                    " with a number in brackets");
    }
    return result;
}

inline Activation to_activation(std::string_view text) {
    return with_parameter(text, "an activation", activation_from_name);
}

/// Null is the default of the output layer.
inline Loss to_loss(const char* text, const Layer& output) {
    if (text == nullptr) return default_loss(output.activation);
    return with_parameter(text, "a loss",
                          [](std::string_view name) { return Loss(loss_from_name(name)); });
}

inline std::vector<Layer> to_layers(const fastmlp_layer* layers, std::size_t count) {
    check_count(count, sizeof(fastmlp_layer), "layer_count");
    std::vector<Layer> result;
    for (std::size_t i = 0; i < count; ++i) {
        const char* name = given(layers[i].activation, "the activation of a layer");
        result.push_back({layers[i].nodes, to_activation(name)});
    }
    if (result.empty()) throw std::invalid_argument("layer_count must be at least 1");
    return result;
}

/// Null is none.
inline Normalization to_normalization(const char* name, double epsilon, double momentum) {
    Normalization result = normalization_from_name(name != nullptr ? name : "none");
    result.epsilon = epsilon;
    result.momentum = momentum;
    return result;
}

inline Layer to_layer(const fastmlp_layer_options& from) {
    Layer layer{from.nodes,
                to_activation(given(from.activation, "the activation of a layer")),
                to_normalization(from.normalization, from.epsilon, from.momentum),
                from.dropout,
                from.trainable != 0,
                from.rate_factor};
    layer.normalization.after_activation = from.after_activation != 0;
    return layer;
}

inline std::vector<Layer> to_layers(const fastmlp_network_options& from) {
    check_count(from.layer_count, sizeof(fastmlp_layer_options), "layer_count");
    if (from.layer_count == 0) throw std::invalid_argument("layer_count must be at least 1");
    given(from.layers, "layers");
    std::vector<Layer> result;
    for (std::size_t i = 0; i < from.layer_count; ++i) result.push_back(to_layer(from.layers[i]));
    result[0].input_normalization =
        to_normalization(from.input_normalization, from.input_epsilon, from.input_momentum);
    return result;
}

inline Executor to_executor(const fastmlp_executor& from) {
    given(from.run, "the executor's function run");
    return {from.concurrency, [from](int tasks, const std::function<void(int)>& task) {
                const auto call = [](void* data, int rank) {
                    (*static_cast<const std::function<void(int)>*>(data))(rank);
                };
                from.run(from.context, tasks, call,
                         const_cast<void*>(static_cast<const void*>(&task)));
            }};
}

inline Optimizer::Kind to_kind(std::string_view name) {
    using Kind = Optimizer::Kind;
    if (name == "sgd") return Kind::kSgd;
    if (name == "adam") return Kind::kAdam;
    if (name == "rmsprop") return Kind::kRmsprop;
    throw std::invalid_argument("unknown optimizer '" + std::string(name) +
                                "'; known: sgd, adam, rmsprop");
}

inline Optimizer to_optimizer(const fastmlp_optimizer& from) {
    Optimizer optimizer;
    optimizer.kind = to_kind(from.kind != nullptr ? from.kind : "sgd");
    optimizer.learning_rate = from.learning_rate;
    optimizer.momentum = from.momentum;
    optimizer.nesterov = from.nesterov != 0;
    optimizer.beta_1 = from.beta_1;
    optimizer.beta_2 = from.beta_2;
    optimizer.rho = from.rho;
    optimizer.epsilon = from.epsilon;
    optimizer.l1 = from.l1;
    optimizer.l2 = from.l2;
    optimizer.weight_decay = from.weight_decay;
    optimizer.clip_value = from.clip_value;
    optimizer.clip_norm = from.clip_norm;
    optimizer.decay_biases = from.decay_biases != 0;
    return optimizer;
}

inline Schedule::Kind to_schedule_kind(std::string_view name) {
    using Kind = Schedule::Kind;
    if (name == "constant") return Kind::kConstant;
    if (name == "step") return Kind::kStep;
    if (name == "exponential") return Kind::kExponential;
    if (name == "cosine") return Kind::kCosine;
    if (name == "one_cycle") return Kind::kOneCycle;
    if (name == "inverse") return Kind::kInverse;
    throw std::invalid_argument("unknown schedule '" + std::string(name) +
                                "'; known: constant, step, exponential, cosine, one_cycle, "
                                "inverse");
}

inline Schedule to_schedule(const fastmlp_schedule& from) {
    Schedule schedule;
    schedule.kind = to_schedule_kind(from.kind != nullptr ? from.kind : "constant");
    schedule.factor = from.factor;
    schedule.every = from.every;
    schedule.final = from.final_factor;
    schedule.initial = from.initial_factor;
    schedule.rise = from.rise;
    schedule.power = from.power;
    schedule.warm_up = from.warm_up;
    schedule.shift = from.shift != 0;
    check_schedule(schedule);
    return schedule;
}

inline TrainOptions to_options(const fastmlp_train_options& from) {
    if (from.epochs == 0) throw std::invalid_argument("epochs must be at least 1");
    TrainOptions options;
    options.epochs = from.epochs;
    options.batch_size = from.batch_size;
    options.optimizer.kind = to_kind(from.optimizer != nullptr ? from.optimizer : "sgd");
    options.optimizer.learning_rate = from.learning_rate;
    options.optimizer.momentum = from.momentum;
    options.optimizer.l2 = from.l2;
    options.optimizer.weight_decay = from.weight_decay;
    options.ema = from.ema;
    options.shuffle = from.shuffle != 0;
    options.n_threads = from.n_threads;
    if (from.on_epoch != nullptr) {
        options.on_epoch = [from](const EpochReport& report) {
            return from.on_epoch(from.context, report.epoch, report.loss) != 0;
        };
    }
    if (from.interrupted != nullptr) {
        options.interrupted = [from] { return from.interrupted(from.context) != 0; };
    }
    return options;
}

}  // namespace fastmlp::c
