/// Fills the kernel table from the sources above it; the last include of every <isa>.cpp.
#pragma once

#include "kernels/dropout-inl.hpp"
#include "kernels/elementwise-inl.hpp"
#include "kernels/narrow-inl.hpp"
#include "kernels/normalization-inl.hpp"
#include "kernels/outer-inl.hpp"
#include "kernels/output-inl.hpp"
#include "kernels/product-inl.hpp"
#include "kernels/single-inl.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
constexpr KernelTable<typename S::Scalar> make_table(const char* name) {
    return {
        .name = name,
        .product = product<S>,
        .outer = outer<S>,
        .column_sums = column_sums<S>,
        .update_product = update_product<S>,
        .narrow_update = narrow_update<S>,
        .narrow_forward = narrow_forward<S>,
        .narrow_forward_natural = narrow_forward_natural<S>,
        .transpose = transpose<S>,
        .sigmoid = Elementwise<S>::sigmoid,
        .tanh = Elementwise<S>::tanh,
        .relu = Elementwise<S>::relu,
        .sigmoid_backward = Elementwise<S>::sigmoid_backward,
        .tanh_backward = Elementwise<S>::tanh_backward,
        .relu_backward = Elementwise<S>::relu_backward,
        .layer_normalize = Normalization<S>::layer_normalize,
        .layer_normalize_backward = Normalization<S>::layer_normalize_backward,
        .batch_moments = Normalization<S>::batch_moments,
        .batch_normalize = Normalization<S>::batch_normalize,
        .batch_normalize_backward = Normalization<S>::batch_normalize_backward,
        .column_dots = Normalization<S>::column_dots,
        .dropout = dropout<S>,
        .softmax = Output<S>::softmax,
        .cross_entropy_labels = Output<S>::cross_entropy_labels,
        .cross_entropy_targets = Output<S>::cross_entropy_targets,
        .binary_cross_entropy = Output<S>::binary_cross_entropy,
        .mean_squared_error = Output<S>::mean_squared_error,
        .descend = Elementwise<S>::descend,
        .count_finite = Elementwise<S>::count_finite,
        .spin = Elementwise<S>::spin,
        .exp_array = Elementwise<S>::exp_array,
        .log_array = Elementwise<S>::log_array,
    };
}

}  // namespace
}  // namespace fastmlp::kernels
