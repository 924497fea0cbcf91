#include "fastmlp/objective.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "checks/checks.hpp"
#include "propagation/blocks_of_batch.hpp"
#include "propagation/stepwise.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {
namespace {

/// Multiply-adds per parameter and row: forward, back and for the gradient.
constexpr int kProducts = 3;
constexpr std::size_t kPieceRows = 512;
/// The time that a node takes besides its products.
constexpr double kFlopsPerNode = 10;

}  // namespace

template <class T>
class Objective<T>::Impl {
public:
    explicit Impl(Network<T>& network) : network_(network) {}

    double compute(const Features<T>& given, const Targets<T>& y, MatrixView<T> outputs,
                   int n_threads) {
        const Features<T> x = checked_features(network_, given);
        check_targets(network_, y, x.rows);
        check_allowed_values(network_, y);  // weights below 0 have a mean, too
        if (outputs.data) check_out(x.rows, network_.outputs(), outputs);
        const IeeeDefaults ieee;
        std::atomic<bool> begun{false};  // whether some gradients were written
        try {
            return walk({x, y}, outputs, n_threads, begun);
        } catch (...) {  // interrupted: no gradients rather than some of them
            if (begun) clear();
            throw;
        }
    }

private:
    double walk(const Samples<T>& samples, MatrixView<T> outputs, int n_threads,
                std::atomic<bool>& begun) {
        const std::size_t rows = samples.count();
        const int threads = threads_for_passes(network_.layout(), rows, kProducts, n_threads);
        prepare(samples, threads);
        PackedParameters<T> gradients(network_.layout(), network_.gradients()->data());
        std::vector<UpdateTarget<T>> whole;
        for (std::size_t i = 0; i < gradients.size(); ++i) whole.push_back({gradients[i]});
        std::optional<GradientSums<T>> sums;
        if (rows > work_->capacity) sums.emplace(network_, whole);
        double loss = 0, weight = 0;
        bool any = rows > 0;
        on_team(network_, *work_, threads, [&](const Propagation<T>& pass) {
            BlockPass<T> part(pass);
            if (rows == 0 || !part.begin(samples, 0, rows, pass.context)) {
                if (pass.context.share.rank == 0) any = false;
                return;
            }
            for (part.gather(samples, 0);; part.gather(samples, 0)) {
                propagate(part, samples, outputs);
                part.context.meet();
                if (part.is_last()) break;
                part.add_losses_of_block(samples.y);
                part.gradients(sums->of_block(part.is_first()), {T(1)});
                part.context.meet();
            }
            begun = true;
            const double total = part.weight(samples.y);
            const GradientUse<T> use{static_cast<T>(total > 0 ? 1 / total : 0)};
            part.gradients(part.is_first() ? whole : sums->of_last(), use);
            if (pass.context.share.rank != 0) return;
            loss = part.loss();
            weight = total;
        });
        network_.changed();
        if (!any) {
            clear();
            return 0;
        }
        store_gradients(network_, gradients);
        return weighted_mean(loss, weight);
    }

    /// One thread's rows of a block, forward and back, in pieces between which it may be
    /// interrupted.
    static void propagate(const BlockPass<T>& part, const Samples<T>& samples,
                          MatrixView<T> outputs) {
        double nodes = 0;
        for (std::size_t i = 0; i < part.layers.size(); ++i) {
            nodes += static_cast<double>(part.parameters[i].n);
        }
        const auto in_pieces = [&](auto pass) {
            for_each_block(part.rows, kPieceRows, kFlopsPerNode * nodes, part.poll, pass);
        };
        in_pieces([&](Range rows) { part.forward(rows); });
        if (outputs.data) copy_outputs(part, outputs);
        part.output_delta(samples.y, part.rows);
        in_pieces([&](Range rows) { part.backward(rows, part.lowest_trainable); });
    }

    static void copy_outputs(const BlockPass<T>& part, MatrixView<T> outputs) {
        part.outputs(part.rows);
        Rows<T>& nodes = part.work.nodes.back();
        const std::uint32_t* places = part.context.places;
        for (std::size_t b = part.rows.first; b < part.rows.last; ++b) {
            const std::size_t to = places ? places[b] : part.context.position + b;
            std::copy_n(nodes.row(b), nodes.cols, outputs.row(to));
        }
    }

    void prepare(const Samples<T>& samples, int threads) {
        const std::size_t rows = samples.count();
        const std::size_t at_once =
            samples.y.custom
                ? rows
                : rows_of_block<T>(network_.layers(), network_.layout(), rows, threads);
        if (!work_ || work_->capacity < at_once) {
            work_.reset();
            work_.emplace(network_.layout(), network_.layers(), at_once);
        }
        work_->input.expect(samples.x, work_->capacity);
    }

    void clear() { std::fill(network_.gradients()->begin(), network_.gradients()->end(), T(0)); }

    Network<T>& network_;
    std::optional<Workspace<T>> work_;
};

template <class T>
Objective<T>::Objective(Network<T>& network) : impl_(std::make_unique<Impl>(network)) {}
template <class T>
Objective<T>::~Objective() = default;
template <class T>
Objective<T>::Objective(Objective&&) noexcept = default;
template <class T>
Objective<T>& Objective<T>::operator=(Objective&&) noexcept = default;

template <class T>
double Objective<T>::compute(MatrixView<const T> x, const Targets<T>& y, MatrixView<T> outputs,
                             int n_threads) {
    return impl_->compute(x, y, outputs, n_threads);
}

template <class T>
double Objective<T>::compute(const RawView<T>& x, const Targets<T>& y, MatrixView<T> outputs,
                             int n_threads) {
    return impl_->compute(x, y, outputs, n_threads);
}

template class Objective<float>;
template class Objective<double>;

}  // namespace fastmlp
