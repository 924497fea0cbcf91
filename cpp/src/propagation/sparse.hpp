/// The first layer over sparse rows: forward and update, which touch only what is stored.
#pragma once

#include "propagation/batch_columns.hpp"
#include "propagation/dense_update.hpp"

namespace fastmlp {

/// `dense_forward` for the sparse rows `range` of `a`, all outputs.
template <class T>
void sparse_forward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                    Activation activation, const SparseRow<T>* a, Range range, T* nodes,
                    std::size_t ldn, Poll* poll = nullptr);

/// `dense_update` for `batch` sparse rows. Plain descent leaves weights alone whose column is empty
/// in the batch, and their gradients are 0; all other rules see those zeros.
template <class T>
void sparse_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const SparseRow<T>* a, Rows<T>& delta, std::size_t batch, GradientUse<T> use,
                   Share share, BatchColumns<T>& columns, Scratch<T>& scratch);

}  // namespace fastmlp
