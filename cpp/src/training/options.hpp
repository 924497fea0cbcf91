/// The checks of `train`'s options before it starts, and the conventions of scikit-learn's
/// training.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "propagation/features.hpp"
#include "training/step_rules.hpp"

namespace fastmlp {

/// Throws std::invalid_argument if options are invalid, also for an epoch of `rows` samples (0:
/// unknown), or if a network that was trained for `trained` epochs could not count the new ones.
void check_options(std::size_t rows, std::uint32_t trained, const TrainOptions& options);

/// Whether a layer, or the features, are normalised by the moments of the batch.
inline bool measures_batches(const std::vector<Layer>& layers) {
    return std::any_of(layers.begin(), layers.end(), [](const Layer& layer) {
        return layer.trainable && (layer.normalization == Normalization::kBatch ||
                                   layer.input_normalization == Normalization::kBatch);
    });
}

/// Throws std::invalid_argument if every batch of a batch-normalised network would have one row
/// only, and so no variance. `weights` (rows,) may be null; rows of weight 0 do not count. Of ranks
/// they are known if the rows are those of all of them.
template <class T>
void check_batches(const Network<T>& network, std::size_t rows, const T* weights,
                   const TrainOptions& options);

/// Throws std::invalid_argument if a row of x that counts is not finite.
template <class T>
void check_finite(const Features<T>& x, const T* weights, const TrainOptions& options);

/// Thrown before anything changes; says no more, since the caller has words for what it passed.
struct NotFinite : std::invalid_argument {
    NotFinite() : std::invalid_argument("x has values that are not finite") {}
};

/// Where scikit-learn's training differs. Used by `fastmlp.sklearn` only, and therefore not among
/// the options of the installed headers.
struct Conventions : UpdateConventions {
    static constexpr double kUnlimited = std::numeric_limits<double>::infinity();

    double gradient_scale = 1;  ///< factor of the loss's gradient, not of the reported loss
    /// The reported loss is the mean of the batches' means, each weighted by its number of rows;
    /// `squares` is likewise divided by the batch's mean weight. No effect without sample weights.
    bool batch_means = false;
    /// Upper limit of a sample's loss in the report; its gradient is not limited.
    double loss_limit = kUnlimited;
    /// If false, a training that diverges is not rolled back to the last finite epoch end. This
    /// saves a copy of everything that training changes after each epoch, unless other threads read
    /// it: see `Network::last_epoch_end`.
    bool roll_back = true;

    /// Features are searched before the first step, by all threads; `NotFinite` is thrown, and
    /// nothing has changed, if one is not finite. For dense ones that the caller has not searched.
    bool searches_features = false;

    bool report_squares = false;
    double squares = 0;  ///< set before `on_epoch`, if reported: the sum over the epoch's steps
                         ///< of the squares of all weights before the step
};

/// `train` with these conventions.
template <class T>
std::vector<EpochReport> train_by(Conventions& conventions, Network<T>& network,
                                  const Features<T>& x, const Targets<T>& y,
                                  const TrainOptions& options);

}  // namespace fastmlp
