/// A feed-forward network: one contiguous parameter buffer, and the paper's three steps over it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/executor.hpp"
#include "fastmlp/export.h"
#include "fastmlp/layer.hpp"
#include "fastmlp/layout.hpp"
#include "fastmlp/matrix.hpp"
#include "fastmlp/optimizer.hpp"
#include "fastmlp/raw_view.hpp"
#include "fastmlp/relaxed.hpp"

namespace fastmlp {

template <class T>
struct Workspace;
template <class T>
struct Features;
template <class T>
class EpochEnd;
template <class T>
class FASTMLP_API TrainStep;  // as clang decides here what is exported
template <class T>
class FASTMLP_API Objective;

/// The result of `Network::evaluate`.
struct Evaluation {
    double loss = 0;            ///< weighted mean over the samples
    std::size_t correct = 0;    ///< decisions that are right, but for samples of weight 0
    std::size_t decisions = 0;  ///< samples (cross-entropy: first largest output), samples *
                                ///< outputs (binary: above one half), or 0 for all other losses
    std::vector<Evaluation> heads{};  ///< of each by itself, if there are heads
};

/// What people call the features, and what the outputs decide between; empty where they have no
/// names. Names are UTF-8 without NUL, and unique.
struct Names {
    std::vector<std::string> features;
    std::vector<std::string> classes;  ///< one for each output; two for a single one

    bool operator==(const Names&) const = default;
};

template <class T>
class FASTMLP_API Network {
public:
    /// Initial weights from `seed`: He before rectifiers, Glorot otherwise; biases zero.
    Network(std::size_t features, std::vector<Layer> layers, Loss loss, std::uint64_t seed);
    /// With heads, whose nodes are those of the last layer, of identity. The outputs are those of
    /// the heads in their order, and so are the columns of the targets, `Targets::of_values`: as
    /// many numbers as outputs, or one label for each head of cross-entropy and the numbers of the
    /// others, see `target_count`. In training the numbers of all outputs may be followed by a
    /// factor for the loss of each head, at least 0, such as the weight of the sample's class.
    Network(std::size_t features, std::vector<Layer> layers, std::vector<Head> heads,
            std::uint64_t seed);
    ~Network();
    Network(Network&&) noexcept;
    Network& operator=(Network&&) noexcept;

    std::size_t features() const { return features_; }
    std::size_t outputs() const { return layers_.back().nodes; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Layout& layout() const { return layout_; }
    /// Not allowed during training. A frozen layer keeps every bit of its parameters and of its
    /// running averages, by which it normalises; its gradients are not computed, and its part of
    /// the optimizer's state does not change. If every layer is frozen, updates and training throw
    /// std::invalid_argument.
    void set_trainable(std::size_t layer, bool trainable);
    /// The learning rate is multiplied by this for the layer; above 0.
    void set_rate_factor(std::size_t layer, double factor);

    Loss loss() const { return loss_; }
    /// Empty if the outputs have one activation and one loss.
    const std::vector<Head>& heads() const { return heads_; }

    std::uint64_t seed() const { return seed_; }
    /// Epochs trained so far: with the seed, the position of the sample order.
    std::uint32_t epoch() const { return epoch_; }
    void set_epoch(std::uint32_t epoch);
    /// Samples of this epoch that single steps have used, which determines their dropout masks.
    std::size_t position() const { return position_; }
    void set_position(std::size_t samples);

    /// Throws std::invalid_argument if a name is invalid, or there are too few or too many.
    void set_names(Names names);
    const Names& names() const { return names_; }

    /// Sets the scaling of the features: x becomes fma(x, scale, offset) before the first layer, as
    /// for a RawView with these. Sparse elements become x * scale; with offsets, sparse rows are
    /// refused. The scales of a RawView take precedence. Empty spans remove the scaling; an
    /// existing buffer is reused. Throws std::invalid_argument unless there is one of each for
    /// each feature.
    void set_input_scaling(std::span<const T> scales, std::span<const T> offsets);
    /// Sets the scaling of the outputs, which must be of identity: h becomes fma(h, scale, offset),
    /// and a target y of training (y - offset) / scale, or 0 if scale is 0. Deltas, gradients and
    /// the loss of `backward` are then those for the scaled targets; `train` and `evaluate` report
    /// losses in units of y: docs/arithmetic.md has the formula. Of heads only those of identity
    /// are scaled: the others have a scale of 1 and an offset of 0.
    void set_output_scaling(std::span<const T> scales, std::span<const T> offsets);
    /// The scales of all columns, then the offsets, live; null if nothing is scaled. Training does
    /// not change them.
    const std::shared_ptr<Buffer<T>>& input_scaling() const { return input_scaling_; }
    const std::shared_ptr<Buffer<T>>& output_scaling() const { return output_scaling_; }

    /// Sets a weight for each output: the loss of a sample is the sum of the losses of its outputs,
    /// each times its weight, divided by their number as without weights. An output of weight 0 is
    /// not trained: no bit depends on its targets, which may be anything. Of the losses that are a
    /// mean over the outputs: std::invalid_argument for cross-entropy, a custom loss and heads, if
    /// there is not one weight for each output, or they are below 0, all 0, or above the root of
    /// the largest number, as losses would overflow. An empty span removes them; an existing buffer
    /// is reused. A `Targets::of_gradient` is not weighted.
    void set_loss_weights(std::span<const T> weights);
    /// Those, live; null without.
    const std::shared_ptr<Buffer<T>>& loss_weights() const { return loss_weights_; }

    /// Flat buffers in layout order, each a range for std::span; shared, so that a view may outlive
    /// the network.
    const std::shared_ptr<Buffer<T>>& parameters() const { return parameters_; }
    const std::shared_ptr<Buffer<T>>& gradients() const { return gradients_; }
    /// Running means and variances of batch-normalised layers, used in prediction.
    const std::shared_ptr<Buffer<T>>& statistics() const { return statistics_; }
    /// Live views into the two buffers: weights (K, N) in C order, biases (N,) of layer i.
    /// std::invalid_argument if there is none.
    std::span<T> weights(std::size_t i) { return view(*parameters_, layout_.at(i).weights); }
    std::span<T> biases(std::size_t i) { return view(*parameters_, layout_.at(i).biases); }
    std::span<T> weight_gradients(std::size_t i) {
        return view(*gradients_, layout_.at(i).weights);
    }
    std::span<T> bias_gradients(std::size_t i) { return view(*gradients_, layout_.at(i).biases); }
    std::span<const T> weights(std::size_t i) const {
        return view(*parameters_, layout_.at(i).weights);
    }
    std::span<const T> biases(std::size_t i) const {
        return view(*parameters_, layout_.at(i).biases);
    }

    /// (1.2): nodes of every layer for the batch x (B, features), which is borrowed until the next
    /// call. With `training` as in a step of `train`: normalised by this batch, whose moments
    /// update the running averages if it has more than one row, and with the dropout masks of the
    /// next B samples of the epoch. Without it as in `predict`, and without effect on the network.
    /// Rows of weight 0 are left out: `weights` (B,) are those of `backward`, null for 1 each. The
    /// three steps use as many threads as are worthwhile, at most `n_threads` (0: the process's
    /// limit). TrainStep takes all three at once and allocates nothing.
    void forward(MatrixView<const T> x, bool training = true, const T* weights = nullptr,
                 int n_threads = 0);
    void forward(const RawView<T>& x, bool training = true, const T* weights = nullptr,
                 int n_threads = 0);
    /// (2.8)-(2.12) for the last forward: deltas of all layers, and gradients, which are 0 for
    /// frozen layers; returns the mean loss. If y has weights of 0 that `forward` did not have, the
    /// forward pass is repeated without those rows; the running averages then include them. If all
    /// weights are 0, so are the gradients and the loss. With `Targets::of_gradient` gradients are
    /// sums over the rows, and the loss is 0.
    double backward(const Targets<T>& y, int n_threads = 0);
    /// Outputs of layer i, counted from 0, in the last `forward`, and dL/dz (N) of each row in the
    /// last `backward`, both (rows that count, N) and valid until the next `forward`.
    /// std::logic_error before it; for deltas also after an update.
    MatrixView<const T> nodes(std::size_t i) const;
    MatrixView<const T> deltas(std::size_t i) const;
    /// (B, features): after `backward`, the derivatives of each sample's loss with respect to its
    /// features, times its weight, not divided by B, without rows of weight 0. Computed when
    /// called, from the current weights: std::logic_error after an update. Valid until the next
    /// forward.
    MatrixView<const T> feature_gradients();
    /// (2.13), (2.14) with the gradients in the buffer; does not change the optimizer's state.
    void update(double learning_rate, int n_threads = 0);
    /// One step of `optimizer` with the gradients in the buffer.
    void update(const Optimizer& optimizer, int n_threads = 0);
    /// The state of the last optimizer, such as its moments.
    OptimizerState<T>& optimizer_state() { return optimizer_state_; }
    const OptimizerState<T>& optimizer_state() const { return optimizer_state_; }
    void set_optimizer_state(OptimizerState<T> state);
    /// Keeps the state if it is of `optimizer`'s kind, with the buffers that it needs; otherwise
    /// starts a new one of zeros.
    void prepare_optimizer(const Optimizer& optimizer);
    /// The moving average of the parameters, if a training made one. The next training continues
    /// it if its decay is the same.
    MovingAverage<T>& moving_average() { return average_; }
    const MovingAverage<T>& moving_average() const { return average_; }
    /// Throws std::invalid_argument unless the buffers are null or have the sizes of the network's.
    void set_moving_average(MovingAverage<T> average);
    /// Keeps the average if it has this decay, otherwise starts a new one.
    void prepare_moving_average(double decay);
    /// Whether a step of this optimizer would continue its last one.
    bool has_state_for(const Optimizer& optimizer) const;
    /// An independent network with the parameters, statistics, scaling, loss weights, names, seed
    /// and epoch of this one. With `with_optimizer`, also the optimizer's state and the moving
    /// average, so that both continue training with the same bits.
    Network copy(bool with_optimizer = false) const;
    /// A network of the same layers, loss, statistics, scaling, loss weights, names and epoch, with
    /// another seed, whose parameters are those of `parameters`, live. std::invalid_argument unless
    /// that has the size of the layout.
    Network sibling(std::shared_ptr<Buffer<T>> parameters, std::uint64_t seed) const;
    /// A copy with the moving averages of parameters and statistics in their place. Throws
    /// std::invalid_argument if there are none.
    Network averaged() const;
    /// Parameters and statistics move towards those of another network by `tau`, from 0 to 1: they
    /// become (1 - tau) times their own plus tau times the other's. std::invalid_argument that
    /// names the first difference if the networks differ in sizes, activations, normalizations,
    /// loss or scaling, which does not move.
    void soft_update(const Network& source, double tau);
    /// Copies the state of a network with the same layers into the existing buffers: parameters,
    /// statistics, scaling, seed, epoch, moving average and the optimizer's state.
    void assign(const Network& other);

    /// The last forward's nodes (p = 1..L) and backward's deltas (i = 0..L-1); null before it.
    const std::shared_ptr<Workspace<T>>& workspace() const { return workspace_; }

    /// Outputs (B, N) into `out`. Const and reentrant; at most `n_threads` threads (0: the limit),
    /// of the executor if there is one.
    void predict(MatrixView<const T> x, MatrixView<T> out, int n_threads = 0,
                 const Executor* executor = nullptr) const;
    void predict(const RawView<T>& x, MatrixView<T> out, int n_threads = 0,
                 const Executor* executor = nullptr) const;
    void predict(const SparseView<T>& x, MatrixView<T> out, int n_threads = 0,
                 const Executor* executor = nullptr) const;
    /// Loss and correct decisions on x against y. Const and reentrant.
    Evaluation evaluate(MatrixView<const T> x, const Targets<T>& y, int n_threads = 0,
                        const Executor* executor = nullptr) const;
    Evaluation evaluate(const RawView<T>& x, const Targets<T>& y, int n_threads = 0,
                        const Executor* executor = nullptr) const;
    Evaluation evaluate(const SparseView<T>& x, const Targets<T>& y, int n_threads = 0,
                        const Executor* executor = nullptr) const;

    /// d outputs / d features as `predict` computes: rows (N b + n) of `out` (B N, features) are
    /// those of output n for sample b. Const and reentrant.
    void jacobian(MatrixView<const T> x, MatrixView<T> out, int n_threads = 0) const;
    void jacobian(const RawView<T>& x, MatrixView<T> out, int n_threads = 0) const;
    /// The gradient of each sample's loss, as `evaluate` computes it, with respect to its features,
    /// times its weight, into `out` (B, features). Not of a custom loss: std::invalid_argument.
    /// Const and reentrant.
    void input_gradient(MatrixView<const T> x, const Targets<T>& y, MatrixView<T> out,
                        int n_threads = 0) const;
    void input_gradient(const RawView<T>& x, const Targets<T>& y, MatrixView<T> out,
                        int n_threads = 0) const;

    /// While another thread is inside `train` of this network: the network at the end of the last
    /// epoch, or at the start of the training, for as long as the caller keeps it. Besides the
    /// sizes, seed and epoch, this is the only member that may be called then. Null if the network
    /// is not being trained, or if no copy was kept, which `train` always does, and no epoch ended
    /// within `patience`.
    std::shared_ptr<const Network> last_epoch_end(
        std::chrono::milliseconds patience = std::chrono::milliseconds(0)) const;
    /// Where a training records that an epoch ended.
    EpochEnd<T>& epoch_end() const { return *epoch_end_; }

private:
    void forward_rows(const Features<T>& x, bool training, const T* weights, int n_threads);
    void propagate(const Features<T>& x, bool training, const T* weights, int n_threads);
    void changed();
    friend class EpochEnd<T>;
    friend class TrainStep<T>;
    friend class Objective<T>;

    /// A network of the same layers, loss, seed and epoch, whose parameters are all 0.
    struct Like {
        const Network& network;
    };
    explicit Network(Like other);
    Network(Like other, std::shared_ptr<Buffer<T>> parameters);
    void initialize();
    void copy_column_settings(const Network& other);

    static std::span<T> view(Buffer<T>& buffer, const Parameter& part) {
        return {buffer.data() + part.offset, part.size()};
    }

    std::size_t features_;
    std::vector<Layer> layers_;
    Layout layout_;
    Loss loss_;
    std::vector<Head> heads_;
    Names names_;
    Relaxed<std::uint64_t> seed_;
    Relaxed<std::uint32_t> epoch_;
    Relaxed<std::size_t> position_;
    std::shared_ptr<Buffer<T>> parameters_;
    std::shared_ptr<Buffer<T>> gradients_;
    std::shared_ptr<Buffer<T>> statistics_;
    std::shared_ptr<Buffer<T>> input_scaling_, output_scaling_, loss_weights_;
    OptimizerState<T> optimizer_state_;
    MovingAverage<T> average_;
    std::shared_ptr<Workspace<T>> workspace_;
    std::unique_ptr<EpochEnd<T>> epoch_end_;
};

extern template class Network<float>;
extern template class Network<double>;

}  // namespace fastmlp
