#include "propagation/activation.hpp"

#include <algorithm>

namespace fastmlp {
namespace {

using kernels::KernelTable;

/// The kernels of an activation, forward and backward; null if there is nothing to compute.
template <class T>
struct Pair {
    typename KernelTable<T>::Forward forward;
    typename KernelTable<T>::Backward backward;
};

template <class T>
Pair<T> kernels_of(const KernelTable<T>& kernel, Activation::Kind kind) {
    switch (kind) {
        case Activation::kIdentity: return {nullptr, nullptr};
        case Activation::kRelu: return {kernel.relu, kernel.relu_backward};
        case Activation::kLeakyRelu: return {kernel.leaky_relu, kernel.leaky_relu_backward};
        case Activation::kElu: return {kernel.elu, kernel.elu_backward};
        case Activation::kSelu: return {kernel.selu, kernel.selu_backward};
        case Activation::kGelu: return {kernel.gelu, kernel.gelu_backward};
        case Activation::kGeluTanh: return {kernel.gelu_tanh, kernel.gelu_tanh_backward};
        case Activation::kSilu: return {kernel.silu, kernel.silu_backward};
        case Activation::kMish: return {kernel.mish, kernel.mish_backward};
        case Activation::kRelu6: return {kernel.relu6, kernel.relu6_backward};
        case Activation::kHardswish: return {kernel.hardswish, kernel.hardswish_backward};
        case Activation::kSigmoid: return {kernel.sigmoid, kernel.sigmoid_backward};
        case Activation::kTanh: return {kernel.tanh, kernel.tanh_backward};
        case Activation::kSoftplus: return {kernel.softplus, kernel.softplus_backward};
        case Activation::kExp: return {kernel.exp, kernel.exp_backward};
        case Activation::kSoftmax:
            return {kernel.softmax, nullptr};  // (2.9) includes its derivative
    }
    return {nullptr, nullptr};
}

}  // namespace

template <class T>
void activate(const KernelTable<T>& kernel, Activation activation, const T* z, std::size_t ldz,
              T* nodes, std::size_t ldn, std::size_t rows, std::size_t n) {
    if (const auto forward = kernels_of(kernel, activation.kind).forward) {
        forward(z, ldz, nodes, ldn, rows, n, static_cast<T>(activation.parameter));
    } else if (nodes != z) {
        for (std::size_t b = 0; b < rows; ++b) std::copy_n(z + b * ldz, n, nodes + b * ldn);
    }
}

template <class T>
void activate_backward(const KernelTable<T>& kernel, Activation activation, const T* from,
                       std::size_t ldf, T* delta, std::size_t ldd, std::size_t rows,
                       std::size_t n) {
    if (const auto backward = kernels_of(kernel, activation.kind).backward) {
        backward(from, ldf, delta, ldd, rows, n, static_cast<T>(activation.parameter));
    }
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template void activate(const KernelTable<T>&, Activation, const T*, std::size_t, T*,          \
                           std::size_t, std::size_t, std::size_t);                                \
    template void activate_backward(const KernelTable<T>&, Activation, const T*, std::size_t, T*, \
                                    std::size_t, std::size_t, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
