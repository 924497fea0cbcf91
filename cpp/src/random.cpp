#include "fastmlp/random.hpp"

#include <algorithm>
#include <utility>

#include "kernels/dispatch.hpp"

namespace fastmlp {

std::array<std::uint32_t, 4> RandomStream::block(std::uint64_t counter) const {
    constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
    constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
    std::uint32_t key0 = static_cast<std::uint32_t>(seed);
    std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
    std::array<std::uint32_t, 4> x = {static_cast<std::uint32_t>(counter),
                                      static_cast<std::uint32_t>(counter >> 32), epoch,
                                      static_cast<std::uint32_t>(purpose)};
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = kMultiplier0 * x[0], p1 = kMultiplier1 * x[2];
        x = {static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ key0, static_cast<std::uint32_t>(p1),
             static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ key1, static_cast<std::uint32_t>(p0)};
        key0 += kWeyl0;
        key1 += kWeyl1;
    }
    return x;
}

namespace {

double uniform_of(std::uint64_t low, std::uint64_t high) {
    return static_cast<double>((low | high << 32) >> 11) * 0x1p-53;
}

}  // namespace

std::array<double, 2> RandomStream::uniforms(std::uint64_t counter) const {
    const auto words = block(counter);
    return {uniform_of(words[0], words[1]), uniform_of(words[2], words[3])};
}

void draw_uniforms(const RandomStream& stream, std::uint64_t first, double* out,
                   std::size_t count) {
    const auto random_words = kernels::active_table<float>().random_words;
    constexpr std::uint64_t kAtOnce = 32;  // two of each of sixteen blocks, see random_words
    std::array<std::uint32_t, 2 * kAtOnce> words{};
    while (count > 0) {
        const std::size_t some = std::min<std::uint64_t>(count, kAtOnce - first % kAtOnce);
        random_words(stream.seed, static_cast<std::uint32_t>(stream.purpose), stream.epoch,
                     first / kAtOnce * 16, words.data());
        for (std::size_t i = 0; i < some; ++i, ++first) {
            const std::uint32_t* low = &words[first % 2 * 32 + first / 2 % 16];
            *out++ = uniform_of(low[0], low[16]);
        }
        count -= some;
    }
}

void draw_order(const RandomStream& stream, std::uint64_t first, std::uint32_t* order,
                std::size_t count) {
    const auto random_words = kernels::active_table<float>().random_words;
    for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<std::uint32_t>(i);
    std::array<std::uint32_t, 64> words{};  // those of sixteen blocks, see random_words
    for (std::size_t left = count; left > 0;) {
        const std::uint64_t last = first + left - 1;
        random_words(stream.seed, static_cast<std::uint32_t>(stream.purpose), stream.epoch,
                     last / 64 * 16, words.data());
        // Word r of block c is draw 4 c + r; loops are faster than computing its place.
        const auto draw = [&](std::size_t c, std::size_t r) {
            const std::uint64_t word = words[r * 16 + c];
            const auto j = static_cast<std::size_t>((word * left) >> 32);
            std::swap(order[--left], order[j]);
        };
        std::size_t c = last / 4 % 16;
        for (std::size_t r = last % 4 + 1; r-- > 0 && left > 0;) draw(c, r);
        while (c-- > 0 && left >= 4) {
            for (const std::size_t r : {3, 2, 1, 0}) draw(c, r);
        }
    }
}

void draw_order(std::uint64_t seed, std::uint32_t epoch, std::uint32_t* order, std::size_t count) {
    draw_order({seed, Purpose::kOrder, epoch}, 0, order, count);
}

}  // namespace fastmlp
