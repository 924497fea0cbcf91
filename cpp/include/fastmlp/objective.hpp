/// A network's loss over fixed samples and its gradient, for optimizers outside this library.
#pragma once

#include <memory>

#include "fastmlp/export.h"
#include "fastmlp/network.hpp"
#include "fastmlp/raw_view.hpp"

namespace fastmlp {

/// The mean loss and its gradient by all parameters, with the bits of `Network::forward` without
/// training and `Network::backward`, in memory for as many rows as fit into the cache. A custom
/// loss sees all rows at once, and needs memory for all of them.
///
/// The memory of a call is kept for the next one.
template <class T>
class FASTMLP_API Objective {
public:
    /// Of `network`, which must stay where it is; of it, this changes the gradients.
    explicit Objective(Network<T>& network);
    ~Objective();
    Objective(Objective&&) noexcept;
    Objective& operator=(Objective&&) noexcept;

    /// Returns the mean loss of x (B, features) and y, with the parameters as they are now; its
    /// gradient is in `Network::gradients` then, 0 for frozen layers. Unless `outputs` is empty, it
    /// receives the outputs (B, N); rows of weight 0 are left as they are. At most `n_threads`
    /// threads (0: the process's limit). std::invalid_argument for what does not fit.
    double compute(MatrixView<const T> x, const Targets<T>& y, MatrixView<T> outputs = {},
                   int n_threads = 0);
    double compute(const RawView<T>& x, const Targets<T>& y, MatrixView<T> outputs = {},
                   int n_threads = 0);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

extern template class Objective<float>;
extern template class Objective<double>;

}  // namespace fastmlp
