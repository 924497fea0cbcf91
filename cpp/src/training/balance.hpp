/// How evenly a step is divided among any number of threads: what each computes between two
/// barriers, by the same rules that divide the real work, without the threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/shares.hpp"
#include "threads/thread_count.hpp"
#include "training/step_by_columns.hpp"
#include "training/step_path.hpp"

namespace fastmlp {

/// The flops of each thread between two barriers.
using Stage = std::vector<double>;

/// The flops of the busiest thread over the mean.
inline double imbalance(const Stage& stage) {
    const double sum = std::accumulate(stage.begin(), stage.end(), 0.0);
    const double mean = sum / static_cast<double>(stage.size());
    return mean > 0 ? *std::max_element(stage.begin(), stage.end()) / mean : 1;
}

/// The most threads that a step is divided among: as many as are worthwhile, without the limits of
/// the machine, and as have weights to update. Fewer than 8 vectors each cannot be divided evenly.
template <class T>
int most_threads(const Network<T>& network, std::size_t batch) {
    constexpr double kLeastWeights = 8 * kernels::kPad;
    const double flops = flops_per_step(network.layout(), batch, 1);
    const double most =
        std::min({flops / kStepCost.flops, static_cast<double>(batch) / kStepCost.rows,
                  static_cast<double>(network.layout().size()) / kLeastWeights});
    return std::max(1, static_cast<int>(most));
}

/// The products of a step over the first block of a batch on one thread; losses and activations
/// are not counted.
template <class T>
class CountedStep {
public:
    /// The passes over `batch` rows, and their gradients.
    CountedStep(const Network<T>& network, std::size_t batch, Share share, bool by_columns)
        : layout_(network.layout()), batch_(batch), share_(share), rows_(rows_of(share, batch)) {
        if (by_columns) {
            forward_in_order(*this);
            backward_in_order(*this, 0);
        } else {
            for (std::size_t i = 0; i < layers(); ++i) forward_rows(i);
            for (std::size_t i = layers(); i-- > 1;) backward_rows(i);
        }
        meet();
        gradients();
        meet();
    }

    const std::vector<double>& stages() const { return stages_; }

    // What the order of a step by columns asks for.
    std::size_t layers() const { return layout_.layer_count(); }
    bool wide(std::size_t i) const { return is_wide(layout_[i]); }
    void meet() { stages_.push_back(std::exchange(flops_, 0)); }
    void forward_rows(std::size_t i) { count(rows_.size(), layout_[i].k, layout_[i].n); }
    void backward_rows(std::size_t i) { count(rows_.size(), layout_[i].k, layout_[i].n); }
    void forward_columns(std::size_t i) { count_block(layout_[i].n, layout_[i].k); }
    void backward_columns(std::size_t i) { count_block(layout_[i].k, layout_[i].n); }

private:
    void count(std::size_t rows, std::size_t k, std::size_t n) {
        flops_ += 2.0 * static_cast<double>(rows) * static_cast<double>(k * n);
    }
    void count_block(std::size_t columns, std::size_t chain) {
        const OutputBlock mine = block_of(share_, batch_, padded(columns));
        count(mine.rows.size(), mine.columns.size(), chain);
    }

    void gradients() {
        double work = 0;
        for (std::size_t i = 0; i < layers(); ++i) work += size(i);
        UpdateParts parts(share_, work);
        for (std::size_t i = 0; i < layers(); ++i) {
            const UpdatePart mine = parts.next(size(i));
            const std::size_t k = layout_[i].k, n = layout_[i].n;
            if (n <= kernels::kNarrow) {
                count(batch_, mine.columns(k).size(), n);
                continue;
            }
            mine.for_each_panel(k, padded(n), [&](std::size_t, std::size_t width, Range rows) {
                count(batch_, rows.size(), width);
            });
        }
    }
    double size(std::size_t i) const { return static_cast<double>(layout_[i].weights.size()); }

    const Layout& layout_;
    std::size_t batch_;
    Share share_;
    Range rows_;
    std::vector<double> stages_;
    double flops_ = 0;
};

/// The stages of one block of a training step of `batch` rows of dense features.
template <class T>
std::vector<Stage> stages_of_step(const Network<T>& network, std::size_t batch, int threads) {
    const std::size_t block = rows_at_once(network, false, batch, threads);
    const bool by_columns =
        goes_by_columns(traits_of(network.layers(), network.loss()), network.layout(), threads);
    const auto size = static_cast<std::size_t>(threads);
    std::vector<Stage> stages;
    for (std::size_t rank = 0; rank < size; ++rank) {
        const CountedStep<T> step(network, block, {rank, size}, by_columns);
        stages.resize(step.stages().size(), Stage(size));
        for (std::size_t i = 0; i < stages.size(); ++i) stages[i][rank] = step.stages()[i];
    }
    std::erase_if(stages, [](const Stage& stage) {
        return *std::max_element(stage.begin(), stage.end()) == 0;
    });
    return stages;
}

}  // namespace fastmlp
