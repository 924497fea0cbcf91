/// How one of many networks is trained as scikit-learn trains it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "lanes/numpy_orders.hpp"
#include "training/options.hpp"

namespace fastmlp {

/// When scikit-learn's training ends by itself: after more than `patience` epochs in a row whose
/// loss is not below the lowest one by `tolerance`.
struct Convergence {
    double loss_factor = 1;  ///< scikit-learn's loss in units of the core's
    double penalty = 0;      ///< factor of the mean of the squares over the samples, added to it
    double tolerance = 0;
    double patience = 0;
    double best = std::numeric_limits<double>::infinity();
    std::size_t stalled = 0;       ///< epochs without improvement
    std::vector<double> losses{};  ///< of the epochs

    /// Whether the training ends with an epoch over `samples`.
    bool ends(double loss, double squares, std::size_t samples) {
        const double own = loss * loss_factor + penalty * squares / static_cast<double>(samples);
        losses.push_back(own);
        return ends_with(own);
    }

    /// The same for scikit-learn's loss; NaN compares as an improvement, as there.
    bool ends_with(double loss) {
        stalled = loss > best - tolerance ? stalled + 1 : 0;
        best = std::min(best, loss);
        return static_cast<double>(stalled) > patience;
    }
};

/// Conventions, when a training ends by itself, and its orders of the samples.
struct Manner : Conventions {
    std::optional<Convergence> convergence{};
    std::optional<NumpyOrders> orders{};
};

}  // namespace fastmlp
