/// Where the samples of a training come from: arrays in memory, or a stream of blocks.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "checks/checks.hpp"
#include "fastmlp/random.hpp"
#include "fastmlp/trainer.hpp"
#include "propagation/samples.hpp"

namespace fastmlp {

/// x, to be copied batch by batch if its rows share a few cache sets: reading a column of a batch,
/// as its many gradients do, would then evict what the next ones need (4096-4096-10, batch 512: 8 %
/// of a step). For few nodes the copy takes as long.
template <class T>
Features<T> spread_out(const LayerLayout& first, const Features<T>& x, std::size_t batch) {
    constexpr std::size_t kManyNodes = 512, kManyRows = 64;
    const bool borrowed = !x.is_raw && !x.is_sparse;
    const bool read_often = first.n >= kManyNodes && batch >= kManyRows;
    return borrowed && read_often && aliases<T>(x.dense.stride) ? copied(x) : x;
}

/// What the order of an epoch is drawn from: every rank has its own, rank 0 that of no ranks.
inline RandomStream order_stream(const Ranks* ranks, std::uint64_t seed, std::uint32_t epoch) {
    const auto rank = static_cast<std::uint32_t>(ranks ? ranks->rank : 0);
    return {seed, Purpose{static_cast<std::uint32_t>(Purpose::kOrder) + 256 * rank}, epoch};
}

template <class T>
class SampleSource {
public:
    /// Arrays x and y: an epoch is one piece.
    SampleSource(const Network<T>& network, const Features<T>& x, const Targets<T>& y,
                 const TrainOptions& options)
        : network_(network), options_(options),
          samples_{spread_out(network.layout()[0], x, options.batch_size), y},
          rows_(options.rows ? options.row_count : x.rows),
          batch_(options.ranks ? options.batch_size : std::min(options.batch_size, rows_)) {
        if (options.ranks) check_ranks();
        if (rows_ == 0 && !options.ranks)
            throw std::invalid_argument("x has 0 rows; training needs at least one");
        if (rows_ > UINT32_MAX) throw std::invalid_argument("x has more than 2^32 - 1 rows");
        if (options.rows) {
            if (options.order) throw std::invalid_argument("order and rows do not go together");
            if (std::any_of(options.rows, options.rows + rows_,
                            [&](std::uint32_t row) { return row >= x.rows; })) {
                throw std::invalid_argument("rows must hold indices of rows of x");
            }
            samples_.size = rows_;
        }
        if (options.shuffle && !options.order) shuffled_.resize(rows_);
    }
    /// A stream: an epoch is a sequence of blocks from `blocks`.
    SampleSource(const Network<T>& network, const BlockSource<T>& blocks,
                 const TrainOptions& options)
        : network_(network), options_(options),
          samples_{
              checked_features<T>(network, MatrixView<const T>{nullptr, 0, network.features(), 0}),
              {}},
          blocks_(&blocks), rows_(blocks.rows),
          batch_(rows_ && !options.ranks ? std::min(options.batch_size, rows_)
                                         : options.batch_size) {
        if (options.ranks) check_ranks();
        if (options.order || options.rows) {
            throw std::invalid_argument("blocks come in the order of their source");
        }
    }

    const Samples<T>& samples() const { return samples_; }  ///< the current ones
    std::size_t rows() const { return rows_; }              ///< per epoch; 0: unknown
    std::size_t batch() const { return batch_; }  ///< rows of every step but an epoch's last

    void begin_epoch() {
        samples_.before = 0;
        samples_.epoch = network_.epoch();
        if (blocks_) samples_.x.dense.rows = samples_.x.rows = samples_.size = 0;
    }
    /// Advances to the next samples of `epoch`; returns whether they are its last.
    bool next(std::size_t epoch) {
        if (blocks_) return next_block();
        samples_.order = order_of(epoch);
        return true;
    }

private:
    void check_ranks() const {
        const Ranks& ranks = *options_.ranks;
        if (ranks.rank >= ranks.rows.size() || ranks.rows[ranks.rank] != rows_ ||
            !(ranks.shared ? ranks.ended != nullptr : ranks.add != nullptr)) {
            throw std::invalid_argument(
                "ranks must have the rows of each rank, and add, or shared and ended");
        }
        if (std::all_of(ranks.rows.begin(), ranks.rows.end(), [](auto n) { return n == 0; })) {
            throw std::invalid_argument("no rank has a row; training needs at least one");
        }
    }

    bool next_block() {
        samples_.before += samples_.count();
        const Block<T> block = blocks_->next();
        Features<T> given(block.x);
        given.is_scaled = block.is_scaled;
        const Features<T> x = checked_features(network_, given);
        check_targets(network_, block.y, block.x.rows);
        check_content(network_, block.y);
        const std::size_t rows = samples_.before + block.x.rows;
        const bool is_whole = options_.ranks || block.x.rows % batch_ == 0;
        if (!block.last && (block.x.rows == 0 || !is_whole)) {
            throw std::invalid_argument("a block must hold whole batches, but for an epoch's last");
        }
        if (block.last && (rows == 0 || (rows_ != 0 && rows != rows_))) {
            throw std::invalid_argument("the blocks of an epoch have " + std::to_string(rows) +
                                        " rows, not as many as announced");
        }
        samples_.take(x, block.y);
        return block.last;
    }

    const std::uint32_t* order_of(std::size_t epoch) {
        if (options_.order) return options_.order + epoch % options_.order_rows * rows_;
        if (!options_.shuffle) return options_.rows;
        draw_order(order_stream(options_.ranks, network_.seed(), samples_.epoch), 0,
                   shuffled_.data(), shuffled_.size());
        if (options_.rows) {
            for (std::uint32_t& sample : shuffled_) sample = options_.rows[sample];
        }
        return shuffled_.data();
    }

    const Network<T>& network_;
    const TrainOptions& options_;
    Samples<T> samples_;
    const BlockSource<T>* blocks_ = nullptr;
    std::size_t rows_, batch_;
    std::vector<std::uint32_t> shuffled_;
};

}  // namespace fastmlp
