/// A small network, and samples that fit it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fastmlp/fastmlp.hpp"

inline fastmlp::Network<float> make_network(std::uint64_t seed = 1) {
    using fastmlp::Activation;
    return {3,
            {{20, Activation::kRelu}, {2, Activation::kSoftmax}},
            fastmlp::default_loss(Activation::kSoftmax),
            seed};
}

inline std::vector<float> parameters_of(const fastmlp::Network<float>& network) {
    const std::span<const float> all(*network.parameters());
    return {all.begin(), all.end()};
}

struct Data {
    std::vector<float> inputs = std::vector<float>(12, 0.5F);
    std::vector<std::int32_t> labels{0, 1, 1, 0};

    fastmlp::MatrixView<const float> x() const { return {inputs.data(), 4, 3, 3}; }
    fastmlp::Targets<float> y() const {
        return fastmlp::Targets<float>::of_labels(labels.data(), 4);
    }
};
