#include "dense.hpp"

#include <algorithm>

namespace fastmlp {
namespace {

using kernels::Epilogue;
using kernels::KernelTable;
using kernels::kNarrow;
using kernels::kPad;
using kernels::kPanel;

/// Reduction steps taken at once: a panel of so many rows stays in the second-level cache while the
/// batch passes by. Sums continue through memory, which changes no bit.
constexpr std::size_t kDepth = 512;
/// Below so many rows, transposing the weights costs more than it saves.
constexpr std::size_t kFewRows = 8;
/// Rows of the weight update cut at this multiple, so that threads share no register tile.
constexpr std::size_t kUpdateRows = 24;

/// Calls f(first, width) over `columns` (a multiple of kPad) in the fewest panels, equalised.
template <class F>
void for_each_panel(std::size_t columns, F f) {
    const std::size_t units = columns / kPad;
    std::size_t parts = (columns + kPanel - 1) / kPanel;
    for (std::size_t first = 0; parts > 0; --parts) {
        const std::size_t size = (units - first + parts - 1) / parts;
        f(first * kPad, size * kPad);
        first += size;
    }
}

template <class T>
T* room(Scratch<T>& scratch, std::size_t size) {
    if (scratch.size() < size) scratch.resize(size);
    return scratch.data();
}

/// Rows this far apart fall into the same few cache sets.
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

    /// Sums over k = 0..count-1 with w(k, depth) -> (pointer, stride) of those rows of the panel.
    template <class Weights>
    void run(std::size_t count, Weights weights) const {
        for (std::size_t k = 0; k < count; k += kDepth) {
            const std::size_t depth = std::min(kDepth, count - k);
            const bool last = k + depth == count;
            const auto [w, ldw] = weights(k, depth);
            kernel.product(a, rows, k, depth, w, ldw, k == 0 ? init : nullptr, width, out, ldo,
                           last ? epilogue : Epilogue::kNone, nodes, ldn);
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
                   Activation activation, const T* const* a, Range range, T* nodes, std::size_t ldn,
                   Scratch<T>& scratch) {
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
        for_each_panel(padded(layer.n), [&](std::size_t n, std::size_t width) {
            const PanelProduct<T> product{kernel,    a,   rows,     layer.biases + n, width,
                                          nodes + n, ldn, epilogue, nodes + n,        ldn};
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
                    const Rows<T>& delta, Range range, Activation previous_activation,
                    Rows<T>& previous, Rows<T>& previous_delta, Scratch<T>& scratch) {
    static const Buffer<T> kZeros(kPanel);
    const std::size_t rows = range.size();
    if (rows == 0) return;
    const bool relu = previous_activation == Activation::kRelu;
    T* out = previous_delta.row(range.first);
    const T* nodes = previous.row(range.first);
    for_each_panel(padded(layer.k), [&](std::size_t k, std::size_t width) {
        const PanelProduct<T> product{kernel,
                                      delta.pointers.data() + range.first,
                                      rows,
                                      kZeros.data(),
                                      width,
                                      out + k,
                                      previous_delta.stride,
                                      relu ? Epilogue::kReluMask : Epilogue::kNone,
                                      nodes + k,
                                      previous.stride};
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

template <class T>
void dense_update(const KernelTable<T>& kernel, const DenseView<T>& target, const T* const* a,
                  Rows<T>& delta, Range batch, GradientUse<T> use, Share share,
                  RowPrefetcher<T>* prefetch) {
    const std::size_t columns = padded(target.n);
    const T* const* deltas = delta.pointers.data() + batch.first;
    a += batch.first;
    if (target.transposed) {
        const Range k = share.of(target.k, kPad);
        if (k.size() > 0) {
            kernel.outer(deltas, 0, target.n, a, k.first, k.size(), batch.size(), use.scale,
                         use.rate, use.store, target.w + k.first, target.ldw);
        }
    } else {
        const bool tall = target.k >= kUpdateRows * share.size;
        const Range k = tall ? share.of(target.k, kUpdateRows) : Range{0, target.k};
        const Range n = tall ? Range{0, columns} : share.of(columns, kPad);
        const std::size_t step = prefetch ? kUpdateRows : std::max<std::size_t>(1, k.size());
        if (prefetch) {
            prefetch->spread_over((n.size() + kPanel - 1) / kPanel *
                                  ((k.size() + step - 1) / step));
        }
        for_each_panel(n.size(), [&](std::size_t first, std::size_t width) {
            const std::size_t j = n.first + first;
            for (std::size_t i = k.first; i < k.last; i += step) {
                if (prefetch) prefetch->advance();
                kernel.outer(a, i, std::min(step, k.last - i), deltas, j, width, batch.size(),
                             use.scale, use.rate, use.store, target.w + i * target.ldw + j,
                             target.ldw);
            }
        });
    }
    const Range n = share.of(columns, kPad);
    if (n.size() > 0) {
        kernel.column_sums(delta.row(batch.first) + n.first, delta.stride, batch.size(), n.size(),
                           use.scale, use.rate, use.store, target.biases + n.first);
    }
}

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

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void dense_forward(const KernelTable<T>&, const DenseView<const T>&, Activation,      \
                                const T* const*, Range, T*, std::size_t, Scratch<T>&);             \
    template void dense_backward(const KernelTable<T>&, const DenseView<const T>&, const Rows<T>&, \
                                 Range, Activation, Rows<T>&, Rows<T>&, Scratch<T>&);              \
    template void dense_update(const KernelTable<T>&, const DenseView<T>&, const T* const*,        \
                               Rows<T>&, Range, GradientUse<T>, Share, RowPrefetcher<T>*);         \
    template void activate(const KernelTable<T>&, Activation, const T*, std::size_t, T*,           \
                           std::size_t, std::size_t, std::size_t);                                 \
    template void activate_backward(const KernelTable<T>&, Activation, const T*, std::size_t, T*,  \
                                    std::size_t, std::size_t, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
