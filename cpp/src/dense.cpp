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
                   Activation activation, const T* const* a, Range range, Range columns, T* nodes,
                   std::size_t ldn, Scratch<T>& scratch) {
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
                    const Rows<T>& delta, Range range, Range columns,
                    Activation previous_activation, Rows<T>& previous, Rows<T>& previous_delta,
                    Scratch<T>& scratch) {
    // Never destroyed: threads may compute until the very end of the process.
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

/// Which part of a layer's weights is this thread's: rows, unless there are too few.
template <class T>
struct WeightShare {
    WeightShare(const DenseView<T>& view, Share share) : k{0, view.k}, n{0, padded(view.n)} {
        if (view.transposed) {
            n = {0, view.n};
            k = share.of(view.k, kPad);
        } else if (view.k >= kUpdateRows * share.size) {
            k = share.of(view.k, kUpdateRows);
        } else {
            n = share.of(n.last, kPad);
        }
    }

    Range k, n;
};

template <class T>
T* at(T* state, std::size_t offset) {
    return state ? state + offset : nullptr;
}

/// One block of a layer's gradient at a time, and what `use` makes of it. Plain descent rides on
/// the gradient product; any other step follows it, with the gradients still in cache.
template <class T>
class BlockUpdate {
public:
    BlockUpdate(const KernelTable<T>& kernel, const UpdateTarget<T>& target, GradientUse<T> use,
                Scratch<T>& scratch)
        : kernel_(kernel), target_(target), use_(use), scratch_(scratch) {}

    /// Whether weights need no room for their gradients.
    bool fused() const { return !use_.rules || use_.rules->weights.plain(); }

    /// Elements `rows` x `width` of the weights, from `offset` on: sums of a[b][i] * v[b][j] over
    /// the batch.
    void weights(const T* const* a, std::size_t i, std::size_t rows, const T* const* v,
                 std::size_t j, std::size_t width, std::size_t batch, std::size_t offset) const {
        T* w = target_.parameters.w + offset;
        const std::size_t ldw = target_.parameters.ldw;
        if (fused()) {
            const T rate = use_.rules ? use_.rules->weights.rate : T(0);
            kernel_.outer(a, i, rows, v, j, width, batch, use_.scale, rate, !use_.rules, w, ldw);
            return;
        }
        T* gradients = room(scratch_, rows * kPanel);
        kernel_.outer(a, i, rows, v, j, width, batch, use_.scale, T(0), true, gradients, kPanel);
        kernel_.update(use_.rules->weights, rows, padded(width), gradients, kPanel, w,
                       at(target_.first.w, offset), at(target_.second.w, offset), ldw);
    }

    /// Columns `n` of the biases: sums of v over the batch.
    void biases(const T* v, std::size_t ldv, Range n, std::size_t batch) const {
        if (n.size() == 0) return;
        T* b = target_.parameters.biases + n.first;
        v += n.first;
        if (!use_.rules || use_.rules->others.plain()) {
            const T rate = use_.rules ? use_.rules->others.rate : T(0);
            kernel_.column_sums(v, ldv, batch, n.size(), use_.scale, rate, !use_.rules, b);
            return;
        }
        T* gradients = room(scratch_, n.size());
        kernel_.column_sums(v, ldv, batch, n.size(), use_.scale, T(0), true, gradients);
        kernel_.update(use_.rules->others, 1, n.size(), gradients, 0, b,
                       at(target_.first.biases, n.first), at(target_.second.biases, n.first), 0);
    }

private:
    const KernelTable<T>& kernel_;
    const UpdateTarget<T>& target_;
    GradientUse<T> use_;
    Scratch<T>& scratch_;
};

template <class T>
void dense_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target, const T* const* a,
                  Rows<T>& delta, Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch,
                  RowPrefetcher* prefetch) {
    const DenseView<T>& layer = target.parameters;
    const BlockUpdate<T> update(kernel, target, use, scratch);
    const WeightShare<T> mine(layer, share);
    const T* const* deltas = delta.pointers.data() + batch.first;
    a += batch.first;
    if (layer.transposed) {
        const std::size_t step = update.fused() ? layer.k : kPanel;
        for (std::size_t k = mine.k.first; k < mine.k.last; k += step) {
            const std::size_t width = std::min(step, mine.k.last - k);
            update.weights(deltas, 0, layer.n, a, k, width, batch.size(), k);
        }
    } else {
        const bool whole = update.fused() && !prefetch;
        const std::size_t step = whole ? std::max<std::size_t>(1, mine.k.size()) : kUpdateRows;
        if (prefetch) {
            prefetch->spread_over((mine.n.size() + kPanel - 1) / kPanel *
                                  ((mine.k.size() + step - 1) / step));
        }
        for_each_panel(mine.n.size(), [&](std::size_t first, std::size_t width) {
            const std::size_t n = mine.n.first + first;
            for (std::size_t k = mine.k.first; k < mine.k.last; k += step) {
                if (prefetch) prefetch->advance();
                update.weights(a, k, std::min(step, mine.k.last - k), deltas, n, width,
                               batch.size(), k * layer.ldw + n);
            }
        });
    }
    bias_update(kernel, target, delta, batch, use, share, scratch);
}

template <class T>
void bias_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target, Rows<T>& delta,
                 Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch) {
    const Range n = share.of(padded(target.parameters.n), kPad);
    BlockUpdate<T>(kernel, target, use, scratch)
        .biases(delta.row(batch.first), delta.stride, n, batch.size());
}

template <class T>
void apply_gradients(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                     const DenseView<T>& gradients, const StepRules<T>& rules, Share share) {
    const DenseView<T>& layer = target.parameters;
    const WeightShare<T> mine(layer, share);
    const Range rows = layer.transposed ? mine.n : mine.k;
    Range columns = layer.transposed ? mine.k : mine.n;
    if (!layer.transposed) columns.last = std::min(columns.last, layer.n);
    const std::size_t offset = rows.first * layer.ldw + columns.first;
    kernel.update(rules.weights, rows.size(), columns.size(), gradients.w + offset, gradients.ldw,
                  layer.w + offset, at(target.first.w, offset), at(target.second.w, offset),
                  layer.ldw);
    const Range n = share.of(layer.n, kPad);
    for (const auto part : {&DenseView<T>::biases, &DenseView<T>::scales, &DenseView<T>::shifts}) {
        if (layer.*part == nullptr) continue;
        kernel.update(rules.others, 1, n.size(), gradients.*part + n.first, 0,
                      layer.*part + n.first, at(target.first.*part, n.first),
                      at(target.second.*part, n.first), 0);
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
                                const T* const*, Range, Range, T*, std::size_t, Scratch<T>&);      \
    template void dense_backward(const KernelTable<T>&, const DenseView<const T>&, const Rows<T>&, \
                                 Range, Range, Activation, Rows<T>&, Rows<T>&, Scratch<T>&);       \
    template void dense_update(const KernelTable<T>&, const UpdateTarget<T>&, const T* const*,     \
                               Rows<T>&, Range, GradientUse<T>, Share, Scratch<T>&,                \
                               RowPrefetcher*);                                                    \
    template void bias_update(const KernelTable<T>&, const UpdateTarget<T>&, Rows<T>&, Range,      \
                              GradientUse<T>, Share, Scratch<T>&);                                 \
    template void apply_gradients(const KernelTable<T>&, const UpdateTarget<T>&,                   \
                                  const DenseView<T>&, const StepRules<T>&, Share);                \
    template void activate(const KernelTable<T>&, Activation, const T*, std::size_t, T*,           \
                           std::size_t, std::size_t, std::size_t);                                 \
    template void activate_backward(const KernelTable<T>&, Activation, const T*, std::size_t, T*,  \
                                    std::size_t, std::size_t, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
