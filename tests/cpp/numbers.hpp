/// Numbers to train on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastmlp/random.hpp"

/// `count` numbers in [-0.5, 0.5), the same for every run.
template <class T>
std::vector<T> numbers(std::size_t count, std::uint64_t seed) {
    const fastmlp::RandomStream stream{seed, fastmlp::Purpose::kInitialWeights, 0};
    std::vector<T> x(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<T>(stream.uniform(i) - 0.5);
    return x;
}
