/// Optimizers: plain data; the arithmetic is in the kernels.
#pragma once

namespace fastmlp {

/// Stochastic gradient descent (2.13), (2.14): w = fma(-learning_rate, gradient, w).
struct Sgd {
    double learning_rate = 0.1;
};

}  // namespace fastmlp
