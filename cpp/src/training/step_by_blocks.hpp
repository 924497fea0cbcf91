/// A batch whose nodes and deltas do not fit into the cache, in blocks of rows.
///
/// Each block is propagated through all layers, forward and backward, while it is in the cache; the
/// sums of its gradients continue where those of the previous block ended. A sum continued from
/// memory is the same sum, so the bits are those of the whole batch. The loop over the blocks is in
/// `step.hpp`; `rows_at_once` in `step_path.hpp` decides how many rows they have.
#pragma once

#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/network.hpp"
#include "propagation/propagate.hpp"

namespace fastmlp {

/// The sums of the gradients over the blocks of a batch but its last.
template <class T>
class GradientSums {
public:
    /// `targets` are what the gradients of a whole batch are used for.
    GradientSums(const Network<T>& network, std::vector<UpdateTarget<T>> targets)
        : flat_(network.layout().size()), sums_(network.layout(), flat_.data()),
          of_last_(std::move(targets)) {
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            of_first_.push_back({sums_[i]});
            of_next_.push_back({sums_[i], {}, {}, sums_[i]});
            of_last_[i].sums = sums_[i];
        }
    }

    /// Adds this thread's share of the sums over the rows in the workspace.
    void add(const Propagation<T>& pass, bool is_first, RowPrefetcher& prefetch) const {
        pass.gradients(is_first ? of_first_ : of_next_, {T(1)}, &prefetch);
    }

    /// What the gradients over the last block are used for, with all sums before it.
    const std::vector<UpdateTarget<T>>& of_last() const { return of_last_; }

private:
    Buffer<T> flat_;
    PackedParameters<T> sums_;
    std::vector<UpdateTarget<T>> of_first_, of_next_, of_last_;
};

}  // namespace fastmlp
