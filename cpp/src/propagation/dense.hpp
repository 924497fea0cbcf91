/// One dense layer, forward, backward and update: cache blocks and packing.
///
/// B rows of a batch, K nodes in, N nodes out. Register blocking is done by the kernels. In the
/// update elements are split over threads; sums over the batch are not.
#pragma once

#include "kernels/table.hpp"
#include "propagation/activation.hpp"
#include "propagation/features.hpp"
#include "propagation/packed.hpp"
#include "propagation/workspace.hpp"
#include "threads/interrupts.hpp"
#include "threads/thread_pool.hpp"

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

/// The rule for weights, and that for all other parameters.
template <class T>
struct StepRules {
    kernels::UpdateRule<T> weights, others;
};

/// How the gradient g = scale * sum is used: for a step of the optimizer, or stored in place of the
/// parameters.
template <class T>
struct GradientUse {
    T scale;
    const StepRules<T>* rules = nullptr;      ///< null: store the gradient
    const StepRules<T>* of_layers = nullptr;  ///< instead of `rules` if layers have different rates

    GradientUse of_layer(std::size_t i) const;
};

/// A layer's parameters, and the optimizer's state of each in the same layout.
template <class T>
struct UpdateTarget {
    DenseView<T> parameters;
    DenseView<T> first_moment{}, second_moment{};  ///< empty if the optimizer needs none
    DenseView<T> sums{};  ///< of the gradients over earlier rows of the batch; empty if none
};

/// (2.6), (2.7) over the rows `batch`, for this thread's part of the elements of `target`. Called
/// for trainable layers only: `Propagation::gradients` leaves out frozen ones. `prefetch` and
/// `poll` (may be null) are advanced along with the work.
template <class T>
void dense_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                  const T* const* a, Rows<T>& delta, Range batch, GradientUse<T> use,
                  const UpdatePart& mine, Scratch<T>& scratch, RowPrefetcher* prefetch = nullptr,
                  Poll* poll = nullptr);

/// The same for the biases.
template <class T>
void bias_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                 Rows<T>& delta, Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch);

struct BlockSize {
    std::size_t rows, columns;
};

/// Applies a block of `gradients`, whose rows are `ldg` apart, to one part of a layer's parameters
/// (&DenseView<T>::w, or biases, ...), starting at element `offset`.
template <class T>
void use_gradients(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   T* DenseView<T>::* part, std::size_t offset, BlockSize size, const T* gradients,
                   GradientUse<T> use, std::size_t ldg = kernels::kPanel);

/// The step with gradients that were stored in `gradients` before; `use` has the rules.
template <class T>
void apply_gradients(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                     const DenseView<T>& gradients, GradientUse<T> use, Share share);

/// The same without the weights: biases, and what a normalised layer has beside them.
template <class T>
void apply_vectors(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const DenseView<T>& gradients, GradientUse<T> use, Share share);

}  // namespace fastmlp
