#include "propagation/dense.hpp"

#include <algorithm>
#include <utility>

namespace fastmlp {
namespace {

using kernels::Epilogue;
using kernels::KernelTable;
using kernels::kNarrow;
using kernels::kPad;
using kernels::kPanel;

/// Length of a reduction block: a panel of this many rows stays in the L2 cache while the batch is
/// processed. Partial sums continue from memory, which does not change the bits.
constexpr std::size_t kDepth = 512;
/// Below this number of rows, transposing the weights costs more than it saves.
constexpr std::size_t kFewRows = 8;
/// Rows this far apart share a few cache sets.
template <class T>
bool aliases(std::size_t stride) {
    return stride * sizeof(T) % 4096 == 0;
}

/// One panel of outputs, in steps of kDepth along the reduction.
template <class T>
struct PanelProduct {
    const KernelTable<T>& kernel;
    const T* const* a;
    std::size_t rows;
    const T* init;
    std::size_t width;
    T* out;
    std::size_t ldo;
    Epilogue epilogue;
    const T* nodes;
    std::size_t ldn;
    Poll* poll;

    /// Sums over k = 0..count-1; w(k, depth) gives (pointer, stride) of `depth` rows of the panel.
    template <class Weights>
    void run(std::size_t count, Weights weights) const {
        for (std::size_t k = 0; k < count; k += kDepth) {
            const std::size_t depth = std::min(kDepth, count - k);
            const bool last = k + depth == count;
            const auto [w, ldw] = weights(k, depth);
            kernel.product(a, rows, k, depth, w, ldw, k == 0 ? init : nullptr, width, out, ldo,
                           last ? epilogue : Epilogue::kNone, nodes, ldn);
            if (poll) poll->worked(2.0 * static_cast<double>(rows * depth * width));
        }
    }
};

template <class T>
void narrow_forward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const T* const* a, std::size_t rows, T* nodes, std::size_t ldn,
                    Scratch<T>& scratch) {
    if (layer.transposed) {
        kernel.narrow_forward(a, rows, layer.k, layer.w, layer.ldw, layer.biases, layer.n, nodes,
                              ldn);
    } else if (rows < kFewRows) {
        kernel.narrow_forward_natural(a, rows, layer.k, layer.w, layer.ldw, layer.biases, layer.n,
                                      nodes, ldn);
    } else {
        const std::size_t ldt = padded(layer.k);
        T* transposed = room(scratch, kPad * ldt);
        kernel.transpose(layer.w, layer.ldw, layer.k, layer.n, transposed, ldt);
        kernel.narrow_forward(a, rows, layer.k, transposed, ldt, layer.biases, layer.n, nodes, ldn);
    }
}

}  // namespace

template <class T>
void dense_forward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                   Activation activation, const T* const* a, Range range, Range columns, T* nodes,
                   std::size_t ldn, Scratch<T>& scratch, Poll* poll) {
    const std::size_t rows = range.size();
    if (rows == 0) return;
    a += range.first;
    nodes += range.first * ldn;
    if (layer.n <= kNarrow) {
        narrow_forward(kernel, layer, a, rows, nodes, ldn, scratch);
        activate(kernel, activation, nodes, ldn, nodes, ldn, rows, layer.n);
        return;
    }
    const bool relu = activation == Activation::kRelu;
    const Epilogue epilogue = relu ? Epilogue::kRelu : Epilogue::kNone;
    if (rows == 1) {
        kernel.product(a, 1, 0, layer.k, layer.w, layer.ldw, layer.biases, padded(layer.n), nodes,
                       ldn, epilogue, nodes, ldn);
    } else {
        const bool pack = aliases<T>(layer.ldw) && rows > 2 * kFewRows;
        for_each_panel(columns.size(), [&](std::size_t first, std::size_t width) {
            const std::size_t n = columns.first + first;
            const PanelProduct<T> product{kernel,    a,         rows, layer.biases + n,
                                          width,     nodes + n, ldn,  epilogue,
                                          nodes + n, ldn,       poll};
            product.run(layer.k, [&](std::size_t k, std::size_t depth) {
                const T* w = layer.w + k * layer.ldw + n;
                if (!pack) return std::pair{w, layer.ldw};
                T* panel = room(scratch, kDepth * kPanel);
                for (std::size_t i = 0; i < depth; ++i) {
                    std::copy_n(w + i * layer.ldw, width, panel + i * kPanel);
                }
                return std::pair{static_cast<const T*>(panel), kPanel};
            });
        });
    }
    if (!relu) activate(kernel, activation, nodes, ldn, nodes, ldn, rows, layer.n);
}

template <class T>
void dense_backward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const Rows<T>& delta, Range range, Range columns,
                    Activation previous_activation, Rows<T>& previous, Rows<T>& previous_delta,
                    Scratch<T>& scratch, Poll* poll) {
    // Never destroyed: threads may compute until the process ends.
    static const Buffer<T>& kZeros = *new const Buffer<T>(kPanel);
    const std::size_t rows = range.size();
    if (rows == 0) return;
    const bool relu = previous_activation == Activation::kRelu;
    T* out = previous_delta.row(range.first);
    const T* nodes = previous.row(range.first);
    for_each_panel(columns.size(), [&](std::size_t first, std::size_t width) {
        const std::size_t k = columns.first + first;
        const PanelProduct<T> product{kernel,
                                      delta.pointers.data() + range.first,
                                      rows,
                                      kZeros.data(),
                                      width,
                                      out + k,
                                      previous_delta.stride,
                                      relu ? Epilogue::kReluMask : Epilogue::kNone,
                                      nodes + k,
                                      previous.stride,
                                      poll};
        product.run(layer.n, [&](std::size_t n, std::size_t depth) {
            if (layer.transposed) return std::pair{layer.w + n * layer.ldw + k, layer.ldw};
            T* panel = room(scratch, kDepth * kPanel);
            kernel.transpose(layer.w + k * layer.ldw + n, layer.ldw, std::min(width, layer.k - k),
                             depth, panel, kPanel);
            return std::pair{static_cast<const T*>(panel), kPanel};
        });
    });
    if (!relu) {
        activate_backward(kernel, previous_activation, nodes, previous.stride, out,
                          previous_delta.stride, rows, layer.k);
    }
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void dense_forward(const KernelTable<T>&, const DenseView<const T>&, Activation,      \
                                const T* const*, Range, Range, T*, std::size_t, Scratch<T>&,       \
                                Poll*);                                                            \
    template void dense_backward(const KernelTable<T>&, const DenseView<const T>&, const Rows<T>&, \
                                 Range, Range, Activation, Rows<T>&, Rows<T>&, Scratch<T>&,        \
                                 Poll*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
