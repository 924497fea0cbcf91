/// Mini-batch training: whole epochs in one call.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#include "fastmlp/executor.hpp"
#include "fastmlp/export.h"
#include "fastmlp/network.hpp"
#include "fastmlp/optimizer.hpp"

namespace fastmlp {

struct EpochReport {
    std::size_t epoch;  ///< within this call, from 0
    double loss;        ///< mean over the samples of the epoch, each as it was trained
    double seconds;
};

struct TrainOptions {
    std::size_t epochs = 10;
    std::size_t batch_size = 32;
    Sgd optimizer{};
    bool shuffle = true;
    /// Sample order handed in, used instead of `shuffle`: `order_rows` orders of `x.rows` indices,
    /// used in turn.
    const std::uint32_t* order = nullptr;
    std::size_t order_rows = 0;
    int n_threads = 0;                   ///< upper limit; 0: the process's
    const Executor* executor = nullptr;  ///< whose threads; null: fastmlp's own
    /// After each epoch, the parameters exact: true stops. May write the parameters.
    std::function<bool(const EpochReport&)> on_epoch{};
    /// Asked every few milliseconds between steps: true stops, the parameters at that step.
    std::function<bool()> interrupted{};
};

/// The epoch's loss, or a parameter after it, was not finite. The parameters are back at the last
/// finite epoch end.
class FASTMLP_API Diverged : public std::runtime_error {
public:
    Diverged(std::size_t at_epoch, double its_loss);
    std::size_t epoch;
    double loss;
};

/// `interrupted` said so. The parameters are those of the last completed step.
class FASTMLP_API Interrupted : public std::runtime_error {
public:
    Interrupted();
};

/// The threads `train` would use: as many as pay for the work of a step, at most `n_threads` (0:
/// the process's limit).
template <class T>
FASTMLP_API int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads);

/// Trains `network` on x (n, features) and y, in place.
///
/// Throws std::invalid_argument before it starts for what does not fit; later Diverged, Interrupted
/// and what the callbacks throw, and then the parameters are those of the last completed step.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x,
                                           const Targets<T>& y, const TrainOptions& options);

extern template int training_threads(const Network<float>&, std::size_t, int);
extern template int training_threads(const Network<double>&, std::size_t, int);
extern template std::vector<EpochReport> train(Network<float>&, MatrixView<const float>,
                                               const Targets<float>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<double>&, MatrixView<const double>,
                                               const Targets<double>&, const TrainOptions&);

}  // namespace fastmlp
