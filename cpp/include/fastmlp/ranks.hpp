/// Training together with other processes, each of which has a part of the samples.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"
#include "fastmlp/network.hpp"

namespace fastmlp {

/// The ranks of a training: processes that train copies of one network, with equal options, and
/// hold the same bits after every step.
///
/// The batches are those of all ranks together. Of its own order of its own samples a rank
/// contributes to step i those from floor(i b) to floor((i + 1) b), b being batch_size times its
/// share of all samples, and all that remain to the last step. The gradients are sums over the
/// samples of a rank, added in the order of the ranks, and then divided by the sum of all weights.
/// Batch normalisation adds its sums in the same way; a custom loss sees the samples of a rank.
struct Ranks {
    std::size_t rank = 0;           ///< of this process
    std::vector<std::size_t> rows;  ///< per epoch, of each rank

    /// Called in each step, unless memory is `shared`, by one thread, with the `count` gradients of
    /// this rank, of the type of the network in the order of its parameters, and sums of losses and
    /// weights; before that with the sums of each batch normalisation, and numbers of samples.
    /// Replaces both by the sums over all ranks, ((0 + 1) + 2) + ... An exception ends the training
    /// before the step.
    std::function<void(void* gradients, std::size_t count, std::vector<double>& sums)> add;

    /// Instead of `add`, for ranks on one machine: `shared_bytes` of memory that all of them map,
    /// at a multiple of 64, zeroed before each training; or null.
    void* shared = nullptr;

    /// With `shared`: called when this rank waits for one whose `train` has thrown, or has fewer
    /// epochs. Must throw.
    std::function<void()> ended = {};
};

/// The bytes of memory that `ranks` processes share to train a network like this one.
template <class T>
FASTMLP_API std::size_t shared_bytes(const Network<T>& network, std::size_t ranks);

}  // namespace fastmlp
