/// Inverted dropout, with the mask computed on the fly, compiled per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

/// Columns whose random words are computed together: sixteen counters of four words.
inline constexpr std::size_t kDrawn = 64;

/// Philox4x32-10 (see random.hpp) of the counters (block + i, position, epoch, stream), i < 16.
/// Word w of counter i goes to words[16 w + i].
FASTMLP_INLINE void draw_words(const Mask& mask, std::uint32_t position, std::uint32_t block,
                               std::uint32_t* words) {
    using Reg = U32::Reg;
    const Reg multiplier0 = U32::set1(0xD2511F53), multiplier1 = U32::set1(0xCD9E8D57);
    FASTMLP_UNROLL
    for (std::size_t i = 0; i < 16; i += U32::kLanes) {
        std::uint32_t key0 = static_cast<std::uint32_t>(mask.seed);
        std::uint32_t key1 = static_cast<std::uint32_t>(mask.seed >> 32);
        Reg x0 = U32::count_from(block + static_cast<std::uint32_t>(i));
        Reg x1 = U32::set1(position), x2 = U32::set1(mask.epoch), x3 = U32::set1(mask.stream);
        FASTMLP_UNROLL
        for (int round = 0; round < 10; ++round) {
            Reg high0, low0, high1, low1;
            U32::multiply(x0, multiplier0, high0, low0);
            U32::multiply(x2, multiplier1, high1, low1);
            x0 = U32::exclusive_or(high1, x1, U32::set1(key0));
            x1 = low1;
            x2 = U32::exclusive_or(high0, x3, U32::set1(key1));
            x3 = low0;
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        U32::store(words + i, x0);
        U32::store(words + 16 + i, x1);
        U32::store(words + 32 + i, x2);
        U32::store(words + 48 + i, x3);
    }
}

/// Entries of the kernel table, see table.hpp.
inline void random_words(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch,
                         std::uint64_t counter, std::uint32_t* words) noexcept {
    draw_words({.seed = seed, .stream = stream, .epoch = epoch, .position = 0, .least = 0},
               static_cast<std::uint32_t>(counter >> 32), static_cast<std::uint32_t>(counter),
               words);
}

template <class S>
void dropout(const typename S::Scalar* h, std::size_t ldh, std::size_t rows, std::size_t cols,
             const Mask& mask, typename S::Scalar scale, typename S::Scalar* out,
             std::size_t ldo) noexcept {
    using Reg = typename S::Reg;
    alignas(64) std::uint32_t words[kDrawn];
    const Reg factor = S::set1(scale);
    for (std::size_t r = 0; r < rows; ++r, h += ldh, out += ldo) {
        for (std::size_t first = 0; first < cols; first += kDrawn) {
            draw_words(mask, mask.position + static_cast<std::uint32_t>(r),
                       static_cast<std::uint32_t>(first / 4), words);
            const std::size_t left = cols - first;
            for (std::size_t c = 0; c < (left < kDrawn ? left : kDrawn); c += S::kLanes) {
                const Reg scaled = S::mul(S::load(h + first + c), factor);
                S::store(out + first + c, S::keep_at_least(words + c, mask.least, scaled));
            }
        }
    }
}

}  // namespace
}  // namespace fastmlp::kernels
