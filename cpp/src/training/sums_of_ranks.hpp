/// The sums that batch normalisation needs over the batch of all ranks, in the order of the ranks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "fastmlp/ranks.hpp"
#include "fastmlp/trainer.hpp"
#include "propagation/batch_sums.hpp"
#include "threads/thread_pool.hpp"
#include "training/shared_sums.hpp"

namespace fastmlp {

/// Whether the samples of a batch depend on each other in training.
inline bool any_batch_normalization(const std::vector<Layer>& layers) {
    return std::any_of(layers.begin(), layers.end(), [](const Layer& layer) {
        return layer.normalization == Normalization::kBatch ||
               layer.input_normalization == Normalization::kBatch;
    });
}

template <class T>
class SumsOfRanks final : public BatchSums<T> {
public:
    /// For a network of this layout; the memory that ranks share, if any, begins at byte `first`.
    SumsOfRanks(const TrainOptions& options, const Layout& layout, std::size_t first)
        : options_(options) {
        const Ranks& ranks = *options.ranks;
        if (ranks.shared) shared_.emplace(ranks, most_sums(layout), sums_.size(), first);
    }

    void add(T* sums, std::size_t count, std::size_t rows) override {
        sums_ = {static_cast<double>(rows), 0};
        if (!shared_) return options_.ranks->add(sums, count, sums_);
        std::copy_n(sums, count, shared_->slot());
        shared_->meet(sums_, options_.interrupted);
        shared_->add(sums, {0, count}, T(1), Share{});
    }

    std::size_t batch() const override { return static_cast<std::size_t>(sums_[0]); }

    /// The bytes of memory that `ranks` share for this.
    static std::size_t bytes(const Ranks& ranks, const Layout& layout) {
        return SharedSums<T>(ranks, most_sums(layout), 2).bytes();
    }

private:
    static std::size_t most_sums(const Layout& layout) {
        std::size_t most = padded(layout[0].k);
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            most = std::max(most, padded(layout[i].n));
        }
        return most;
    }

    const TrainOptions& options_;
    std::vector<double> sums_ = {0, 0};  ///< of samples; `Ranks::add` takes at least two
    std::optional<SharedSums<T>> shared_;
};

}  // namespace fastmlp
