/// One dense layer, forward and backward: cache blocks and packing.
///
/// B rows of a batch, K nodes in, N nodes out. Register blocking is done by the kernels.
#pragma once

#include "kernels/table.hpp"
#include "propagation/activation.hpp"
#include "propagation/packed.hpp"
#include "propagation/panels.hpp"
#include "propagation/workspace.hpp"
#include "threads/interrupts.hpp"
#include "threads/share.hpp"

namespace fastmlp {

/// nodes = h(a W + b), (1.1), for rows `range` of `a` (B, K) and outputs `columns`: all padded(N)
/// of them, or a part of them if the activation is relu or the identity and the layer is not
/// narrow. `poll` (may be null) counts the work and may throw before it is complete.
template <class T>
void dense_forward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                   Activation activation, const T* const* a, Range range, Range columns, T* nodes,
                   std::size_t ldn, Scratch<T>& scratch, Poll* poll = nullptr);

/// previous_delta = (delta W^T) * h'(z), (2.4), (2.5), for rows `range` and `columns` of the
/// padded(K), as above; h' is computed from `previous`, which is z or the nodes.
template <class T>
void dense_backward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const Rows<T>& delta, Range range, Range columns,
                    Activation previous_activation, Rows<T>& previous, Rows<T>& previous_delta,
                    Scratch<T>& scratch, Poll* poll = nullptr);

}  // namespace fastmlp
