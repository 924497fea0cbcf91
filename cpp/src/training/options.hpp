/// The options of `train`, checked before it starts; and how scikit-learn's training differs.
#pragma once

#include <limits>

#include "fastmlp/trainer.hpp"
#include "propagation/features.hpp"
#include "propagation/update_rule.hpp"

namespace fastmlp {

/// std::invalid_argument where options make no sense, also for an epoch of `rows` samples; 0 is a
/// number not known.
void check_options(std::size_t rows, const TrainOptions& options);

/// std::invalid_argument where a batch-normalised network would get batches of one row only, which
/// has no variance. `weights` (rows,) may be null; rows of weight 0 do not count.
template <class T>
void check_batches(const Network<T>& network, std::size_t rows, const T* weights,
                   const TrainOptions& options);

/// scikit-learn's way of training, where it differs. `fastmlp.sklearn` alone asks for it, so it is
/// not among the options of the installed headers.
struct Conventions : UpdateConventions {
    static constexpr double kUnlimited = std::numeric_limits<double>::infinity();

    double gradient_scale = 1;  ///< times the gradient of the loss; the loss reported stays
    /// The report's loss is the mean over the batches, each as much as it has rows, of their means;
    /// `squares` is likewise over the mean weight of the batch. Without weights nothing changes.
    bool batch_means = false;
    /// The most the loss of a sample counts in the report; its gradient is not cut.
    double loss_limit = kUnlimited;
    /// Off, a training that diverges leaves everything as it became, instead of going back to the
    /// last finite epoch end. That saves a copy, after each epoch, of what training changes, unless
    /// other threads read it: see `Network::last_epoch_end`.
    bool roll_back = true;

    bool report_squares = false;
    double squares = 0;  ///< written before `on_epoch`, if reported: the sum over the epoch's steps
                         ///< of the squares of all weights before the step
};

/// `train` by these conventions.
template <class T>
std::vector<EpochReport> train_by(Conventions& conventions, Network<T>& network,
                                  const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options);

}  // namespace fastmlp
