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
    const RandomStream stream{seed, Purpose::kInitialWeights, 0};
    std::array<double, 1024> drawn{};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const double limit = initial_limit(layers[i].activation, layout[i].k, layout[i].n);
        const Parameter& weights = layout[i].weights;
        const std::size_t end = weights.offset + weights.size();
        for (std::size_t first = weights.offset; first < end; first += drawn.size()) {
            const std::size_t count = std::min(drawn.size(), end - first);
            look_for_interrupt();
            draw_uniforms(stream, first, drawn.data(), count);
            std::transform(drawn.begin(), drawn.begin() + count, parameters + first,
                           [&](double u) { return static_cast<T>((2.0 * u - 1.0) * limit); });
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
