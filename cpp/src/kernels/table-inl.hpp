/// Fills the kernel table from the sources above it; the last include of every <isa>.cpp.
#pragma once

#include "kernels/activations-inl.hpp"
#include "kernels/conversion-inl.hpp"
#include "kernels/dropout-inl.hpp"
#include "kernels/elementwise-inl.hpp"
#include "kernels/hidden-inl.hpp"
#include "kernels/lanes-inl.hpp"
#include "kernels/losses-inl.hpp"
#include "kernels/narrow-inl.hpp"
#include "kernels/normalization-inl.hpp"
#include "kernels/optimizer-inl.hpp"
#include "kernels/outer-inl.hpp"
#include "kernels/product-inl.hpp"
#include "kernels/single-inl.hpp"
#include "kernels/sparse-inl.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

template <class S>
constexpr KernelTable<typename S::Scalar> make_table() {
    return {
        .product = product<S>,
        .outer = outer<S>,
        .column_sums = column_sums<S>,
        .update_product = update_product<S>,
        .narrow_update = narrow_update<S>,
        .hidden_gradients = hidden_gradients<S>,
        .narrow_forward = narrow_forward<S>,
        .narrow_forward_natural = narrow_forward_natural<S>,
        .transpose = transpose<S>,
        .sparse_product = sparse_product<S>,
        .sparse_narrow = sparse_narrow<S>,
        .sparse_outer = sparse_outer<S>,
        .relu = forward<S, Activations<S>::relu>,
        .leaky_relu = forward_by<S, Activations<S>::leaky_relu>,
        .elu = forward_by<S, Activations<S>::elu>,
        .selu = forward<S, Activations<S>::selu>,
        .gelu = forward<S, Activations<S>::gelu>,
        .gelu_tanh = forward<S, Activations<S>::gelu_tanh>,
        .silu = forward<S, Activations<S>::silu>,
        .mish = forward<S, Activations<S>::mish>,
        .relu6 = forward<S, Activations<S>::relu6>,
        .hardswish = forward<S, Activations<S>::hardswish>,
        .sigmoid = forward<S, Activations<S>::sigmoid>,
        .tanh = forward<S, Activations<S>::tanh>,
        .softplus = forward<S, Activations<S>::softplus>,
        .exp = forward<S, Activations<S>::exp>,
        .relu_backward = Elementwise<S>::relu_backward,
        .leaky_relu_backward = backward_by<S, Activations<S>::leaky_relu_slope>,
        .elu_backward = backward_by<S, Activations<S>::elu_slope>,
        .selu_backward = backward<S, Activations<S>::selu_slope>,
        .gelu_backward = backward<S, Activations<S>::gelu_slope>,
        .gelu_tanh_backward = backward<S, Activations<S>::gelu_tanh_slope>,
        .silu_backward = backward<S, Activations<S>::silu_slope>,
        .mish_backward = backward<S, Activations<S>::mish_slope>,
        .relu6_backward = backward<S, Activations<S>::relu6_slope>,
        .hardswish_backward = backward<S, Activations<S>::hardswish_slope>,
        .sigmoid_backward = backward<S, Activations<S>::sigmoid_slope>,
        .tanh_backward = backward<S, Activations<S>::tanh_slope>,
        .softplus_backward = backward<S, Activations<S>::softplus_slope>,
        .exp_backward = backward<S, Activations<S>::exp_slope>,
        .elu_curve = backward_by<S, Activations<S>::elu_curvature>,
        .selu_curve = backward<S, Activations<S>::selu_curvature>,
        .gelu_curve = backward<S, Activations<S>::gelu_curvature>,
        .gelu_tanh_curve = backward<S, Activations<S>::gelu_tanh_curvature>,
        .silu_curve = backward<S, Activations<S>::silu_curvature>,
        .mish_curve = backward<S, Activations<S>::mish_curvature>,
        .hardswish_curve = backward<S, Activations<S>::hardswish_curvature>,
        .sigmoid_curve = backward<S, Activations<S>::sigmoid_curvature>,
        .tanh_curve = backward<S, Activations<S>::tanh_curvature>,
        .softplus_curve = backward<S, Activations<S>::softplus_curvature>,
        .exp_curve = backward<S, Activations<S>::exp_curvature>,
        .layer_normalize = LayerNormalization<ByRow<S>>::normalize,
        .layer_normalize_backward = LayerNormalization<ByRow<S>>::backward,
        .batch_moments = BatchNormalization<S>::moments,
        .batch_normalize = BatchNormalization<S>::normalize,
        .batch_normalize_backward = BatchNormalization<S>::backward,
        .column_dots = BatchNormalization<S>::column_dots,
        .dropout = dropout<S>,
        .softmax = SoftmaxLosses<S>::softmax,
        .cross_entropy_labels = SoftmaxLosses<S>::cross_entropy_labels,
        .cross_entropy_smoothed = SoftmaxLosses<S>::cross_entropy_smoothed,
        .cross_entropy_targets = SoftmaxLosses<S>::cross_entropy_targets,
        .binary_cross_entropy = MeanLosses<S>::binary_cross_entropy,
        .poisson = MeanLosses<S>::poisson,
        .mean_squared_error = MeanLosses<S>::mean_squared_error,
        .mean_absolute_error = MeanLosses<S>::mean_absolute_error,
        .huber = MeanLosses<S>::huber,
        .quantile = MeanLosses<S>::quantile,
        .convert = {convert<S, Bool>, convert<S, Plain<std::uint8_t>>,
                    convert<S, Plain<std::int8_t>>, convert<S, Plain<std::uint16_t>>,
                    convert<S, Plain<std::int16_t>>, convert<S, Plain<std::uint32_t>>,
                    convert<S, Plain<std::int32_t>>, convert<S, Plain<float>>,
                    convert<S, Plain<std::uint64_t>>, convert<S, Plain<std::int64_t>>,
                    convert<S, Plain<double>>, convert<S, Half>},
        .scale_rows = scale_rows<S>,
        .in_lanes = lane_kernels<S>(),
        .update = update<S>,
        .update_of_one = update_of_one<S>,
        .approach = approach<S>,
        .count_below = Elementwise<S>::count_below,
        .random_words = random_words,
        .spin = Elementwise<S>::spin,
        .exp_array = Elementwise<S>::exp_array,
        .log_array = Elementwise<S>::log_array,
    };
}

}  // namespace
}  // namespace fastmlp::kernels
