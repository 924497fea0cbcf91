#include "propagation/activation.hpp"

#include <algorithm>

namespace fastmlp {

using kernels::KernelTable;

template <class T>
void activate(const KernelTable<T>& kernel, Activation activation, const T* z, std::size_t ldz,
              T* nodes, std::size_t ldn, std::size_t rows, std::size_t n) {
    switch (activation) {
        case Activation::kIdentity:
            if (nodes == z) break;
            for (std::size_t b = 0; b < rows; ++b) std::copy_n(z + b * ldz, n, nodes + b * ldn);
            break;
        case Activation::kRelu: kernel.relu(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kLeakyRelu: kernel.leaky_relu(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kElu: kernel.elu(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kGelu: kernel.gelu(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kSilu: kernel.silu(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kSigmoid: kernel.sigmoid(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kTanh: kernel.tanh(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kSoftplus: kernel.softplus(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kExp: kernel.exp(z, ldz, nodes, ldn, rows, n); break;
        case Activation::kSoftmax: kernel.softmax(z, ldz, nodes, ldn, rows, n); break;
    }
}

template <class T>
void activate_backward(const KernelTable<T>& kernel, Activation activation, const T* from,
                       std::size_t ldf, T* delta, std::size_t ldd, std::size_t rows,
                       std::size_t n) {
    switch (activation) {
        case Activation::kRelu: kernel.relu_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kLeakyRelu:
            kernel.leaky_relu_backward(from, ldf, delta, ldd, rows, n);
            break;
        case Activation::kElu: kernel.elu_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kGelu: kernel.gelu_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kSilu: kernel.silu_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kSigmoid: kernel.sigmoid_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kTanh: kernel.tanh_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kSoftplus: kernel.softplus_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kExp: kernel.exp_backward(from, ldf, delta, ldd, rows, n); break;
        case Activation::kIdentity:
        case Activation::kSoftmax: break;  // softmax: (2.9) already holds its derivative
    }
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template void activate(const KernelTable<T>&, Activation, const T*, std::size_t, T*,          \
                           std::size_t, std::size_t, std::size_t);                                \
    template void activate_backward(const KernelTable<T>&, Activation, const T*, std::size_t, T*, \
                                    std::size_t, std::size_t, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
