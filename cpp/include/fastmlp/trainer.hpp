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
#include "fastmlp/ranks.hpp"
#include "fastmlp/raw_view.hpp"
#include "fastmlp/schedule.hpp"

namespace fastmlp {

struct EpochReport {
    std::size_t epoch;  ///< from 0, or TrainOptions::first_epoch
    double loss;        ///< mean over the samples of the epoch, as computed in their steps
    double seconds;
    double learning_rate;  ///< of the epoch's last step
    double rate_factor;    ///< factor of the rates of later epochs; `on_epoch` may change it
    std::vector<double> head_losses{};  ///< the loss of each head by itself, if there are heads
};

struct StepReport {
    std::size_t step;  ///< the batch's number, from 0 or the first step of first_epoch
    double loss;       ///< mean over the batch
};

struct TrainOptions {
    std::size_t epochs = 10;
    std::size_t batch_size = 32;  ///< includes rows of weight 0, which take no part in the step
    Optimizer optimizer{};
    Schedule schedule{};  ///< factor of optimizer.learning_rate
    /// The learning rate of a step, instead of both; called once before each step.
    std::function<double(std::size_t step)> learning_rate{};
    double rate_factor = 1;  ///< factor of all of these
    /// Epochs already done, for schedules; `epochs` includes them.
    std::size_t first_epoch = 0;
    /// Ends the call before this epoch, so that a later one continues with it; 0: `epochs`.
    std::size_t until_epoch = 0;
    double ema = 0;  ///< decay of `Network::moving_average`, updated by each step; 0: none
    bool shuffle = true;
    /// Custom order of samples, used instead of `shuffle`: `order_rows` orders of `x.rows` indices,
    /// used in turn.
    const std::uint32_t* order = nullptr;
    std::size_t order_rows = 0;
    /// Trains on these `row_count` rows of x, which may repeat, with the bits of a training on a
    /// copy of them; null: all. Not with `order` or blocks.
    const std::uint32_t* rows = nullptr;
    std::size_t row_count = 0;
    const Ranks* ranks = nullptr;        ///< other processes to train with; null: none
    int n_threads = 0;                   ///< upper limit; 0: that of the process
    const Executor* executor = nullptr;  ///< null: fastmlp's threads
    /// Called after each epoch, with current parameters, which it may change: true stops.
    std::function<bool(EpochReport&)> on_epoch{};
    /// The same after each step; a batch whose weights are all 0 is no step. Costs a copy of the
    /// parameters per step.
    std::function<bool(const StepReport&)> on_step{};
    /// Called every few milliseconds between steps, and by a step that has waited two seconds for
    /// ranks that share memory: true stops, with the parameters of the last step.
    std::function<bool()> interrupted{};
};

/// The epoch's loss, or a parameter after it, was not finite. The parameters were restored to the
/// last finite epoch end.
class FASTMLP_API Diverged : public std::runtime_error {
public:
    Diverged(std::size_t at_epoch, double its_loss, double last_rate);
    std::size_t epoch;
    double loss;
    double learning_rate;  ///< of the epoch's last step
};

/// The most threads `train` would use: as many as may be worthwhile for a step, at most
/// `n_threads` (0: the process's limit). `density` is the fraction of the features that is stored.
template <class T>
FASTMLP_API int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads,
                                 double density = 1);

/// Trains `network` on x (n, features) and y, in place.
///
/// Samples of weight 0 are left out, whatever their values. Batch normalisation accepts batches of
/// one row, which do not change the running averages, unless all batches would be such.
///
/// Throws std::invalid_argument before it starts if arguments do not fit, also for targets that are
/// not those of the loss and negative weights. Features that are not finite are found by the loss
/// of the first epoch that reads them: std::invalid_argument instead of Diverged. Later Diverged,
/// Interrupted and exceptions of the callbacks, after which the parameters are those of the last
/// completed step. If there was none, the network also keeps the state of a previous optimizer.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x,
                                           const Targets<T>& y, const TrainOptions& options);

/// The same for rows of another type, which are converted to T batch by batch: the bits of `train`
/// on the matrix converted beforehand.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, const RawView<T>& x,
                                           const Targets<T>& y, const TrainOptions& options);

/// The same for sparse rows, of which only stored elements are read: the numbers of `train` on the
/// dense matrix, except for signs of zeros.
template <class T>
FASTMLP_API std::vector<EpochReport> train(Network<T>& network, const SparseView<T>& x,
                                           const Targets<T>& y, const TrainOptions& options);

/// Some samples of an epoch, in training order.
template <class T>
struct Block {
    MatrixView<const T> x;
    Targets<T> y;
    bool last = true;        ///< of its epoch; all others consist of whole batches
    bool is_scaled = false;  ///< whether x is scaled already, for a network that scales features
};

/// A stream of samples, for data that do not fit in memory.
template <class T>
struct BlockSource {
    /// Called between steps for the next block, which must stay valid until the next call; after an
    /// epoch's last block, for the first of the next epoch. An exception ends the training.
    std::function<Block<T>()> next;
    std::size_t rows = 0;  ///< per epoch; 0: unknown, which schedules over epochs do not allow
};

/// The same block by block: the numbers of `train` on the concatenated blocks of an epoch, without
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
    TrainOptions options;    ///< its callbacks are not called; `n_threads` is 1
    bool is_scaled = false;  ///< whether x is scaled already, for a network that scales features
};

/// The result of a job: its reports, or its exception.
struct TrainOutcome {
    std::vector<EpochReport> reports;
    std::exception_ptr error;
};

/// Trains independent networks concurrently on at most `n_threads` threads (0: the process's
/// limit), each on one thread, with the bits of separate calls of `train`. An exception ends only
/// its job; `interrupted`, called by the calling thread, ends all of them with Interrupted.
template <class T>
FASTMLP_API std::vector<TrainOutcome> train_many(const std::vector<TrainJob<T>>& jobs,
                                                 int n_threads,
                                                 const std::function<bool()>& interrupted);

extern template std::size_t shared_bytes(const Network<float>&, std::size_t);
extern template std::size_t shared_bytes(const Network<double>&, std::size_t);
extern template int training_threads(const Network<float>&, std::size_t, int, double);
extern template int training_threads(const Network<double>&, std::size_t, int, double);
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
