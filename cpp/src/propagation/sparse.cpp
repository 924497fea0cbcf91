#include "propagation/sparse.hpp"

#include <algorithm>

#include "propagation/activation.hpp"

namespace fastmlp {
namespace {

using kernels::KernelTable;
using kernels::kNarrow;
using kernels::kPad;

/// Rows of weights per block: their gradients stay in cache until the optimizer has used them.
constexpr std::size_t kGradientRows = 16;

/// The gradients of one layer from the columns of a batch, one row of weights at a time.
template <class T>
class RowUpdate {
public:
    RowUpdate(const KernelTable<T>& kernel, const UpdateTarget<T>& target, Rows<T>& delta,
              GradientUse<T> use)
        : kernel_(kernel), target_(target), layer_(target.parameters), delta_(delta), use_(use) {}

    /// Plain SGD: weights of rows without elements do not change.
    void descend(const SparseBatchByColumn<T>& columns) const {
        const T rate = use_.rules->weights.rate;
        columns.for_each([&](std::size_t k, const auto& column) {
            if (!layer_.transposed) {
                outer(column, rate, false, layer_.w + k * layer_.ldw);
                return;
            }
            alignas(64) T row[kPad] = {};
            for (std::size_t n = 0; n < layer_.n; ++n) row[n] = layer_.w[n * layer_.ldw + k];
            outer(column, rate, false, row);
            for (std::size_t n = 0; n < layer_.n; ++n) layer_.w[n * layer_.ldw + k] = row[n];
        });
    }

    /// Writes the gradients of rows `range` to `to`: (K, N) with stride `ld`, or in the layer's
    /// layout.
    void gradients(const SparseBatchByColumn<T>& columns, Range range, T* to,
                   std::size_t ld) const {
        alignas(64) T narrow[kPad];
        for (std::size_t k = range.first; k < range.last; ++k) {
            T* row = layer_.transposed ? narrow : to + (k - range.first) * ld;
            const auto column = columns[k];
            if (column.count == 0) {
                std::fill_n(row, padded(layer_.n), T(0));
            } else {
                outer(column, T(0), true, row);
            }
            if (!layer_.transposed) continue;
            for (std::size_t n = 0; n < layer_.n; ++n) to[n * ld + k - range.first] = row[n];
        }
    }

    /// The optimizer's step for rows `range` with these gradients.
    void step(Range range, const T* gradients, std::size_t ld) const {
        const std::size_t offset = range.first * (layer_.transposed ? 1 : layer_.ldw);
        const auto at = [&](T* state) { return state ? state + offset : nullptr; };
        kernel_.update(use_.rules->weights, layer_.transposed ? layer_.n : range.size(),
                       layer_.transposed ? range.size() : padded(layer_.n), gradients, ld,
                       layer_.w + offset, at(target_.first_moment.w), at(target_.second_moment.w),
                       layer_.ldw);
    }

private:
    void outer(const typename SparseBatchByColumn<T>::Column& column, T rate, bool store,
               T* row) const {
        kernel_.sparse_outer(column.rows, column.values, column.count, delta_.row(0), delta_.stride,
                             padded(layer_.n), use_.scale, rate, store, row);
    }

    const KernelTable<T>& kernel_;
    const UpdateTarget<T>& target_;
    const DenseView<T>& layer_;
    Rows<T>& delta_;
    GradientUse<T> use_;
};

}  // namespace

template <class T>
void sparse_forward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                    Activation activation, const SparseRow<T>* a, Range range, T* nodes,
                    std::size_t ldn, Poll* poll) {
    if (range.size() == 0) return;
    nodes += range.first * ldn;
    for (std::size_t b = 0; b < range.size(); ++b) {
        const SparseRow<T>& row = a[range.first + b];
        T* out = nodes + b * ldn;
        if (layer.n <= kNarrow) {
            kernel.sparse_narrow(row.columns, row.values, row.count, layer.w,
                                 layer.transposed ? 1 : layer.ldw, layer.transposed ? layer.ldw : 1,
                                 layer.biases, layer.n, out);
        } else {
            kernel.sparse_product(row.columns, row.values, row.count, layer.w, layer.ldw,
                                  layer.biases, padded(layer.n), out);
        }
        if (poll) poll->worked(2.0 * static_cast<double>(row.count * layer.n));
    }
    activate(kernel, activation, nodes, ldn, nodes, ldn, range.size(), layer.n);
}

template <class T>
void sparse_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const SparseRow<T>* a, Rows<T>& delta, std::size_t batch, GradientUse<T> use,
                   Share share, SparseBatchByColumn<T>& columns, Scratch<T>& scratch) {
    const DenseView<T>& layer = target.parameters;
    const RowUpdate<T> update(kernel, target, delta, use);
    const Range mine = share.of(layer.k, kPad);
    columns.gather(a, batch, mine);
    if (!use.rules) {
        const std::size_t offset = mine.first * (layer.transposed ? 1 : layer.ldw);
        update.gradients(columns, mine, layer.w + offset, layer.ldw);
    } else if (use.rules->weights.plain()) {
        update.descend(columns);
    } else {
        const std::size_t ld = layer.transposed ? kGradientRows : padded(layer.n);
        T* gradients = room(scratch, kGradientRows * ld);
        for (Range rows = mine; rows.first < mine.last; rows.first += kGradientRows) {
            rows.last = std::min(mine.last, rows.first + kGradientRows);
            update.gradients(columns, rows, gradients, ld);
            update.step(rows, gradients, ld);
        }
    }
    bias_update(kernel, target, delta, {0, batch}, use, share, scratch);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void sparse_forward(const KernelTable<T>&, const DenseView<const T>&, Activation,     \
                                 const SparseRow<T>*, Range, T*, std::size_t, Poll*);              \
    template void sparse_update(const KernelTable<T>&, const UpdateTarget<T>&,                     \
                                const SparseRow<T>*, Rows<T>&, std::size_t, GradientUse<T>, Share, \
                                SparseBatchByColumn<T>&, Scratch<T>&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
