/// Mini-batch training: whole epochs in one call.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <vector>

#include "fastmlp/executor.hpp"
#include "fastmlp/export.h"
#include "fastmlp/interruption.hpp"
#include "fastmlp/network.hpp"
#include "fastmlp/optimizer.hpp"
#include "fastmlp/raw_view.hpp"
#include "fastmlp/schedule.hpp"

namespace fastmlp {

struct EpochReport {
    std::size_t epoch;  ///< from 0, or TrainOptions::first_epoch
    double loss;        ///< mean over the samples of the epoch, each as it was trained
    double seconds;
    double learning_rate;  ///< of the epoch's last step
    double rate_factor;    ///< `on_epoch` may change it: multiplies the rates of later epochs
};

struct StepReport {
    std::size_t step;  ///< from 0, or the first step of first_epoch; its batch's number
    double loss;       ///< mean over the batch
};

struct TrainOptions {
    std::size_t epochs = 10;
    std::size_t batch_size = 32;  ///< rows of weight 0 are among them, but take no part in the step
    Optimizer optimizer{};
    Schedule schedule{};  ///< times optimizer.learning_rate
    /// The learning rate of a step, instead of both; asked once before each step.
    std::function<double(std::size_t step)> learning_rate{};
    double rate_factor = 1;  ///< times all of these
    /// Epochs that schedules count as done; trained: those that are left.
    std::size_t first_epoch = 0;
    double ema = 0;  ///< decay of `Network::moving_average`, which each step moves; 0: none does
    bool shuffle = true;
    /// Custom order of samples, used instead of `shuffle`: `order_rows` orders of `x.rows` indices,
    /// used in turn.
    const std::uint32_t* order = nullptr;
    std::size_t order_rows = 0;
    int n_threads = 0;                   ///< upper limit; 0: the process's
    const Executor* executor = nullptr;  ///< whose threads; null: fastmlp's own
    /// After each epoch, the parameters exact: true stops. May write the parameters.
    std::function<bool(EpochReport&)> on_epoch{};
    /// After each step likewise; none is taken for a batch whose weights are all 0. It costs a copy
    /// of the parameters a step.
    std::function<bool(const StepReport&)> on_step{};
    /// Asked every few milliseconds between steps: true stops, the parameters at that step.
    std::function<bool()> interrupted{};
};

/// The epoch's loss, or a parameter after it, was not finite. The parameters are back at the last
/// finite epoch end.
class FASTMLP_API Diverged : public std::runtime_error {
public:
    Diverged(std::size_t at_epoch, double its_loss, double last_rate);
    std::size_t epoch;
    double loss;
    double learning_rate;  ///< of the epoch's last step
};

/// The threads `train` would use: as many as pay for the work of a step, at most `n_threads` (0:
/// the process's limit).
template <class T>
FASTMLP_API int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads);

/// Trains `network` on x (n, features) and y, in place.
///
/// Samples of weight 0 are left out, whatever they are. Batch normalisation takes batches of one
/// row too, which leave the running averages alone; but not if there would be no others.
///
/// Throws std::invalid_argument before it starts for what does not fit; later Diverged, Interrupted
/// and what the callbacks throw, and then the parameters are those of the last completed step. If
/// there was none, the network also keeps what an optimizer before this one remembered.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x,
                                           const Targets<T>& y, const TrainOptions& options);

/// The same from rows of another type, which are read as T once a batch: the bits of `train` on the
/// matrix converted beforehand.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, const RawView<T>& x,
                                           const Targets<T>& y, const TrainOptions& options);

/// The same from sparse rows, of which only what is stored is read: the numbers of `train` on the
/// dense matrix, but for signs of zeros.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, const SparseView<T>& x,
                                           const Targets<T>& y, const TrainOptions& options);

/// Some samples of an epoch, in the order they are trained in.
template <class T>
struct Block {
    MatrixView<const T> x;
    Targets<T> y;
    bool last = true;  ///< of its epoch; every other holds whole batches
};

/// Samples too many to be there at once.
template <class T>
struct BlockSource {
    /// Called between steps for the next block, which need not live longer than until the next
    /// call; after an epoch's last for the first of the next. What it throws ends the training.
    std::function<Block<T>()> next;
    std::size_t rows = 0;  ///< of an epoch; 0: not known, which schedules over epochs do not allow
};

/// The same block by block: the numbers of `train` on all blocks of an epoch in a row, without
/// `shuffle`.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, const BlockSource<T>& blocks,
                                           const TrainOptions& options);

/// One network's training, for `train_many`.
template <class T>
struct TrainJob {
    Network<T>* network;
    MatrixView<const T> x;
    Targets<T> y;
    TrainOptions options;  ///< its callbacks are not called; `n_threads` is 1
};

/// What became of a job: its reports, or what it threw.
struct TrainOutcome {
    std::vector<EpochReport> reports;
    std::exception_ptr error;
};

/// Trains independent networks at once, each on one thread of at most `n_threads` (0: the process's
/// limit), and each to the bits of `train` alone. A job that throws ends alone; `interrupted`,
/// asked by the calling thread, ends all of them with Interrupted.
template <class T>
FASTMLP_API std::vector<TrainOutcome> train_many(const std::vector<TrainJob<T>>& jobs,
                                                 int n_threads,
                                                 const std::function<bool()>& interrupted);

extern template int training_threads(const Network<float>&, std::size_t, int);
extern template int training_threads(const Network<double>&, std::size_t, int);
extern template std::vector<EpochReport> train(Network<float>&, MatrixView<const float>,
                                               const Targets<float>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<double>&, MatrixView<const double>,
                                               const Targets<double>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<float>&, const RawView<float>&,
                                               const Targets<float>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<double>&, const RawView<double>&,
                                               const Targets<double>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<float>&, const SparseView<float>&,
                                               const Targets<float>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<double>&, const SparseView<double>&,
                                               const Targets<double>&, const TrainOptions&);
extern template std::vector<EpochReport> train(Network<float>&, const BlockSource<float>&,
                                               const TrainOptions&);
extern template std::vector<EpochReport> train(Network<double>&, const BlockSource<double>&,
                                               const TrainOptions&);
extern template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<float>>&, int,
                                                     const std::function<bool()>&);
extern template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<double>>&, int,
                                                     const std::function<bool()>&);

}  // namespace fastmlp
