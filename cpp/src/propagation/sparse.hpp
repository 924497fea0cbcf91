/// The first layer with sparse rows: forward and update, which touch stored elements only.
#pragma once

#include "propagation/dense.hpp"
#include "propagation/sparse_batch_by_column.hpp"

namespace fastmlp {

/// `dense_forward` for the sparse rows `range` of `a`, all outputs.
template <class T>
void sparse_forward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                    Activation activation, const SparseRow<T>* a, Range range, T* nodes,
                    std::size_t ldn, Poll* poll = nullptr);

/// `dense_update` for `batch` sparse rows. The gradients of weights whose column is empty in the
/// batch are 0: plain SGD skips them, all other rules apply them.
template <class T>
void sparse_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const SparseRow<T>* a, Rows<T>& delta, std::size_t batch, GradientUse<T> use,
                   Share share, SparseBatchByColumn<T>& columns, Scratch<T>& scratch);

}  // namespace fastmlp
