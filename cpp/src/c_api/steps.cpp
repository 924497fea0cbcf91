/// The C interface: custom training loops.
#include "c_api/arguments.hpp"
#include "c_api/batches.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"

using namespace fastmlp::c;

namespace {

template <class T, class CTargets>
fastmlp_status train_on_batch(fastmlp_network* handle, const T* x, size_t rows, const CTargets& y,
                              const fastmlp_optimizer* optimizer, int n_threads, double* loss) {
    return guarded([&] {
        Model<T>& trained = model<T>(handle);
        check_threads(n_threads);
        const auto features = batch(trained.network, x, rows, y.weights);
        const auto targets = batch_targets<T>(trained.network, y, rows);
        const auto by = to_optimizer(*given(optimizer, "optimizer"));
        if (!trained.step) trained.step.emplace(trained.network);
        trained.step->set_threads(n_threads);
        const double mean = trained.step->run(features, targets, by);
        if (loss != nullptr) *loss = mean;
    });
}

template <class T>
fastmlp_status forward(fastmlp_network* handle, const T* x, size_t rows, int training,
                       const T* weights, int n_threads) {
    return guarded([&] {
        auto& network = model<T>(handle).network;
        check_threads(n_threads);
        network.forward(batch(network, x, rows, weights), training != 0, weights, n_threads);
    });
}

template <class T, class CTargets>
fastmlp_status backward(fastmlp_network* handle, size_t rows, const CTargets& y, int n_threads,
                        double* loss) {
    return guarded([&] {
        auto& network = model<T>(handle).network;
        check_threads(n_threads);
        const double mean = network.backward(batch_targets<T>(network, y, rows), n_threads);
        if (loss != nullptr) *loss = mean;
    });
}

/// Writes the matrix that get(network) returns to `out`.
template <class T, class Handle, class COut, class Get>
fastmlp_status lend(Handle* handle, COut* out, const char* name, Get get) {
    return guarded([&] {
        auto& network = model<T>(handle).network;
        given(out, name);
        const fastmlp::MatrixView<const T> view = get(network);
        *out = {view.data, view.rows, view.cols, view.stride};
    });
}

}  // namespace

fastmlp_optimizer fastmlp_default_optimizer() {
    const fastmlp::Optimizer defaults;
    return {"sgd",
            defaults.learning_rate,
            defaults.momentum,
            defaults.nesterov ? 1 : 0,
            defaults.beta_1,
            defaults.beta_2,
            defaults.rho,
            defaults.epsilon,
            defaults.l1,
            defaults.l2,
            defaults.weight_decay,
            defaults.clip_value,
            defaults.clip_norm,
            defaults.decay_biases ? 1 : 0};
}

fastmlp_schedule fastmlp_default_schedule() {
    const fastmlp::Schedule defaults;
    return {"constant",     defaults.factor,  defaults.every,
            defaults.final, defaults.initial, defaults.rise,
            defaults.power, defaults.warm_up, defaults.shift ? 1 : 0};
}

fastmlp_status fastmlp_schedule_factor(const fastmlp_schedule* schedule, size_t step,
                                       size_t steps_per_epoch, size_t epochs, double* factor) {
    return guarded([&] {
        const fastmlp::Schedule checked = to_schedule(*given(schedule, "schedule"));
        given(factor, "factor");
        if (steps_per_epoch == 0 || epochs == 0) {
            throw std::invalid_argument("steps_per_epoch and epochs must be at least 1");
        }
        *factor = fastmlp::schedule_factor(checked, {step, steps_per_epoch, epochs});
    });
}

fastmlp_status fastmlp_train_on_batch(fastmlp_network* network, const float* x, size_t rows,
                                      fastmlp_batch_targets y, const fastmlp_optimizer* optimizer,
                                      int n_threads, double* loss) {
    return train_on_batch(network, x, rows, y, optimizer, n_threads, loss);
}

fastmlp_status fastmlp_train_on_batch_f64(fastmlp_network* network, const double* x, size_t rows,
                                          fastmlp_batch_targets_f64 y,
                                          const fastmlp_optimizer* optimizer, int n_threads,
                                          double* loss) {
    return train_on_batch(network, x, rows, y, optimizer, n_threads, loss);
}

fastmlp_status fastmlp_forward(fastmlp_network* network, const float* x, size_t rows, int training,
                               const float* weights, int n_threads) {
    return forward(network, x, rows, training, weights, n_threads);
}

fastmlp_status fastmlp_forward_f64(fastmlp_network* network, const double* x, size_t rows,
                                   int training, const double* weights, int n_threads) {
    return forward(network, x, rows, training, weights, n_threads);
}

fastmlp_status fastmlp_backward(fastmlp_network* network, size_t rows, fastmlp_batch_targets y,
                                int n_threads, double* loss) {
    return backward<float>(network, rows, y, n_threads, loss);
}

fastmlp_status fastmlp_backward_f64(fastmlp_network* network, size_t rows,
                                    fastmlp_batch_targets_f64 y, int n_threads, double* loss) {
    return backward<double>(network, rows, y, n_threads, loss);
}

fastmlp_status fastmlp_update(fastmlp_network* network, const fastmlp_optimizer* optimizer,
                              int n_threads) {
    return guarded([&] {
        given(network, "network");
        check_threads(n_threads);
        const auto by = to_optimizer(*given(optimizer, "optimizer"));
        with_network(network, [&](auto& net) { net.update(by, n_threads); });
    });
}

fastmlp_status fastmlp_reset_optimizer(fastmlp_network* network) {
    return guarded([&] { with_network(network, [](auto& net) { net.set_optimizer_state({}); }); });
}

fastmlp_status fastmlp_nodes(const fastmlp_network* network, size_t layer, fastmlp_matrix* nodes) {
    return lend<float>(network, nodes, "nodes", [&](auto& net) { return net.nodes(layer); });
}

fastmlp_status fastmlp_nodes_f64(const fastmlp_network* network, size_t layer,
                                 fastmlp_matrix_f64* nodes) {
    return lend<double>(network, nodes, "nodes", [&](auto& net) { return net.nodes(layer); });
}

fastmlp_status fastmlp_deltas(const fastmlp_network* network, size_t layer,
                              fastmlp_matrix* deltas) {
    return lend<float>(network, deltas, "deltas", [&](auto& net) { return net.deltas(layer); });
}

fastmlp_status fastmlp_deltas_f64(const fastmlp_network* network, size_t layer,
                                  fastmlp_matrix_f64* deltas) {
    return lend<double>(network, deltas, "deltas", [&](auto& net) { return net.deltas(layer); });
}

fastmlp_status fastmlp_feature_gradients(fastmlp_network* network, fastmlp_matrix* gradients) {
    return lend<float>(network, gradients, "gradients",
                       [](auto& net) { return net.feature_gradients(); });
}

fastmlp_status fastmlp_feature_gradients_f64(fastmlp_network* network,
                                             fastmlp_matrix_f64* gradients) {
    return lend<double>(network, gradients, "gradients",
                        [](auto& net) { return net.feature_gradients(); });
}
