#include "propagation/dense_update.hpp"

#include <algorithm>

namespace fastmlp {
namespace {

using kernels::KernelTable;
using kernels::kPad;
using kernels::kPanel;

/// The weight update is split over threads at multiples of this many rows, whole register tiles.
constexpr std::size_t kUpdateRows = 24;

/// This thread's part of a layer's weights: split by rows, or by columns if there are too few.
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

/// Computes a layer's gradient block by block and applies `use` to each. Plain SGD is fused with
/// the gradient product; any other step follows it, while the gradients are still in cache.
template <class T>
class BlockUpdate {
public:
    BlockUpdate(const KernelTable<T>& kernel, const UpdateTarget<T>& target, GradientUse<T> use,
                Scratch<T>& scratch)
        : kernel_(kernel), target_(target), use_(use), scratch_(scratch) {}

    /// Whether the gradients of weights need no scratch memory: stored in place, or plain SGD.
    bool fused() const { return !use_.rules || use_.rules->weights.plain(); }

    /// Elements `rows` x `width` of the weights, starting at `offset`: sums of a[b][i] * v[b][j]
    /// over the batch.
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
        use_gradients(kernel_, target_, &DenseView<T>::w, offset, {rows, padded(width)}, gradients,
                      use_);
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
        use_gradients(kernel_, target_, &DenseView<T>::biases, n.first, {1, n.size()}, gradients,
                      use_);
    }

private:
    const KernelTable<T>& kernel_;
    const UpdateTarget<T>& target_;
    GradientUse<T> use_;
    Scratch<T>& scratch_;
};

}  // namespace

template <class T>
void dense_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target, const T* const* a,
                  Rows<T>& delta, Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch,
                  RowPrefetcher* prefetch, Poll* poll) {
    const DenseView<T>& layer = target.parameters;
    const BlockUpdate<T> update(kernel, target, use, scratch);
    const WeightShare<T> mine(layer, share);
    const T* const* deltas = delta.pointers.data() + batch.first;
    a += batch.first;
    if (layer.transposed) {
        const std::size_t step = update.fused() && !poll ? layer.k : kPanel;
        for (std::size_t k = mine.k.first; k < mine.k.last; k += step) {
            const std::size_t width = std::min(step, mine.k.last - k);
            update.weights(deltas, 0, layer.n, a, k, width, batch.size(), k);
            if (poll) poll->worked(2.0 * static_cast<double>(layer.n * width * batch.size()));
        }
    } else {
        const bool whole = update.fused() && !prefetch && !poll;
        const std::size_t step = whole ? std::max<std::size_t>(1, mine.k.size()) : kUpdateRows;
        if (prefetch) {
            prefetch->spread_over((mine.n.size() + kPanel - 1) / kPanel *
                                  ((mine.k.size() + step - 1) / step));
        }
        for_each_panel(mine.n.size(), [&](std::size_t first, std::size_t width) {
            const std::size_t n = mine.n.first + first;
            for (std::size_t k = mine.k.first; k < mine.k.last; k += step) {
                if (prefetch) prefetch->advance();
                const std::size_t rows = std::min(step, mine.k.last - k);
                update.weights(a, k, rows, deltas, n, width, batch.size(), k * layer.ldw + n);
                if (poll) poll->worked(2.0 * static_cast<double>(rows * width * batch.size()));
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
void use_gradients(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   T* DenseView<T>::* part, std::size_t offset, BlockSize size, const T* gradients,
                   GradientUse<T> use, std::size_t ldg) {
    T* parameters = target.parameters.*part + offset;
    const std::size_t ld = target.parameters.ldw;
    if (use.rules) {
        const bool is_weights = part == &DenseView<T>::w;
        kernel.update(is_weights ? use.rules->weights : use.rules->others, size.rows, size.columns,
                      gradients, ldg, parameters, at(target.first.*part, offset),
                      at(target.second.*part, offset), ld);
        return;
    }
    for (std::size_t i = 0; i < size.rows; ++i) {
        std::copy_n(gradients + i * ldg, size.columns, parameters + i * ld);
    }
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
    const GradientUse<T> use{T(1), &rules};
    use_gradients(kernel, target, &DenseView<T>::w, offset, {rows.size(), columns.size()},
                  gradients.w + offset, use, gradients.ldw);
    const Range n = share.of(layer.n, kPad);
    for (const auto part : {&DenseView<T>::biases, &DenseView<T>::scales, &DenseView<T>::shifts}) {
        if (layer.*part == nullptr) continue;
        use_gradients(kernel, target, part, n.first, {1, n.size()}, gradients.*part + n.first, use);
    }
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void dense_update(const KernelTable<T>&, const UpdateTarget<T>&, const T* const*,     \
                               Rows<T>&, Range, GradientUse<T>, Share, Scratch<T>&,                \
                               RowPrefetcher*, Poll*);                                             \
    template void bias_update(const KernelTable<T>&, const UpdateTarget<T>&, Rows<T>&, Range,      \
                              GradientUse<T>, Share, Scratch<T>&);                                 \
    template void use_gradients(const KernelTable<T>&, const UpdateTarget<T>&, T* DenseView<T>::*, \
                                std::size_t, BlockSize, const T*, GradientUse<T>, std::size_t);    \
    template void apply_gradients(const KernelTable<T>&, const UpdateTarget<T>&,                   \
                                  const DenseView<T>&, const StepRules<T>&, Share);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
