#include "fastmlp/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "checkpoint.hpp"
#include "executor.hpp"
#include "fastmlp/random.hpp"
#include "ieee_defaults.hpp"
#include "inference.hpp"
#include "kernels/dispatch.hpp"
#include "pacer.hpp"
#include "propagate.hpp"
#include "single_row.hpp"
#include "thread_limits.hpp"
#include "thread_pool.hpp"

namespace fastmlp {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Work of one step in flops: forward, gradient, and backward for all layers but the first.
double flops_per_step(const Layout& layout, std::size_t batch) {
    double products = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        products += static_cast<double>(layout[i].weights.size()) * (i == 0 ? 2 : 3);
    }
    return 2.0 * static_cast<double>(batch) * products;
}

/// A thread pays from this much work and this many rows a step: below, the barriers and the lines
/// of weights that move between cores cost more than it brings.
constexpr double kFlopsPerThread = 0.4e6;
constexpr double kRowsPerThread = 8;

template <class T>
class Trainer {
public:
    Trainer(Network<T>& network, MatrixView<const T> x, const Targets<T>& y,
            const TrainOptions& options)
        : network_(network), x_(x), y_(y), options_(options),
          batch_(std::min(options.batch_size, x.rows)),
          team_(
              tasks_at_once(training_threads(network, batch_, options.n_threads), options.executor),
              options.executor),
          scratch_(static_cast<std::size_t>(team_.size())),
          work_(network.layout(), network.layers(), std::max<std::size_t>(2, batch_)),
          image_(network.layout(), network.parameters()->data()),
          pass_{kernels::active_table<T>(), network.layers(), network.loss(), image_, work_} {
        if (batch_ == 1 && team_.size() == 1) single_.emplace(pass_, rate());
        if (options.shuffle && !options.order) shuffled_.resize(x.rows);
        image_.load();
    }

    std::vector<EpochReport> run();

private:
    EpochReport run_epoch(std::size_t epoch);
    void check_interrupted() const {
        if (options_.interrupted && options_.interrupted()) throw Interrupted();
    }
    std::size_t run_steps(std::size_t first, std::size_t last);
    bool step(std::size_t index, Share share, Scratch<T>& scratch);
    std::size_t single_steps(std::size_t first, std::size_t last);
    RowPrefetcher<T> next_rows(std::size_t first, Range rows) const;
    void gather(std::size_t first, std::size_t row, Range rows);
    T rate() const { return static_cast<T>(options_.optimizer.learning_rate); }
    const std::uint32_t* order_of(std::size_t epoch);

    Network<T>& network_;
    MatrixView<const T> x_;
    const Targets<T>& y_;
    const TrainOptions& options_;
    std::size_t batch_;
    ThreadTeam team_;
    std::vector<Scratch<T>> scratch_;
    Workspace<T> work_;
    Image<T> image_;
    Propagation<T> pass_;
    std::optional<SingleRow<T>> single_;  ///< instead of `step` where it serves
    Pacer pacer_;
    std::vector<std::uint32_t> shuffled_;
    const std::uint32_t* order_ = nullptr;  ///< this epoch's, null for 0, 1, 2, ...
    double loss_ = 0;                       ///< summed over this epoch's samples so far
};

template <class T>
std::vector<EpochReport> Trainer<T>::run() {
    Checkpoint<T> finite(*network_.parameters());
    std::vector<EpochReport> reports;
    for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
        std::optional<EpochReport> report;
        try {
            report = run_epoch(epoch);
        } catch (...) {
            image_.store();
            throw;
        }
        image_.store();
        network_.set_epoch(network_.epoch() + 1);
        if (!std::isfinite(report->loss) || !finite.save_if_finite(pass_.kernel)) {
            finite.restore();
            throw Diverged(epoch, report->loss);
        }
        reports.push_back(*report);
        check_interrupted();
        if (options_.on_epoch) {
            if (options_.on_epoch(*report)) break;
            image_.load();
        }
    }
    return reports;
}

template <class T>
EpochReport Trainer<T>::run_epoch(std::size_t epoch) {
    const auto start = Clock::now();
    order_ = order_of(epoch);
    loss_ = 0;
    const std::size_t steps = (x_.rows + batch_ - 1) / batch_;
    for (std::size_t first = 0; first < steps;) {
        const std::size_t last = std::min(steps, first + pacer_.steps());
        const auto chunk_start = Clock::now();
        const std::size_t done = run_steps(first, last);
        first += done;
        pacer_.measured(done, seconds_since(chunk_start));
        if (first < steps) check_interrupted();
    }
    return {epoch, loss_ / static_cast<double>(x_.rows), seconds_since(start)};
}

template <class T>
std::size_t Trainer<T>::run_steps(std::size_t first, std::size_t last) {
    if (single_) return single_steps(first, last);
    std::size_t done = 0;
    const auto size = static_cast<std::size_t>(team_.size());
    team_.run([&](int rank) {
        const Share share{static_cast<std::size_t>(rank), size};
        bool carry_on = true;
        std::size_t index = first;
        while (index < last && carry_on) carry_on = step(index++, share, scratch_[share.rank]);
        if (rank == 0) done = index - first;
    });
    return done;
}

/// One step of SGD, this thread's share. Rows are split going forward and backward, weights in the
/// update; no sum is ever split. False if the team had better rest now.
template <class T>
bool Trainer<T>::step(std::size_t index, Share share, Scratch<T>& scratch) {
    const std::size_t first = index * batch_;
    const std::size_t batch = std::min(batch_, x_.rows - first);
    const Range rows = share.of(batch, batch >= kernels::kPad * share.size ? kernels::kPad : 1);
    if (share.rank == 0) work_.batch = batch;
    gather(first, 0, rows);
    pass_.forward(rows, scratch);
    pass_.backward(y_.labels != nullptr, rows, scratch);
    team_.barrier(static_cast<int>(share.rank));
    const T scale = T(1) / static_cast<T>(batch);
    RowPrefetcher<T> prefetch = next_rows(first + batch, rows);
    pass_.gradients(image_, {scale, rate(), false}, share, &prefetch);
    if (share.rank == 0) loss_ = add_losses(loss_, work_);
    return team_.barrier(static_cast<int>(share.rank));
}

template <class T>
std::size_t Trainer<T>::single_steps(std::size_t first, std::size_t last) {
    for (std::size_t index = first; index < last; ++index) {
        gather(index, single_->row(), {0, 1});
        RowPrefetcher<T> prefetch = next_rows(index + 1, {0, 1});
        prefetch.spread_over(1);
        prefetch.advance();
        loss_ += static_cast<double>(single_->step(y_.labels != nullptr, scratch_[0]));
    }
    single_->flush();
    return last - first;
}

/// The rows this thread will want next: samples first + rows, as far as the epoch goes.
template <class T>
RowPrefetcher<T> Trainer<T>::next_rows(std::size_t first, Range rows) const {
    return {
        x_, order_, {std::min(x_.rows, first + rows.first), std::min(x_.rows, first + rows.last)}};
}

/// Samples first + rows of the epoch into rows `row` + rows of the workspace: pointers, no copy.
template <class T>
void Trainer<T>::gather(std::size_t first, std::size_t row, Range rows) {
    for (std::size_t b = rows.first; b < rows.last; ++b) {
        const std::size_t sample = order_ ? order_[first + b] : first + b;
        work_.input[row + b] = x_.row(sample);
        if (y_.labels) {
            work_.labels[row + b] = y_.labels[sample];
        } else {
            work_.targets[row + b] = y_.values.row(sample);
        }
    }
}

template <class T>
const std::uint32_t* Trainer<T>::order_of(std::size_t epoch) {
    if (options_.order) return options_.order + epoch % options_.order_rows * x_.rows;
    if (!options_.shuffle) return nullptr;
    draw_order(network_.seed(), network_.epoch(), shuffled_.data(), shuffled_.size());
    return shuffled_.data();
}

template <class T>
void check_options(const MatrixView<const T>& x, const TrainOptions& options) {
    if (x.rows == 0) throw std::invalid_argument("x has 0 rows; training needs at least one");
    if (x.rows > UINT32_MAX) throw std::invalid_argument("x has more than 2^32 - 1 rows");
    if (options.batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
    if (!(options.optimizer.learning_rate > 0) || !std::isfinite(options.optimizer.learning_rate)) {
        throw std::invalid_argument("learning_rate must be positive and finite");
    }
    if (options.order) {
        const std::uint32_t* end = options.order + options.order_rows * x.rows;
        if (options.order_rows == 0 ||
            std::any_of(options.order, end, [&](std::uint32_t i) { return i >= x.rows; })) {
            throw std::invalid_argument("order must hold indices of rows of x");
        }
    }
}

}  // namespace

Diverged::Diverged(std::size_t at_epoch, double its_loss)
    : std::runtime_error("the loss of epoch " + std::to_string(at_epoch) + " is " +
                         std::to_string(its_loss)),
      epoch(at_epoch), loss(its_loss) {}

Interrupted::Interrupted() : std::runtime_error("interrupted") {}

template <class T>
int training_threads(const Network<T>& network, std::size_t batch_size, int n_threads) {
    const int allowed = threads_allowed(n_threads);
    if (exact_threads()) return allowed;
    const double worth = std::min(flops_per_step(network.layout(), batch_size) / kFlopsPerThread,
                                  static_cast<double>(batch_size) / kRowsPerThread);
    return static_cast<int>(std::clamp(worth, 1.0, static_cast<double>(allowed)));
}

template <class T>
std::vector<EpochReport> train(Network<T>& network, MatrixView<const T> x, const Targets<T>& y,
                               const TrainOptions& options) {
    check_features(network.features(), x);
    check_targets(network, y, x.rows);
    check_options(x, options);
    const IeeeDefaults ieee;
    return Trainer<T>(network, x, y, options).run();
}

template int training_threads(const Network<float>&, std::size_t, int);
template int training_threads(const Network<double>&, std::size_t, int);
template std::vector<EpochReport> train(Network<float>&, MatrixView<const float>,
                                        const Targets<float>&, const TrainOptions&);
template std::vector<EpochReport> train(Network<double>&, MatrixView<const double>,
                                        const Targets<double>&, const TrainOptions&);

}  // namespace fastmlp
