#include <algorithm>
#include <stdexcept>

#include "checks/checks.hpp"
#include "inference/block.hpp"
#include "inference/inference_weights.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/loss.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/share_out.hpp"

namespace fastmlp {
namespace {

/// The fixed cost of a row, in flops.
constexpr double kFlopsPerRow = 1e3;

double flops_per_row(const Layout& layout) {
    double flops = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        flops += 2.0 * static_cast<double>(layout[i].k) * static_cast<double>(layout[i].n);
    }
    return flops;
}

/// Calls f(layers, rows, block, poll) for blocks of rows of x, on as many threads as are
/// worthwhile.
template <class T, class F>
void for_each_block(const Network<T>& network, std::size_t rows, int n_threads,
                    const Executor* executor, F f) {
    const IeeeDefaults ieee;
    Interrupts interrupts;
    const InferenceWeights<T> weights(network, rows, interrupts.poll());
    const InferenceLayers<T, InferenceWeights<T>> layers{
        kernels::active_table<T>(),
        network.layers(),
        network.loss(),
        weights,
        {&network.layout(), network.statistics()->data()},
        ColumnScaling<T>(network.output_scaling().get()),
        network.heads()};
    const double flops_each = flops_per_row(network.layout());
    const auto work = [&](Range mine, Poll* poll) {
        static thread_local InferenceBlock<T> block;
        for_each_block(mine, rows_in_cache(), flops_each + kFlopsPerRow, poll,
                       [&](Range range) { f(layers, range, block, poll); });
    };
    share_out({rows, flops_each, kernels::kPad}, n_threads, executor, interrupts, work);
}

template <class T>
std::size_t first_largest(const T* x, std::size_t n) {
    return static_cast<std::size_t>(std::max_element(x, x + n) - x);
}

/// The number of correct decisions in one row of n scores, against its label or its targets;
/// z > 0 is sigmoid(z) > 1/2.
template <class T>
std::size_t count_correct(Loss loss, const T* score, std::size_t n, const std::int32_t* label,
                          const T* target) {
    if (loss.kind == Loss::kCrossEntropy) {
        const std::size_t wanted =
            label ? static_cast<std::size_t>(*label) : first_largest(target, n);
        return first_largest(score, n) == wanted ? 1 : 0;
    }
    std::size_t correct = 0;
    if (loss.kind == Loss::kBinaryCrossEntropy) {
        for (std::size_t j = 0; j < n; ++j) correct += (score[j] > T(0)) == (target[j] > T(0.5));
    }
    return correct;
}

/// What all samples come to by one loss.
template <class T>
struct Measured {
    Measured(Loss its_loss, std::size_t its_outputs, std::size_t rows)
        : loss(its_loss), outputs(its_outputs), losses(rows), correct(rows) {}

    Loss loss;
    std::size_t outputs;
    std::vector<T> losses;
    std::vector<std::size_t> correct;

    Evaluation mean(const T* weights) const {
        Evaluation result;
        double weight = 0;
        std::size_t rows = 0;
        for (std::size_t b = 0; b < losses.size(); ++b) {
            const T counts = weights ? weights[b] : T(1);
            if (counts == 0) continue;  // its loss may be infinite: 0 * inf is NaN
            result.loss += static_cast<double>(counts * losses[b]);
            weight += static_cast<double>(counts);
            result.correct += correct[b];
            ++rows;
        }
        result.loss = weighted_mean(result.loss, weight);
        if (loss.kind == Loss::kCrossEntropy) result.decisions = rows;
        if (loss.kind == Loss::kBinaryCrossEntropy) result.decisions = rows * outputs;
        return result;
    }
};

template <class T>
void predict_rows(const Network<T>& network, const Features<T>& given, MatrixView<T> out,
                  int n_threads, const Executor* executor) {
    const Features<T> x = checked_features(network, given);
    check_out(x.rows, network.outputs(), out);
    for_each_block(network, x.rows, n_threads, executor,
                   [&](const auto& layers, Range range, InferenceBlock<T>& block, Poll* poll) {
                       block.predict(layers, x, range, out, poll);
                   });
}

/// Losses and right decisions of rows from `first` on, by the loss of all outputs.
template <class T, class Layers>
void measure_rows(const Layers& layers, const OutputRows<T>& at, std::size_t first,
                  LossesInUnits<T>& losses_in_units, Measured<T>& whole) {
    if (const auto& scaling = layers.output_scaling) {
        losses_in_units.compute(layers.kernel, layers.loss, scaling, at);
    } else {
        apply_loss(layers.kernel, layers.loss, at);
    }
    for (std::size_t b = 0; b < at.rows; ++b) {
        whole.correct[first + b] =
            count_correct(layers.loss, at.scores + b * at.lds, at.n,
                          at.labels ? at.labels + b : nullptr, at.targets[b]);
    }
}

/// The same of each head; losses of all of them, weighted, into `at.losses`.
template <class T, class Layers>
void measure_heads(const Layers& layers, const OutputRows<T>& at, std::size_t first,
                   HeadTargets kind, HeadRows<T>& room, std::vector<Measured<T>>& heads) {
    const HeadPass<T> pass{layers.kernel, layers.heads, room, layers.output_scaling,
                           HeadLosses::kInUnits};
    pass.weighted(kind, at, [&](std::size_t i) {
        Measured<T>& head = heads[i];
        const bool by_label = layers.heads[i].targets(kind.labelled) != room.n;
        for (std::size_t b = 0; b < at.rows; ++b) {
            head.correct[first + b] =
                count_correct(head.loss, room.h.data() + b * room.stride, room.n,
                              by_label ? &room.labels[b] : nullptr, room.targets[b]);
        }
        return head.losses.data() + first;
    });
}

template <class T>
Evaluation evaluate_rows(const Network<T>& network, const Features<T>& given, const Targets<T>& y,
                         int n_threads, const Executor* executor) {
    const Features<T> x = checked_features(network, given);
    check_targets(network, y, x.rows);
    check_content(network, y);
    if (y.custom) throw std::invalid_argument("evaluate does not support a custom loss");
    const IeeeDefaults ieee;  // for the sum
    const std::size_t outputs = network.outputs();
    Measured<T> whole(network.loss(), outputs, x.rows);
    std::vector<Measured<T>> heads;
    for (const Head& head : network.heads()) heads.emplace_back(head.loss, head.nodes, x.rows);
    const auto evaluate_block = [&](const auto& layers, Range range, InferenceBlock<T>& block,
                                    Poll* poll) {
        const auto [z, stride] = block.scores(layers, x, range, poll);
        T* delta = room(block.scratch, range.size() * stride);
        for (std::size_t b = 0; b < range.size(); ++b) {
            block.pointers[b] = y.labels ? nullptr : y.values.row(range.first + b);
        }
        const OutputRows<T> at{range.size(),
                               outputs,
                               z,
                               stride,
                               y.labels ? y.labels + range.first : nullptr,
                               block.pointers.data(),
                               delta,
                               stride,
                               whole.losses.data() + range.first,
                               network.loss_weights() ? network.loss_weights()->data() : nullptr};
        if (heads.empty()) {
            measure_rows(layers, at, range.first, block.losses_in_units, whole);
        } else {
            measure_heads(layers, at, range.first, {y.values.cols, outputs}, block.head_rows,
                          heads);
        }
    };
    for_each_block(network, x.rows, n_threads, executor, evaluate_block);
    Evaluation result = whole.mean(y.weights);
    for (const Measured<T>& head : heads) result.heads.push_back(head.mean(y.weights));
    return result;
}

}  // namespace

template <class T>
void Network<T>::predict(MatrixView<const T> x, MatrixView<T> out, int n_threads,
                         const Executor* executor) const {
    predict_rows<T>(*this, x, out, n_threads, executor);
}

template <class T>
void Network<T>::predict(const RawView<T>& x, MatrixView<T> out, int n_threads,
                         const Executor* executor) const {
    predict_rows<T>(*this, x, out, n_threads, executor);
}

template <class T>
void Network<T>::predict(const SparseView<T>& x, MatrixView<T> out, int n_threads,
                         const Executor* executor) const {
    predict_rows<T>(*this, x, out, n_threads, executor);
}

template <class T>
Evaluation Network<T>::evaluate(MatrixView<const T> x, const Targets<T>& y, int n_threads,
                                const Executor* executor) const {
    return evaluate_rows<T>(*this, x, y, n_threads, executor);
}

template <class T>
Evaluation Network<T>::evaluate(const RawView<T>& x, const Targets<T>& y, int n_threads,
                                const Executor* executor) const {
    return evaluate_rows<T>(*this, x, y, n_threads, executor);
}

template <class T>
Evaluation Network<T>::evaluate(const SparseView<T>& x, const Targets<T>& y, int n_threads,
                                const Executor* executor) const {
    return evaluate_rows<T>(*this, x, y, n_threads, executor);
}

#define FASTMLP_INSTANTIATE(T)                                                                   \
    template void Network<T>::predict(MatrixView<const T>, MatrixView<T>, int, const Executor*)  \
        const;                                                                                   \
    template void Network<T>::predict(const RawView<T>&, MatrixView<T>, int, const Executor*)    \
        const;                                                                                   \
    template void Network<T>::predict(const SparseView<T>&, MatrixView<T>, int, const Executor*) \
        const;                                                                                   \
    template Evaluation Network<T>::evaluate(MatrixView<const T>, const Targets<T>&, int,        \
                                             const Executor*) const;                             \
    template Evaluation Network<T>::evaluate(const RawView<T>&, const Targets<T>&, int,          \
                                             const Executor*) const;                             \
    template Evaluation Network<T>::evaluate(const SparseView<T>&, const Targets<T>&, int,       \
                                             const Executor*) const;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
