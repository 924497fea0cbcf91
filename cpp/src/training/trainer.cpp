#include "fastmlp/trainer.hpp"

#include "checks/checks.hpp"
#include "threads/ieee_defaults.hpp"
#include "training/options.hpp"
#include "training/trainer.hpp"

namespace fastmlp {
namespace {

template <class T>
std::vector<EpochReport> run(Network<T>& network, SampleSource<T> source,
                             const TrainOptions& options, Conventions& conventions) {
    check_options(source.rows(), options);
    check_batches(network, source.rows(), source.samples().y.weights, options);
    const OptimizerState<T> before = network.optimizer_state();
    const MovingAverage<T> average_before = network.moving_average();
    network.prepare_optimizer(options.optimizer);
    if (options.ema > 0) network.prepare_moving_average(options.ema);
    const std::uint64_t steps = network.optimizer_state().steps;
    const IeeeDefaults ieee;
    try {
        return Trainer<T>(network, source, options, conventions).run();
    } catch (...) {
        // Checked before the first step, so that an error leaves the previous optimizer's state
        // intact.
        if (network.optimizer_state().steps == steps) {
            network.set_optimizer_state(before);
            network.set_moving_average(average_before);
        }
        throw;
    }
}

template <class T>
std::vector<EpochReport> train_on(Network<T>& network, const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options) {
    Conventions conventions;
    return train_by(conventions, network, x, y, options);
}

}  // namespace

template <class T>
int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads) {
    return threads_for_steps(network.layout(), batch_size, 1, n_threads);
}

template <class T>
std::vector<EpochReport> train_by(Conventions& conventions, Network<T>& network,
                                  const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options) {
    const Features<T> features = checked_features(network, x);
    check_targets(network, y, x.rows);
    return run<T>(network, {network, features, y, options}, options, conventions);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, const SparseView<T>& x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, const RawView<T>& x, const Targets<T>& y,
                               const TrainOptions& options) {
    return train_on<T>(network, x, y, options);
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, const BlockSource<T>& blocks,
                               const TrainOptions& options) {
    Conventions conventions;
    return run<T>(network, {network, blocks, options}, options, conventions);
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template int training_threads(const Network<T>&, std::size_t, int);                           \
    template std::vector<EpochReport> train_by(Conventions&, Network<T>&, const Features<T>&,     \
                                               const Targets<T>&, const TrainOptions&);           \
    template std::vector<EpochReport> train(Network<T>&, MatrixView<const T>, const Targets<T>&,  \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const RawView<T>&, const Targets<T>&,    \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const SparseView<T>&, const Targets<T>&, \
                                            const TrainOptions&);                                 \
    template std::vector<EpochReport> train(Network<T>&, const BlockSource<T>&,                   \
                                            const TrainOptions&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
