/// A random batch at the output layer, and what a loss makes of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "check.hpp"

namespace output {

constexpr std::size_t padded(std::size_t n) {
    return (n + 15) / 16 * 16;
}

/// A batch at the output: scores in padded rows, targets in separate rows.
template <class T>
struct Batch {
    std::size_t rows, n, stride;
    std::vector<T> z;
    std::vector<std::vector<T>> targets;
    std::vector<const T*> target_rows;
    std::vector<std::int32_t> labels;

    Batch(std::size_t rows_, std::size_t n_, double width, int seed)
        : rows(rows_), n(n_), stride(padded(n_) + 16), z(rows * stride, T(99)), targets(rows) {
        std::mt19937_64 random(static_cast<unsigned>(seed));
        std::uniform_real_distribution<double> score(-width, width), share(0, 1);
        for (std::size_t b = 0; b < rows; ++b) {
            for (std::size_t j = 0; j < n; ++j) z[b * stride + j] = static_cast<T>(score(random));
            for (std::size_t j = 0; j < n; ++j) targets[b].push_back(static_cast<T>(share(random)));
            target_rows.push_back(targets[b].data());
            labels.push_back(static_cast<std::int32_t>(random() % n));
        }
    }
};

/// Deltas, in rows as wide as those of z, and losses; both are followed by marks that no kernel may
/// touch.
template <class T>
struct Result {
    std::vector<T> delta, losses;
    explicit Result(const Batch<T>& batch)
        : delta(batch.rows * batch.stride, T(-7)), losses(batch.rows + 1, T(-7)) {
        for (std::size_t b = 0; b < batch.rows; ++b) {
            std::fill_n(delta.begin() + static_cast<std::ptrdiff_t>(b * batch.stride),
                        padded(batch.n), T(0));
        }
    }
    bool operator==(const Result& other) const {
        return check::same(delta, other.delta) && check::same(losses, other.losses);
    }
};

}  // namespace output
