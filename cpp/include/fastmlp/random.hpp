/// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011).
///
/// A number is a function of (seed, purpose, epoch, index): there is no hidden state, any part can
/// be computed independently, and all platforms give the same numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// The dropout stream of layer i is kDropout + 256 i, the orders of rank r are those of kOrder +
/// 256 r.
enum class Purpose : std::uint32_t { kInitialWeights = 0, kOrder = 1, kDropout = 2, kBlocks = 3 };

struct FASTMLP_API RandomStream {
    std::uint64_t seed;
    Purpose purpose;
    std::uint32_t epoch;

    /// The four words of one counter block.
    std::array<std::uint32_t, 4> block(std::uint64_t counter) const;
    /// Uniform in [0, 1), a multiple of 2^-53.
    double uniform(std::uint64_t index) const { return uniforms(index / 2)[index % 2]; }
    /// Both numbers of one counter block.
    std::array<double, 2> uniforms(std::uint64_t counter) const;
};

/// out[i] = the number `first` + i of `stream`, uniform in [0, 1).
FASTMLP_API void draw_uniforms(const RandomStream& stream, std::uint64_t first, double* out,
                               std::size_t count);

/// Fisher-Yates shuffle of 0..count-1 with the draws first, first + 1, ... of `stream`. The index
/// j <= i is the high word of draw * (i + 1); its deviation from uniform is below count / 2^32.
FASTMLP_API void draw_order(const RandomStream& stream, std::uint64_t first, std::uint32_t* order,
                            std::size_t count);
/// The order of samples in an epoch.
FASTMLP_API void draw_order(std::uint64_t seed, std::uint32_t epoch, std::uint32_t* order,
                            std::size_t count);

}  // namespace fastmlp
