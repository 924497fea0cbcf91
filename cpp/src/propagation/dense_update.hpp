/// The update of one dense layer: the gradients of its weights and biases, and the step with them.
///
/// Elements are split over threads; a sum over the batch never is.
#pragma once

#include "kernels/table.hpp"
#include "propagation/packed.hpp"
#include "propagation/panels.hpp"
#include "propagation/prefetch.hpp"
#include "propagation/update_rule.hpp"
#include "propagation/workspace.hpp"
#include "threads/interrupts.hpp"
#include "threads/share.hpp"

namespace fastmlp {

/// What becomes of the gradient g = scale * sum: the optimizer takes a step with it, or it is
/// stored in the place of the parameters.
template <class T>
struct GradientUse {
    T scale;
    const StepRules<T>* rules = nullptr;      ///< null: stored
    const StepRules<T>* of_layers = nullptr;  ///< instead of `rules` where their rates differ

    GradientUse of_layer(std::size_t i) const { return {scale, of_layers ? of_layers + i : rules}; }
};

/// A layer's parameters, and what the optimizer remembers of each in the same layout.
template <class T>
struct UpdateTarget {
    DenseView<T> parameters;
    DenseView<T> first{}, second{};  ///< empty where the optimizer needs none
};

/// (2.6), (2.7) over the rows `batch`, this thread's share of the elements of `target`;
/// `prefetch` (may be null) goes along, and so does `poll`.
template <class T>
void dense_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                  const T* const* a, Rows<T>& delta, Range batch, GradientUse<T> use, Share share,
                  Scratch<T>& scratch, RowPrefetcher* prefetch = nullptr, Poll* poll = nullptr);

/// The biases' part of it.
template <class T>
void bias_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                 Rows<T>& delta, Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch);

struct BlockSize {
    std::size_t rows, columns;
};

/// What becomes of a block of `gradients`, whose rows are `ldg` apart, in one part of a layer's
/// parameters (&DenseView<T>::w, or biases, ...) from element `offset` on.
template <class T>
void use_gradients(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   T* DenseView<T>::* part, std::size_t offset, BlockSize size, const T* gradients,
                   GradientUse<T> use, std::size_t ldg = kernels::kPanel);

/// The same step with gradients that were stored in `gradients` before, by the same shares.
template <class T>
void apply_gradients(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                     const DenseView<T>& gradients, const StepRules<T>& rules, Share share);

}  // namespace fastmlp
