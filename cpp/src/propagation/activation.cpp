#include "propagation/activation.hpp"

#include <algorithm>

namespace fastmlp {
namespace {

using kernels::KernelTable;

/// The kernels of an activation: h, times h', times h''; null if there is nothing to compute, as in
/// straight pieces, whose h'' is 0.
template <class T>
struct ActivationKernels {
    typename KernelTable<T>::Forward forward = nullptr;
    typename KernelTable<T>::Backward backward = nullptr, curve = nullptr;
};

template <class T>
ActivationKernels<T> kernels_of(const KernelTable<T>& kernel, Activation::Kind kind) {
    switch (kind) {
        case Activation::kIdentity: return {};
        case Activation::kRelu: return {kernel.relu, kernel.relu_backward};
        case Activation::kLeakyRelu: return {kernel.leaky_relu, kernel.leaky_relu_backward};
        case Activation::kElu: return {kernel.elu, kernel.elu_backward, kernel.elu_curve};
        case Activation::kSelu: return {kernel.selu, kernel.selu_backward, kernel.selu_curve};
        case Activation::kGelu: return {kernel.gelu, kernel.gelu_backward, kernel.gelu_curve};
        case Activation::kGeluTanh:
            return {kernel.gelu_tanh, kernel.gelu_tanh_backward, kernel.gelu_tanh_curve};
        case Activation::kSilu: return {kernel.silu, kernel.silu_backward, kernel.silu_curve};
        case Activation::kMish: return {kernel.mish, kernel.mish_backward, kernel.mish_curve};
        case Activation::kRelu6: return {kernel.relu6, kernel.relu6_backward};
        case Activation::kHardswish:
            return {kernel.hardswish, kernel.hardswish_backward, kernel.hardswish_curve};
        case Activation::kSigmoid:
            return {kernel.sigmoid, kernel.sigmoid_backward, kernel.sigmoid_curve};
        case Activation::kTanh: return {kernel.tanh, kernel.tanh_backward, kernel.tanh_curve};
        case Activation::kSoftplus:
            return {kernel.softplus, kernel.softplus_backward, kernel.softplus_curve};
        case Activation::kExp: return {kernel.exp, kernel.exp_backward, kernel.exp_curve};
        case Activation::kSoftmax: return {kernel.softmax};  // (2.9) includes its derivative
    }
    return {};
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

template <class T>
bool is_curved(const KernelTable<T>& kernel, Activation activation) {
    return kernels_of(kernel, activation.kind).curve != nullptr;
}

template <class T>
void activate_curve(const KernelTable<T>& kernel, Activation activation, const T* from,
                    std::size_t ldf, T* values, std::size_t ldv, std::size_t rows, std::size_t n) {
    kernels_of(kernel, activation.kind)
        .curve(from, ldf, values, ldv, rows, n, static_cast<T>(activation.parameter));
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template bool is_curved(const KernelTable<T>&, Activation);                                   \
    template void activate_curve(const KernelTable<T>&, Activation, const T*, std::size_t, T*,    \
                                 std::size_t, std::size_t, std::size_t);                          \
    template void activate(const KernelTable<T>&, Activation, const T*, std::size_t, T*,          \
                           std::size_t, std::size_t, std::size_t);                                \
    template void activate_backward(const KernelTable<T>&, Activation, const T*, std::size_t, T*, \
                                    std::size_t, std::size_t, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
