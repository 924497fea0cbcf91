/// Optimizers: plain data; the arithmetic is in the kernels.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "fastmlp/buffer.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// How a gradient g changes a parameter w. The formulas and defaults are those of torch.optim,
/// except that the default learning_rate is the same for all kinds.
///
///   SGD       w -= rate g                                            (2.13), (2.14)
///     with momentum: u = momentum u + g, w -= rate u; nesterov: w -= rate (g + momentum u)
///   Adam      u = mean of g, s = mean of g g, both decaying (beta_1, beta_2) and corrected for
///             their start at 0: w -= rate u / (sqrt(s) + epsilon)
///   RMSprop   s = mean of g g, decaying (rho): w -= rate g / (sqrt(s) + epsilon)
///
/// Before this, g is modified in this order: clip_norm, clip_value, + l1 sign(w), + l2 w. Decoupled
/// from g, w is reduced by rate * weight_decay * w (AdamW).
struct Optimizer {
    enum class Kind { kSgd, kAdam, kRmsprop };
    static constexpr double kUnlimited = std::numeric_limits<double>::infinity();

    Kind kind = Kind::kSgd;
    double learning_rate = 0.1;
    double momentum = 0;  ///< of SGD and RMSprop
    bool nesterov = false;
    double beta_1 = 0.9, beta_2 = 0.999;  ///< of Adam
    double rho = 0.99;                    ///< of RMSprop
    double epsilon = 1e-8;
    double l1 = 0, l2 = 0, weight_decay = 0;
    double clip_value = kUnlimited;  ///< limit of every |g|
    double clip_norm = kUnlimited;   ///< limit of the Euclidean norm of all gradients
    bool decay_biases = true;        ///< l1, l2, weight_decay also for biases, scales, shifts

    /// Which buffers (u, s) it keeps per parameter.
    bool has_first() const { return momentum != 0 || kind == Kind::kAdam; }
    bool has_second() const { return kind != Kind::kSgd; }
};

/// Throws std::invalid_argument if a number is out of its range.
FASTMLP_API void check_optimizer(const Optimizer& optimizer);

/// The state of an optimizer, in the layout of the parameters; null if it needs none. It belongs to
/// the network, so that a second training continues the first.
template <class T>
struct OptimizerState {
    Optimizer::Kind kind = Optimizer::Kind::kSgd;
    std::shared_ptr<Buffer<T>> first;   ///< u: velocity, or mean of the gradients
    std::shared_ptr<Buffer<T>> second;  ///< s: mean of the squared gradients
    std::uint64_t steps = 0;            ///< since they were 0
};

/// The exponential moving average of parameters and statistics after each step: those of k steps
/// ago have decay^k times the weight of the last. Null before a training with TrainOptions::ema.
template <class T>
struct MovingAverage {
    double decay = 0;
    std::shared_ptr<Buffer<T>> parameters, statistics;  ///< in the layouts of the network's
    std::uint64_t steps = 0;                            ///< in the average
};

}  // namespace fastmlp
