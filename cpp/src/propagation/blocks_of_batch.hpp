/// A batch whose nodes and deltas do not fit into the cache, in blocks of rows.
///
/// Each block is propagated through all layers, forward and backward, while it is in the cache; the
/// sums of its gradients continue where those of the previous block ended. A sum continued from
/// memory is the same sum, so the bits are those of the whole batch.
#pragma once

#include <algorithm>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/network.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"

namespace fastmlp {

/// How many of the `batch` rows of a batch are propagated together, with `arrays` arrays of the
/// size of the nodes: as many as fit into the L2 caches of `threads` cores, but at least one per
/// 4 KiB of cache, because each block reads and writes the sums of all gradients once; twice as
/// many, up to 512, if these do not fit into the cache themselves (1024-1024-1024-10, batch 512,
/// 1 MiB: 3 % faster).
template <class T>
std::size_t rows_of_block(const std::vector<Layer>& layers, const Layout& layout, std::size_t batch,
                          int threads, std::size_t arrays = 2) {
    constexpr std::size_t kUnit = 16, kMany = 512;
    const std::size_t l2 = cache_sizes().l2;
    const bool sums_fit = layout.size() * sizeof(T) <= l2;
    const std::size_t least =
        sums_fit ? l2 / 4096 : std::max(l2 / 4096, std::min(l2 / 2048, kMany));
    std::size_t nodes = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        nodes += layout[i].k + layout[i].n;
        if (layers[i].normalization != Normalization::kNone) nodes += 2 * layout[i].n;
    }
    const std::size_t bytes = sizeof(T) * nodes * arrays / 2;
    const std::size_t most =
        std::max<std::size_t>({1, least, l2 / bytes}) * static_cast<std::size_t>(threads);
    const std::size_t blocks = (batch + most - 1) / most;
    if (blocks <= 1) return batch;
    return std::min(most, ((batch + blocks - 1) / blocks + kUnit - 1) / kUnit * kUnit);
}

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

    /// Where the sums over a block that is not the last are stored.
    const std::vector<UpdateTarget<T>>& of_block(bool is_first) const {
        return is_first ? of_first_ : of_next_;
    }

    /// What the gradients over the last block are used for, with all sums before it.
    const std::vector<UpdateTarget<T>>& of_last() const { return of_last_; }

private:
    Buffer<T> flat_;
    PackedParameters<T> sums_;
    std::vector<UpdateTarget<T>> of_first_, of_next_, of_last_;
};

/// One thread's passes over a batch, block by block, and what is summed over the blocks.
template <class T>
struct BlockPass : Propagation<T> {
    using Propagation<T>::context;
    using Propagation<T>::work;

    explicit BlockPass(const Propagation<T>& pass)
        : Propagation<T>(pass), head_losses_before(pass.heads.size()) {}

    std::size_t ahead = 0;                      ///< samples of the epoch that are elsewhere
    std::size_t batch = 0;                      ///< rows of the whole batch that count,
    std::vector<std::uint32_t> places;          ///< their positions in it, if it has weights
    Range block{};                              ///< of the batch: what is in the workspace now,
    Range rows{};                               ///< and this thread's part of that
    double loss_before = 0, weight_before = 0;  ///< of the blocks before
    std::vector<double> head_losses_before;     ///< and of each head, if there are several

    /// Begins with samples `first` to `first` + `count` - 1; false if none of them counts.
    bool begin(const Samples<T>& samples, std::size_t first, std::size_t count,
               const BatchContext& its_context) {
        context = its_context;
        batch = count;
        block = rows = {};
        loss_before = weight_before = 0;  // a rank adds its sums even if none of its samples counts
        std::fill(head_losses_before.begin(), head_losses_before.end(), 0.0);
        if (samples.y.weights) {
            const auto weight_of = [&](std::size_t place) {
                return samples.y.weights[samples[first + place]];
            };
            find_counting(count, weight_of, places);
            batch = places.size();
        }
        return batch > 0;
    }

    /// Gathers this thread's rows of the batch, or of its next block.
    void gather(const Samples<T>& samples, std::size_t first) {
        next_block(samples, first);
        gather(samples, first, rows);
    }

    /// Begins with the batch, or with its next block.
    void next_block(const Samples<T>& samples, std::size_t first) {
        block = {block.last, std::min(batch, block.last + work.capacity)};
        if (samples.y.weights != nullptr) context.places = places.data() + block.first;
        context.batch = block.size();
        context.position = samples.before + ahead + first_of_block(samples, first);
        rows = context.rows();
        if (context.share.rank == 0) work.batch = block.size();
    }
    /// Gathers some rows of it.
    void gather(const Samples<T>& samples, std::size_t first, Range some) const {
        samples.gather(this->kernel, first_of_block(samples, first), 0, some, work, context.places);
    }

    bool is_first() const { return block.first == 0; }
    bool is_last() const { return block.last == batch; }

    /// Adds the losses of a block that is complete.
    void add_losses_of_block(const Targets<T>& y) {
        loss_before = loss();
        for (std::size_t i = 0; i < head_losses_before.size(); ++i) {
            head_losses_before[i] = head_loss(i);
        }
        weight_before = weight(y);
    }

    /// The first sample, to which the places of those that count are relative.
    std::size_t first_of_block(const Samples<T>& samples, std::size_t first) const {
        return samples.y.weights != nullptr ? first : first + block.first;
    }

    /// Sums over all rows so far: of losses, of those of head i, not times its weight, and of
    /// weights.
    double loss() const { return add_losses(loss_before, work); }
    double head_loss(std::size_t i) const {
        return add_losses(head_losses_before[i], work.head_losses[i], work.batch);
    }
    double weight(const Targets<T>& y) const { return weight_sum(y, work, weight_before); }
};

}  // namespace fastmlp
