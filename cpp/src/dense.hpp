/// One dense layer: forward, backward and update side by side; cache blocks, packing, threads.
///
/// B rows of a batch, K nodes in, N nodes out. Registers are the kernels' business.
#pragma once

#include <vector>

#include "fastmlp/layer.hpp"
#include "image.hpp"
#include "kernels/table.hpp"
#include "prefetch.hpp"
#include "share.hpp"
#include "update_rule.hpp"
#include "workspace.hpp"

namespace fastmlp {

/// Reusable room for packed panels, one per thread.
template <class T>
using Scratch = std::vector<T>;

/// What becomes of the gradient g = scale * sum: the optimizer takes a step with it, or it is
/// stored in the place of the parameters.
template <class T>
struct GradientUse {
    T scale;
    const StepRules<T>* rules = nullptr;  ///< null: stored
};

/// A layer's parameters, and what the optimizer remembers of each in the same layout.
template <class T>
struct UpdateTarget {
    DenseView<T> parameters;
    DenseView<T> first{}, second{};  ///< empty where the optimizer needs none
};

/// nodes = h(a W + b), (1.1), for rows `range` of `a` (B, K) and outputs `columns`: all padded(N)
/// of them, or a part where the activation is relu or the identity and the layer is not narrow.
template <class T>
void dense_forward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                   Activation activation, const T* const* a, Range range, Range columns, T* nodes,
                   std::size_t ldn, Scratch<T>& scratch);

/// previous_delta = (delta W^T) * h'(z), (2.4), (2.5), for rows `range` and `columns` of the
/// padded(K), as above; h' told from `previous`, z or the nodes.
template <class T>
void dense_backward(const kernels::KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const Rows<T>& delta, Range range, Range columns,
                    Activation previous_activation, Rows<T>& previous, Rows<T>& previous_delta,
                    Scratch<T>& scratch);

/// (2.6), (2.7) over the rows `batch`, this thread's share of the elements of `target`;
/// `prefetch` (may be null) goes along.
template <class T>
void dense_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                  const T* const* a, Rows<T>& delta, Range batch, GradientUse<T> use, Share share,
                  Scratch<T>& scratch, RowPrefetcher* prefetch = nullptr);

/// The biases' part of it.
template <class T>
void bias_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                 Rows<T>& delta, Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch);

/// The same step with gradients that were stored in `gradients` before, by the same shares.
template <class T>
void apply_gradients(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                     const DenseView<T>& gradients, const StepRules<T>& rules, Share share);

/// nodes = h(z), whole rows, softmax included; `nodes` may be `z`.
template <class T>
void activate(const kernels::KernelTable<T>& kernel, Activation activation, const T* z,
              std::size_t ldz, T* nodes, std::size_t ldn, std::size_t rows, std::size_t n);

/// delta *= h'(z), told from z where the activation keeps it, else from the nodes.
template <class T>
void activate_backward(const kernels::KernelTable<T>& kernel, Activation activation, const T* from,
                       std::size_t ldf, T* delta, std::size_t ldd, std::size_t rows, std::size_t n);

}  // namespace fastmlp
