/// The C interface: whole trainings.
#include "c_api/arguments.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"

using namespace fastmlp::c;

namespace {

template <class T, class CTargets>
fastmlp_status train(fastmlp_network* handle, const T* x, size_t rows, const CTargets& y,
                     const fastmlp_train_options* options, double* loss) {
    return guarded([&] {
        auto& network = model<T>(handle).network;
        const auto chosen = options != nullptr ? *options : fastmlp_default_train_options();
        fastmlp::TrainOptions to = to_options(chosen);
        fastmlp::Executor executor;
        if (chosen.executor != nullptr) {
            executor = to_executor(*chosen.executor);
            to.executor = &executor;
        }
        const auto reports = fastmlp::train(network, matrix(x, rows, network.features(), "x"),
                                            targets<T>(y, rows, network.outputs()), to);
        if (loss != nullptr && !reports.empty()) *loss = reports.back().loss;
    });
}

}  // namespace

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
    return train(network, x, rows, y, options, loss);
}

fastmlp_status fastmlp_train_f64(fastmlp_network* network, const double* x, size_t rows,
                                 fastmlp_targets_f64 y, const fastmlp_train_options* options,
                                 double* loss) {
    return train(network, x, rows, y, options, loss);
}
