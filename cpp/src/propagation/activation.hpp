/// Applies activations to whole rows, with the kernel of each.
#pragma once

#include <cstddef>

#include "fastmlp/layer.hpp"
#include "kernels/table.hpp"

namespace fastmlp {

/// nodes = h(z) for whole rows, softmax included; `nodes` may be `z`.
template <class T>
void activate(const kernels::KernelTable<T>& kernel, Activation activation, const T* z,
              std::size_t ldz, T* nodes, std::size_t ldn, std::size_t rows, std::size_t n);

/// delta *= h'(z), computed from z if the activation keeps z, else from the nodes.
template <class T>
void activate_backward(const kernels::KernelTable<T>& kernel, Activation activation, const T* from,
                       std::size_t ldf, T* delta, std::size_t ldd, std::size_t rows, std::size_t n);

/// Whether h'' is anything but 0.
template <class T>
bool is_curved(const kernels::KernelTable<T>& kernel, Activation activation);

/// values *= h''(z) of an activation that is curved, computed from what h' is computed from.
template <class T>
void activate_curve(const kernels::KernelTable<T>& kernel, Activation activation, const T* from,
                    std::size_t ldf, T* values, std::size_t ldv, std::size_t rows, std::size_t n);

}  // namespace fastmlp
