/// The initial parameters of a network.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastmlp/interruption.hpp"
#include "fastmlp/layout.hpp"
#include "fastmlp/random.hpp"

namespace fastmlp {

/// Uniform in +-limit, drawn in float64 and rounded; the index is the element's place in the flat
/// buffer.
template <class T>
void draw_initial_weights(const Layout& layout, const std::vector<Layer>& layers,
                          std::uint64_t seed, T* parameters) {
    constexpr std::size_t kDrawnAtOnce = std::size_t{1} << 16;
    const RandomStream stream{seed, Purpose::kInitialWeights, 0};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const double limit = initial_limit(layers[i].activation, layout[i].k, layout[i].n);
        const Parameter& weights = layout[i].weights;
        std::array<double, 2> drawn{};
        for (std::size_t j = weights.offset; j < weights.offset + weights.size(); ++j) {
            if (j % kDrawnAtOnce == 0) look_for_interrupt();
            if (j == weights.offset || j % 2 == 0) drawn = stream.uniforms(j / 2);
            parameters[j] = static_cast<T>((2.0 * drawn[j % 2] - 1.0) * limit);
        }
    }
}

/// Weights from `seed`, scales of 1; biases and shifts must be 0 already.
template <class T>
void set_initial_parameters(const Layout& layout, const std::vector<Layer>& layers,
                            std::uint64_t seed, T* parameters) {
    draw_initial_weights(layout, layers, seed, parameters);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        for (const Parameter& scales : {layout[i].scales, layout[i].input_scales}) {
            std::fill_n(parameters + scales.offset, scales.size(), T(1));
        }
    }
}

}  // namespace fastmlp
