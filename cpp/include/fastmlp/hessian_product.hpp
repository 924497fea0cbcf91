/// Products of the Hessian of a network's loss with vectors, for second-order methods.
#pragma once

#include <memory>
#include <span>

#include "fastmlp/export.h"
#include "fastmlp/network.hpp"
#include "fastmlp/raw_view.hpp"

namespace fastmlp {

/// Exact products H v (Pearlmutter 1994), in about twice the time of a gradient. H are the
/// second derivatives of the mean loss, as `Network::backward` computes it after a `forward` that
/// is not in training, by all parameters as they are now. Layers that are not trainable are
/// constants: 0 in v and in the product. At a kink it is the second derivative of the piece whose
/// slope `backward` takes.
///
/// The memory of a product is kept for the next one.
template <class T>
class FASTMLP_API HessianProduct {
public:
    /// Of `network`, which must stay where it is, and which this does not change.
    explicit HessianProduct(const Network<T>& network);
    ~HessianProduct();
    HessianProduct(HessianProduct&&) noexcept;
    HessianProduct& operator=(HessianProduct&&) noexcept;

    /// H v of the loss of x (B, features) and y into `out`, both flat like `parameters`, on at most
    /// `n_threads` threads (0: the process's limit). std::invalid_argument for what does not fit,
    /// for networks with normalizations and for custom losses.
    void compute(MatrixView<const T> x, const Targets<T>& y, std::span<const T> v, std::span<T> out,
                 int n_threads = 0);
    void compute(const RawView<T>& x, const Targets<T>& y, std::span<const T> v, std::span<T> out,
                 int n_threads = 0);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

extern template class HessianProduct<float>;
extern template class HessianProduct<double>;

}  // namespace fastmlp
