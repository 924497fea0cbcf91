// The C interface: wraps the C++ interface, with pointers and status codes instead of exceptions.
#include "fastmlp.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

#include "c_arguments.hpp"
#include "fastmlp/fastmlp.hpp"
#include "fastmlp/version.hpp"
#include "threads/thread_limits.hpp"

struct fastmlp_network {
    fastmlp::Network<float> network;
};

struct fastmlp_predictor {
    fastmlp::Predictor<float> predictor;
};

using namespace fastmlp::c;

namespace {

/// A fixed buffer: reporting that memory is exhausted must not allocate.
thread_local char last_error[512] = "";

fastmlp_status failed(fastmlp_status status, const char* message) noexcept {
    const std::size_t length = std::min(std::strlen(message), sizeof(last_error) - 1);
    std::memcpy(last_error, message, length);
    last_error[length] = '\0';
    return status;
}

/// Calls `function` and turns exceptions into a status and a message.
template <class Function>
fastmlp_status guarded(Function&& function) noexcept {
    try {
        function();
        return FASTMLP_OK;
    } catch (const fastmlp::Diverged& error) {
        return failed(FASTMLP_DIVERGED, error.what());
    } catch (const fastmlp::Interrupted& error) {
        return failed(FASTMLP_INTERRUPTED, error.what());
    } catch (const std::bad_alloc&) {
        return failed(FASTMLP_NO_MEMORY, "not enough memory");
    } catch (const std::length_error&) {
        return failed(FASTMLP_NO_MEMORY, "the sizes are beyond any memory");
    } catch (const std::system_error& error) {
        return failed(FASTMLP_SYSTEM_ERROR, error.what());
    } catch (const fastmlp::FormatError& error) {
        return failed(FASTMLP_FORMAT_ERROR, error.what());
    } catch (const std::logic_error& error) {
        return failed(FASTMLP_INVALID_ARGUMENT, error.what());
    } catch (const std::exception& error) {
        return failed(FASTMLP_INTERNAL_ERROR, error.what());
    } catch (...) {
        return failed(FASTMLP_INTERNAL_ERROR, "unknown error");
    }
}

}  // namespace

const char* fastmlp_last_error() {
    return last_error;
}

const char* fastmlp_version() {
    return fastmlp::kVersion;
}

int fastmlp_get_num_threads() {
    int n = 1;
    if (guarded([&] { n = fastmlp::get_num_threads(); }) != FASTMLP_OK) {
        n = fastmlp::machine_threads();
    }
    return n;
}

void fastmlp_set_num_threads(int n) {
    fastmlp::set_num_threads(std::max(n, 0));
}

fastmlp_status fastmlp_create(size_t features, const fastmlp_layer* layers, size_t layer_count,
                              const char* loss, uint64_t seed, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        auto all = to_layers(given(layers, "layers"), layer_count);
        const fastmlp::Loss chosen = loss != nullptr ? fastmlp::loss_from_name(loss)
                                                     : fastmlp::default_loss(all.back().activation);
        *network = new fastmlp_network{{features, std::move(all), chosen, seed}};
    });
}

fastmlp_status fastmlp_save(const fastmlp_network* network, const char* path) {
    return guarded([&] {
        const auto& net = given(network, "network")->network;
        fastmlp::save(net, given(path, "path"));
    });
}

fastmlp_status fastmlp_load(const char* path, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        *network = new fastmlp_network{fastmlp::load<float>(given(path, "path"))};
    });
}

void fastmlp_destroy(fastmlp_network* network) {
    delete network;
}

size_t fastmlp_features(const fastmlp_network* network) {
    return network != nullptr ? network->network.features() : 0;
}

size_t fastmlp_outputs(const fastmlp_network* network) {
    return network != nullptr ? network->network.outputs() : 0;
}

float* fastmlp_parameters(fastmlp_network* network, size_t* count) {
    if (network == nullptr) return nullptr;
    fastmlp::Buffer<float>& parameters = *network->network.parameters();
    if (count != nullptr) *count = parameters.size();
    return parameters.data();
}

fastmlp_status fastmlp_set_trainable(fastmlp_network* network, size_t layer, int trainable) {
    return guarded(
        [&] { given(network, "network")->network.set_trainable(layer, trainable != 0); });
}

fastmlp_status fastmlp_set_rate_factor(fastmlp_network* network, size_t layer, double factor) {
    return guarded([&] { given(network, "network")->network.set_rate_factor(layer, factor); });
}

fastmlp_status fastmlp_predict(const fastmlp_network* network, const float* x, size_t rows,
                               float* out, int n_threads) {
    return guarded([&] {
        const auto& net = given(network, "network")->network;
        net.predict(matrix(x, rows, net.features(), "x"), matrix(out, rows, net.outputs(), "out"),
                    n_threads);
    });
}

fastmlp_status fastmlp_evaluate(const fastmlp_network* network, const float* x, size_t rows,
                                fastmlp_targets y, int n_threads, fastmlp_evaluation* evaluation) {
    return guarded([&] {
        const auto& net = given(network, "network")->network;
        given(evaluation, "evaluation");
        const fastmlp::Evaluation result = net.evaluate(matrix(x, rows, net.features(), "x"),
                                                        targets(y, rows, net.outputs()), n_threads);
        *evaluation = {result.loss, result.correct, result.decisions};
    });
}

fastmlp_train_options fastmlp_default_train_options() {
    const fastmlp::TrainOptions defaults;
    fastmlp_train_options options{};
    options.epochs = defaults.epochs;
    options.batch_size = defaults.batch_size;
    options.learning_rate = defaults.optimizer.learning_rate;
    options.shuffle = defaults.shuffle ? 1 : 0;
    return options;
}

fastmlp_status fastmlp_train(fastmlp_network* network, const float* x, size_t rows,
                             fastmlp_targets y, const fastmlp_train_options* options,
                             double* loss) {
    return guarded([&] {
        auto& net = given(network, "network")->network;
        const auto chosen = options != nullptr ? *options : fastmlp_default_train_options();
        fastmlp::TrainOptions to = to_options(chosen);
        fastmlp::Executor executor;
        if (chosen.executor != nullptr) {
            executor = to_executor(*chosen.executor);
            to.executor = &executor;
        }
        const auto reports = fastmlp::train(net, matrix(x, rows, net.features(), "x"),
                                            targets(y, rows, net.outputs()), to);
        if (loss != nullptr && !reports.empty()) *loss = reports.back().loss;
    });
}

fastmlp_status fastmlp_predictor_create(const fastmlp_network* network,
                                        fastmlp_predictor** predictor) {
    return guarded([&] {
        given(predictor, "predictor");
        const auto& net = given(network, "network")->network;
        *predictor = new fastmlp_predictor{fastmlp::Predictor<float>(net)};
    });
}

void fastmlp_predictor_destroy(fastmlp_predictor* predictor) {
    delete predictor;
}

fastmlp_status fastmlp_predictor_refresh(fastmlp_predictor* predictor,
                                         const fastmlp_network* network) {
    return guarded([&] {
        given(predictor, "predictor")->predictor.refresh(given(network, "network")->network);
    });
}

fastmlp_status fastmlp_predictor_predict(fastmlp_predictor* predictor, const float* x, size_t rows,
                                         float* out) {
    return guarded([&] {
        auto& prepared = given(predictor, "predictor")->predictor;
        prepared.predict(matrix(x, rows, prepared.features(), "x"),
                         matrix(out, rows, prepared.outputs(), "out"));
    });
}
