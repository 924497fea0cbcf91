/// The passes of networks side by side: their losses and the sums of their gradients over a batch.
///
/// A batch is computed in blocks of rows, whose nodes stay in the cache, unless it is normalised as
/// a whole. Each sum is continued from block to block, so that no bit depends on their size. Over
/// 400 lines, as the lanes' state and both passes belong together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "fastmlp/trainer.hpp"
#include "kernels/table.hpp"
#include "lanes/arrays.hpp"
#include "lanes/block.hpp"
#include "lanes/dropout.hpp"
#include "lanes/inputs.hpp"
#include "lanes/left_out.hpp"
#include "lanes/manner.hpp"
#include "lanes/normalization.hpp"
#include "lanes/outputs.hpp"
#include "propagation/activation.hpp"
#include "propagation/loss.hpp"

namespace fastmlp {

/// A network and its samples in a lane.
template <class T>
struct Lane {
    const TrainJob<T>* job;
    Manner* by;
    TrainOutcome* outcome;
    OptimizerState<T> before;               ///< of the optimizer, if no step is completed
    MovingAverage<T> average_before;        ///< of the parameters, likewise
    std::uint64_t steps_before = 0;         ///< of the optimizer's state
    std::uint64_t steps_done = 0;           ///< without batches whose weights are all 0
    std::size_t rows = 0;                   ///< its samples
    std::vector<std::uint32_t> order{};     ///< of this epoch, then row 0 of X, not counted
    double loss = 0, weight_of_epoch = 0;   ///< sums over this epoch: of losses and of weights
    double rate = 0, weight = 0, norm = 0;  ///< of this step; `norm` if it is asked for
    double squares = 0;                     ///< summed over this epoch, if they are reported
    std::size_t epoch = 0;                  ///< the next one
    bool begun = false;                     ///< the network knows that it is trained
    bool finished = false;                  ///< no longer trained

    /// Whether the rate of a step is that of another lane with the same schedule, too.
    bool has_rate_of(const Lane& other) const {
        const TrainOptions &own = job->options, &its = other.job->options;
        return own.optimizer.learning_rate == its.optimizer.learning_rate &&
               own.rate_factor == its.rate_factor && epoch == other.epoch;
    }
};

template <class T>
class LanePass {
public:
    /// The lanes have jobs of one `lane_key`, and orders.
    LanePass(const kernels::KernelTable<T>& kernel, std::vector<Lane<T>>& lanes, std::size_t batch)
        : kernel_(kernel), lane_kernel_(kernel.in_lanes), width_(lane_kernel_.lanes), lanes_(lanes),
          network_(*lanes[0].job->network), block_(rows_of_lane_block(network_, width_, batch)),
          sums_(network_.layout(), width_), x_(block_, network_.features(), width_),
          y_(block_, network_.outputs(), width_), targets_(block_ * width_),
          labels_(block_ * width_), losses_(block_ * width_),
          weights_(lanes[0].job->y.weights ? block_ * width_ : 0), left_out_(block_, width_),
          scaled_inputs_(*lanes[0].job, width_), outputs_(network_, width_) {
        const Layer& first = network_.layers()[0];
        if (first.input_normalization != Normalization::kNone) {
            inputs_.emplace(kernel_, first.input_normalization, !first.trainable, block_,
                            network_.features(), width_);
            input_deltas_.emplace(block_, network_.features(), width_);
        }
        for (std::size_t i = 0; i < network_.layers().size(); ++i) {
            const Layer& layer = network_.layers()[i];
            normalizations_.emplace_back(kernel_, layer.normalization, !layer.trainable, block_,
                                         layer.nodes, width_);
            nodes_.emplace_back(block_, layer.nodes, width_);
            deltas_.emplace_back(in_place(i) ? 0 : block_, layer.nodes, width_);
            const bool apart =
                keeps_z(layer.activation) || normalizes_after(i) || (drops(i) && !in_place(i));
            z_.emplace_back(apart ? block_ : 0, layer.nodes, width_);
            dropout_.emplace_back(kernel_, i, layer.dropout, drops(i) ? block_ : 0, layer.nodes,
                                  width_);
        }
        for (std::size_t b = 0; b < block_; ++b) {
            targets_[b * width_] = y_.values.data() + b * y_.stride * width_;
        }
        samples_.resize(width_);
        wanted_.resize(width_);
        for (std::size_t l = 0; l < width_; ++l) take(l);
    }
    LanePass(const LanePass&) = delete;
    LanePass& operator=(const LanePass&) = delete;

    /// Takes the samples of a lane.
    void take(std::size_t l) {
        const Lane<T>& lane = lane_of(l);
        const TrainJob<T>& job = *lane.job;
        samples_[l] = {equal_features(l), job.x.stride, lane.order.data()};
        wanted_[l] = {job.y.values.data, job.y.values.stride, lane.order.data()};
        scaled_inputs_.take(l, *job.network);
        outputs_.take(l, *job.network);
    }

    /// Adds the losses of `batch` samples from `first` on to those of the lanes' epochs, and sets
    /// the weights of the batch. Moves the running averages.
    void run(const LaneParameters<T>& parameters, LaneStatistics<T>& running, std::size_t first,
             std::size_t batch);

    /// Of the gradients over the batch, not yet divided by its weight.
    const LaneParameters<T>& sums() const { return sums_; }

private:
    void gather(std::size_t first, std::size_t rows);
    void draw(std::size_t first, std::size_t rows);
    void count(std::size_t first, std::size_t rows);
    void read_weights(std::size_t l, std::size_t first, std::size_t rows);
    void forward(const LaneParameters<T>& parameters, LaneStatistics<T>& running, std::size_t rows);
    void normalize(std::size_t i, const LaneLayer<T>& layer, LaneStatistics<T>& running,
                   std::size_t rows, LaneRows<T>& z);
    void backward(const LaneParameters<T>& parameters, LaneStatistics<T>& running, std::size_t rows,
                  bool continued);
    void backward_layer(std::size_t i, const LaneParameters<T>& parameters,
                        LaneStatistics<T>& running, std::size_t rows, bool continued);
    void multiply_back(std::size_t i, const LaneLayer<T>& layer, std::size_t rows,
                       LaneRows<T>& out);
    void output_delta(std::size_t rows);
    void limit_losses(std::size_t rows);
    void weigh(std::size_t rows);
    void account(std::size_t rows);

    /// The features of a lane, or equal ones that another lane reads: the fits of a search have
    /// copies of the same folds, of which one takes less of the cache.
    const T* equal_features(std::size_t l) const {
        const MatrixView<const T>& x = lane_of(l).job->x;
        const std::size_t row = x.cols * sizeof(T);
        for (std::size_t m = 0; m < width_; ++m) {
            const MatrixView<const T>& other = lane_of(m).job->x;
            const T* const read = samples_[m].data;
            if (m == l || read == nullptr || other.rows != x.rows || other.stride != x.stride) {
                continue;
            }
            std::size_t r = 0;
            while (read != x.data && r < x.rows &&
                   std::memcmp(read + r * x.stride, x.data + r * x.stride, row) == 0) {
                ++r;
            }
            if (read == x.data || r == x.rows) return read;
        }
        return x.data;
    }

    /// Lanes without a network repeat the first one.
    const Lane<T>& lane_of(std::size_t l) const { return lanes_[l < lanes_.size() ? l : 0]; }

    Activation activation(std::size_t i) const {
        const Activation given = network_.layers()[i].activation;
        const bool last = i + 1 == network_.layers().size();
        return last ? score_activation(network_.loss(), given) : given;
    }

    /// Whether the deltas of layer i take the place of its nodes, which tell their slopes.
    bool in_place(std::size_t i) const {
        return i + 1 < network_.layers().size() && activation(i) == Activation::kRelu &&
               !normalizes_after(i);
    }
    /// What the derivative of its activation is computed from, where it is not in place.
    LaneRows<T>& kept(std::size_t i) { return z_[i].values.size() > 0 ? z_[i] : nodes_[i]; }
    bool normalizes_after(std::size_t i) const { return normalizations_[i].after_activation(); }
    bool drops(std::size_t i) const { return network_.layers()[i].dropout > 0; }
    LaneRows<T>& delta(std::size_t i) { return in_place(i) ? nodes_[i] : deltas_[i]; }

    const kernels::KernelTable<T>& kernel_;
    const kernels::LaneKernels<T>& lane_kernel_;
    std::size_t width_;  ///< lanes of a vector
    std::vector<Lane<T>>& lanes_;
    const Network<T>& network_;  ///< the first one
    std::size_t block_;          ///< rows that are computed at a time
    LaneParameters<T> sums_;
    LaneRows<T> x_, y_;
    std::vector<LaneRows<T>> z_, nodes_, deltas_;  ///< z and deltas only where they are kept apart
    std::vector<kernels::LaneSource<T>> samples_, wanted_;  ///< rows of X and y
    std::vector<const T*> targets_;                         ///< rows of `y_`
    std::vector<std::int32_t> labels_;
    Buffer<T> losses_, weights_;  ///< of the samples, if there are weights
    LeftOut left_out_;            ///< those that do not count
    LaneInputs<T> scaled_inputs_;
    LaneOutputs<T> outputs_;
    std::vector<LaneNormalization<T>> normalizations_;
    std::optional<LaneNormalization<T>> inputs_;  ///< that of the features, if there is one,
    std::optional<LaneRows<T>> input_deltas_;     ///< and dL/d(scale x + shift) of it
    std::vector<LaneDropout<T>> dropout_;
    std::array<double, kernels::kMostLanes> batch_loss_{};  ///< summed over this batch
};

template <class T>
void LanePass<T>::run(const LaneParameters<T>& parameters, LaneStatistics<T>& running,
                      std::size_t first, std::size_t batch) {
    batch_loss_.fill(0);
    for (Lane<T>& lane : lanes_) lane.weight = 0;
    for (std::size_t done = 0; done < batch; done += block_) {
        const std::size_t rows = std::min(block_, batch - done);
        gather(first + done, rows);
        forward(parameters, running, rows);             // (1.1), (1.2)
        backward(parameters, running, rows, done > 0);  // (2.4) to (2.9), (2.12), (2.6), (2.7)
        account(rows);
    }
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        lanes_[l].loss += batch_loss_[l];
        lanes_[l].weight_of_epoch += lanes_[l].weight;
    }
}

template <class T>
void LanePass<T>::gather(std::size_t first, std::size_t rows) {
    lane_kernel_.gather(samples_.data(), first, rows, network_.features(), x_.values.data(),
                        x_.stride);
    scaled_inputs_.scale(kernel_, x_, rows);
    draw(first, rows);
    count(first, rows);
    left_out_.zero(x_);
    if (lanes_[0].job->y.labels == nullptr) {
        lane_kernel_.gather(wanted_.data(), first, rows, network_.outputs(), y_.values.data(),
                            y_.stride);
        outputs_.scale(y_, rows);
        return;
    }
    for (std::size_t b = 0; b < rows; ++b) {
        for (std::size_t l = 0; l < width_; ++l) {
            const Lane<T>& lane = lane_of(l);
            labels_[b * width_ + l] = lane.job->y.labels[lane.order[first + b]];
        }
    }
}

/// Draws the masks of dropout.
template <class T>
void LanePass<T>::draw(std::size_t first, std::size_t rows) {
    for (std::size_t i = 0; i < dropout_.size(); ++i) {
        for (std::size_t l = 0; drops(i) && l < lanes_.size(); ++l) {
            dropout_[i].draw(l, *lanes_[l].job->network, first, rows);
        }
    }
}

/// Which samples count, and how much.
template <class T>
void LanePass<T>::count(std::size_t first, std::size_t rows) {
    left_out_.clear();
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
        Lane<T>& lane = lanes_[l];
        const std::size_t own = std::min(rows, lane.rows - std::min(lane.rows, first));
        if (weights_.size() > 0) {
            read_weights(l, first, own);
        } else {
            lane.weight += static_cast<double>(own);
        }
        for (std::size_t b = own; b < rows; ++b) left_out_.add(b, l);
    }
}

template <class T>
void LanePass<T>::read_weights(std::size_t l, std::size_t first, std::size_t rows) {
    Lane<T>& lane = lanes_[l];
    for (std::size_t b = 0; b < rows; ++b) {
        const T weight = lane.job->y.weights[lane.order[first + b]];
        weights_[b * width_ + l] = weight;
        lane.weight += static_cast<double>(weight);
        if (!(weight > 0)) left_out_.add(b, l);
    }
}

template <class T>
void LanePass<T>::forward(const LaneParameters<T>& parameters, LaneStatistics<T>& running,
                          std::size_t rows) {
    const LayerLayout& first = network_.layout()[0];
    if (inputs_) {
        inputs_->forward(parameters[0].input_scales, parameters[0].input_shifts,
                         running.of(first.input_running_means, first.input_running_variances), rows,
                         left_out_, x_);
    }
    const LaneRows<T>* from = &x_;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const LaneLayer<T>& layer = parameters[i];
        const std::size_t size = rows * nodes_[i].stride * width_;
        T *const nodes = nodes_[i].values.data(), *const z = kept(i).values.data();
        const bool at_once = in_place(i) && !normalizations_[i], after = normalizes_after(i);
        lane_kernel_.forward(from->values.data(), from->stride, rows, layer.k, layer.w, layer.ldw,
                             layer.bias, layer.n, at_once, z, nodes_[i].stride);
        from = &nodes_[i];
        if (!after) normalize(i, layer, running, rows, kept(i));
        T* const h = keeps_z(activation(i)) ? nodes : z;
        if (!at_once) activate(kernel_, activation(i), z, 0, h, 0, 1, size);
        if (after && h != nodes) std::copy_n(h, size, nodes);
        if (after) normalize(i, layer, running, rows, nodes_[i]);
        if (drops(i)) dropout_[i].apply(after ? nodes : h, rows, nodes);
    }
    for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) {
        left_out_.zero(nodes_[i]);
        if (z_[i].values.size() > 0) left_out_.zero(z_[i]);
    }
}

template <class T>
void LanePass<T>::normalize(std::size_t i, const LaneLayer<T>& layer, LaneStatistics<T>& running,
                            std::size_t rows, LaneRows<T>& z) {
    if (!normalizations_[i]) return;
    const LayerLayout& its = network_.layout()[i];
    normalizations_[i].forward(layer.scales, layer.shifts,
                               running.of(its.running_means, its.running_variances), rows,
                               left_out_, z);
}

/// The deltas of each layer and its gradients, which need the nodes that the next deltas replace.
template <class T>
void LanePass<T>::backward(const LaneParameters<T>& parameters, LaneStatistics<T>& running,
                           std::size_t rows, bool continued) {
    output_delta(rows);
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        const LaneLayer<T>&layer = parameters[i], &sums = sums_[i];
        const LaneRows<T>&from = i > 0 ? nodes_[i - 1] : x_, &of = delta(i);
        lane_kernel_.gradients(from.values.data(), from.stride, of.values.data(), of.stride, rows,
                               layer.k, layer.n, continued, sums.w, sums.ldw, sums.bias);
        if (i > 0) backward_layer(i, parameters, running, rows, continued);
    }
    if (!inputs_ || !network_.layers()[0].trainable) return;
    multiply_back(0, parameters[0], rows, *input_deltas_);
    inputs_->sum_gradients(*input_deltas_, rows, continued, sums_[0].input_scales,
                           sums_[0].input_shifts);
}

/// The deltas of layer i - 1.
template <class T>
void LanePass<T>::backward_layer(std::size_t i, const LaneParameters<T>& parameters,
                                 LaneStatistics<T>& running, std::size_t rows, bool continued) {
    const std::size_t to = i - 1;
    LaneRows<T>& below = delta(to);
    LaneNormalization<T>& normalization = normalizations_[to];
    T* const out = below.values.data();
    multiply_back(i, parameters[i], rows, below);
    const auto multiply_by_slopes = [&] {
        activate_backward(kernel_, activation(to), kept(to).values.data(), 0, out, 0, 1,
                          rows * below.stride * width_);
    };
    if (!in_place(to) && !normalizes_after(to)) multiply_by_slopes();
    if (drops(to)) dropout_[to].apply(out, rows, out);
    if (!normalization) return;
    const LayerLayout& its = network_.layout()[to];
    const LaneLayer<T>& sums = sums_[to];
    normalization.sum_gradients(below, rows, continued, sums.scales, sums.shifts);
    normalization.backward(parameters[to].scales,
                           running.of(its.running_means, its.running_variances), sums.scales,
                           sums.shifts, rows, left_out_, below);
    if (normalizes_after(to)) multiply_by_slopes();
}

/// The deltas of layer i times its weights; where they are computed in place, times the slopes of
/// the nodes that they replace.
template <class T>
void LanePass<T>::multiply_back(std::size_t i, const LaneLayer<T>& layer, std::size_t rows,
                                LaneRows<T>& out) {
    const LaneRows<T>& of = delta(i);
    T* const values = out.values.data();
    lane_kernel_.backward(of.values.data(), of.stride, rows, layer.n, layer.w, layer.ldw, layer.k,
                          i > 0 && in_place(i - 1) ? values : nullptr, values, out.stride);
}

template <class T>
void LanePass<T>::output_delta(std::size_t rows) {
    const std::size_t last = nodes_.size() - 1;
    const LaneRows<T>& nodes = nodes_[last];
    LaneRows<T>& delta = deltas_[last];
    const bool labelled = lanes_[0].job->y.labels != nullptr;
    const OutputRows<T> at{rows * width_,
                           network_.outputs(),
                           nodes.values.data(),
                           nodes.stride,
                           labelled ? labels_.data() : nullptr,
                           targets_.data(),
                           delta.values.data(),
                           delta.stride,
                           losses_.data(),
                           outputs_.factors()};
    apply_loss(lane_kernel_, network_.loss(), at);
    activate_backward(kernel_, activation(last), kept(last).values.data(), 0, delta.values.data(),
                      0, 1, rows * delta.stride * width_);
    outputs_.weigh(delta, rows);
    limit_losses(rows);
    if (weights_.size() > 0) weigh(rows);
    left_out_.zero(losses_);
    left_out_.zero(delta);
}

/// As those of one network; NaN stays.
template <class T>
void LanePass<T>::limit_losses(std::size_t rows) {
    const auto limit = static_cast<T>(lanes_[0].by->loss_limit);
    if (!(limit < Conventions::kUnlimited)) return;
    for (std::size_t i = 0; i < rows * width_; ++i) {
        if (losses_[i] > limit) losses_[i] = limit;
    }
}

/// Multiplies losses and output deltas by the weights of the samples; those of weight 0 become 0.
template <class T>
void LanePass<T>::weigh(std::size_t rows) {
    LaneRows<T>& delta = deltas_.back();
    const std::size_t outputs = network_.outputs();
    for (std::size_t b = 0; b < rows; ++b) {
        const T* const weights = weights_.data() + b * width_;
        T *const losses = losses_.data() + b * width_, *const row = delta.values.data() +
                                                                    b * delta.stride * width_;
        const auto weighted = [](T value, T weight) {
            const T product = value * weight;
            return weight > 0 ? product : T(0);
        };
        for (std::size_t l = 0; l < width_; ++l) losses[l] = weighted(losses[l], weights[l]);
        for (std::size_t j = 0; j < outputs; ++j) {
            T* const deltas = row + j * width_;
            for (std::size_t l = 0; l < width_; ++l) deltas[l] = weighted(deltas[l], weights[l]);
        }
    }
}

/// Adds the losses of each network, in order.
template <class T>
void LanePass<T>::account(std::size_t rows) {
    for (std::size_t b = 0; b < rows; ++b) {
        const T* losses = losses_.data() + b * width_;
        for (std::size_t l = 0; l < width_; ++l) batch_loss_[l] += static_cast<double>(losses[l]);
    }
}

}  // namespace fastmlp
