/// The orders of samples that `numpy.random.RandomState.shuffle` leads to, which scikit-learn draws
/// before each epoch. NumPy promises never to change them.
///
/// Matsumoto and Nishimura, Mersenne Twister, ACM TOMACS 8 (1998); Fisher and Yates' shuffle from
/// the last element on, whose places are drawn by rejection.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace fastmlp {

class NumpyOrders {
public:
    static constexpr std::size_t kWords = 624;

    /// From the words of a generator's state, of which `used` are drawn, at most all; the order
    /// before the first draw is 0, 1, 2, ...
    NumpyOrders(std::vector<std::uint32_t> words, std::size_t used, std::size_t rows)
        : words_(std::move(words)), used_(used), order_(rows) {
        std::iota(order_.begin(), order_.end(), 0U);
    }

    const std::vector<std::uint32_t>& order() const { return order_; }

    /// Shuffles the order before. Whether a word is rejected is no branch, as none predicts it: the
    /// element then changes places with itself, and is drawn for again.
    const std::vector<std::uint32_t>& draw() {
        for (std::size_t i = order_.empty() ? 0 : order_.size() - 1; i > 0;) {
            const std::size_t mask = std::bit_ceil(i + 1) - 1;
            while (i > mask / 2) {
                const std::size_t place = word() & mask;
                const bool taken = place <= i;
                std::swap(order_[i], order_[taken ? place : i]);
                i -= taken ? 1 : 0;
            }
        }
        return order_;
    }

    /// Whether all draws are the same from here on.
    bool operator==(const NumpyOrders&) const = default;

private:
    std::uint32_t word() {
        if (used_ == kWords) renew();
        std::uint32_t y = words_[used_++];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680U;
        y ^= y << 15 & 0xefc60000U;
        return y ^ y >> 18;
    }

    void renew() {
        constexpr std::size_t kMiddle = 397;
        std::size_t i = 0;
        for (; i < kWords - kMiddle; ++i) twist(i, i + 1, i + kMiddle);
        for (; i < kWords - 1; ++i) twist(i, i + 1, i + kMiddle - kWords);
        twist(i, 0, kMiddle - 1);
        used_ = 0;
    }
    void twist(std::size_t i, std::size_t following, std::size_t middle) {
        const std::uint32_t y = (words_[i] & 0x80000000U) | (words_[following] & 0x7fffffffU);
        words_[i] = words_[middle] ^ y >> 1 ^ ((y & 1) * 0x9908b0dfU);
    }

    std::vector<std::uint32_t> words_;  ///< kWords
    std::size_t used_;                  ///< of them
    std::vector<std::uint32_t> order_;
};

}  // namespace fastmlp
