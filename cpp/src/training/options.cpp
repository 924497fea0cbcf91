#include "training/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "fastmlp/random.hpp"
#include "fastmlp/ranks.hpp"
#include "training/source.hpp"
#include "training/step_rows.hpp"

namespace fastmlp {
namespace {

/// Whether the rates depend on the length of an epoch, so that its number of rows must be known.
bool counts_epochs(const Schedule& schedule) {
    return schedule.kind != Schedule::Kind::kConstant && schedule.kind != Schedule::Kind::kInverse;
}

/// Whether any batch of an epoch has two samples of non-zero weight; `order` may be null.
template <class T>
bool has_two_in_a_batch(const std::uint32_t* order, std::size_t rows, const T* weights,
                        std::size_t batch) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        if (i % batch == 0) found = 0;
        if (weights[order ? order[i] : i] != 0 && ++found == 2) return true;
    }
    return false;
}

/// The same of the epochs of several ranks, whose `weights` follow each other.
template <class T>
class BatchesOfRanks {
public:
    BatchesOfRanks(const Ranks& ranks, const T* weights, std::size_t rows, std::size_t batch)
        : ranks_(ranks), weights_(weights), batch_(batch), found_((rows + batch - 1) / batch) {}

    bool have_two(const Network<T>& network, std::uint32_t epoch, bool shuffle) {
        std::fill(found_.begin(), found_.end(), 0);
        Ranks each = ranks_;
        const T* weights = weights_;
        for (each.rank = 0; each.rank < each.rows.size(); ++each.rank) {
            const std::size_t rows = each.rows[each.rank];
            order_.resize(rows);
            std::iota(order_.begin(), order_.end(), 0);
            if (shuffle) {
                draw_order(order_stream(&each, network.seed(), epoch), 0, order_.data(), rows);
            }
            const StepRows steps(rows, batch_, &each);
            for (std::size_t step = 0; step < found_.size(); ++step) {
                const Range part = steps.of(step, rows);
                for (std::size_t i = part.first; i < part.last; ++i) {
                    if (weights[order_[i]] != 0 && ++found_[step] == 2) return true;
                }
            }
            weights += rows;
        }
        return false;
    }

private:
    const Ranks& ranks_;
    const T* weights_;
    std::size_t batch_;
    std::vector<std::size_t> found_;  ///< of each step
    std::vector<std::uint32_t> order_;
};

/// Whether any batch of all epochs has two samples of non-zero weight.
template <class T>
bool ever_has_two_in_a_batch(const Network<T>& network, std::size_t rows, const T* weights,
                             const TrainOptions& options, std::size_t batch) {
    if (options.order) {
        const std::size_t orders = std::min(options.order_rows, options.epochs);
        for (std::size_t i = 0; i < orders; ++i) {
            const std::uint32_t* order = options.order + i * rows;
            if (has_two_in_a_batch(order, rows, weights, batch)) return true;
        }
        return false;
    }
    const auto counting = static_cast<std::size_t>(
        std::count_if(weights, weights + rows, [](T weight) { return weight != 0; }));
    if (counting > (rows + batch - 1) / batch) return true;
    if (counting < 2) return false;
    const Ranks alone{0, {rows}, {}};
    BatchesOfRanks<T> batches(options.ranks ? *options.ranks : alone, weights, rows, batch);
    // Also those before `first_epoch`: what was begun is not refused for the rest of it.
    const auto start = network.epoch() - static_cast<std::uint32_t>(options.first_epoch);
    const std::size_t epochs = options.shuffle ? options.epochs : 1;
    for (std::size_t i = 0; i < epochs; ++i) {
        const auto epoch = start + static_cast<std::uint32_t>(i);
        if (batches.have_two(network, epoch, options.shuffle)) return true;
    }
    return false;
}

template <class T>
bool is_finite(const Features<T>& x, std::size_t row) {
    if (!x.is_sparse) {
        const RawView<T> rows = x.is_raw ? x.raw : RawView<T>::of(x.dense);
        return count_finite_rows(rows.of_rows(row, 1)) == 1;
    }
    const SparseRow<T> stored = x.sparse.row(row);
    return std::all_of(stored.values, stored.values + stored.count,
                       [](T value) { return std::isfinite(value); });
}

}  // namespace

void check_options(std::size_t rows, std::uint32_t trained, const TrainOptions& options) {
    if (options.batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
    check_optimizer(options.optimizer);
    check_schedule(options.schedule);
    if (!(options.ema >= 0 && options.ema < 1)) {
        throw std::invalid_argument("ema must be at least 0 and below 1");
    }
    if (options.first_epoch > options.epochs) {
        throw std::invalid_argument("first_epoch must be at most epochs");
    }
    if (options.until_epoch > options.epochs) {
        throw std::invalid_argument("until_epoch must be at most epochs");
    }
    const std::size_t until = options.until_epoch ? options.until_epoch : options.epochs;
    const std::size_t most = std::numeric_limits<std::uint32_t>::max() - trained;
    if (until > options.first_epoch && until - options.first_epoch > most) {
        throw std::invalid_argument("epochs must be at most " + std::to_string(most) +
                                    " more, as a network counts them in 32 bits, got " +
                                    std::to_string(until - options.first_epoch));
    }
    if (rows == 0 && !options.ranks &&
        (options.first_epoch > 0 || counts_epochs(options.schedule))) {
        throw std::invalid_argument(
            "first_epoch and schedules over epochs need the number of rows of an epoch");
    }
    if (options.order) {
        const std::uint32_t* end = options.order + options.order_rows * rows;
        if (options.order_rows == 0 ||
            std::any_of(options.order, end, [&](std::uint32_t i) { return i >= rows; })) {
            throw std::invalid_argument("order must hold indices of rows of x");
        }
    }
}

template <class T>
void check_batches(const Network<T>& network, std::size_t rows, const T* weights,
                   const TrainOptions& options) {
    if (!measures_batches(network.layers())) return;
    if (options.ranks) {
        const std::size_t all =
            std::accumulate(options.ranks->rows.begin(), options.ranks->rows.end(), std::size_t{0});
        if (rows != all) weights = nullptr;  // those of the others are not known
        rows = all;
    }
    std::vector<T> chosen;
    if (options.rows && weights) {
        for (std::size_t i = 0; i < rows; ++i) chosen.push_back(weights[options.rows[i]]);
        weights = chosen.data();
    }
    const std::size_t batch = rows ? std::min(options.batch_size, rows) : options.batch_size;
    if (batch > 1 && (!weights || ever_has_two_in_a_batch(network, rows, weights, options, batch)))
        return;
    throw std::invalid_argument(
        "batch_size must give batch normalization batches of at least 2 rows" +
        std::string(weights ? " of weight above 0" : "") + ", got " +
        std::to_string(options.batch_size) +
        (rows ? " for " + std::to_string(rows) + " rows" : ""));
}

template <class T>
void check_finite(const Features<T>& x, const T* weights, const TrainOptions& options) {
    const std::size_t count = options.rows ? options.row_count : x.rows;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t row = options.rows ? options.rows[i] : i;
        if ((weights && weights[row] == 0) || is_finite(x, row)) continue;
        throw std::invalid_argument("x must be finite as the network reads it, row " +
                                    std::to_string(row) + " is not");
    }
}

template void check_finite(const Features<float>&, const float*, const TrainOptions&);
template void check_finite(const Features<double>&, const double*, const TrainOptions&);
template void check_batches(const Network<float>&, std::size_t, const float*, const TrainOptions&);
template void check_batches(const Network<double>&, std::size_t, const double*,
                            const TrainOptions&);

}  // namespace fastmlp
