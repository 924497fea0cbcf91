/// What becomes of a number of a table before a network reads it: the encoders of numbers of
/// python/fastmlp/tables/encoding/encoders.py, with the same order of operations. Missing numbers
/// are NaN.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace fastmlp::tables {

/// The mean target of each number of the training, standardized.
struct NumberMeans {
    std::vector<double> values;  ///< ascending
    /// (values + 2, targets): of each value, of missing numbers, and of those never seen.
    std::vector<float> means;
    std::size_t targets = 0;

    void encode(double number, float* out) const;
};

/// A standardized number, its piecewise-linear encoding, whether it is missing, and its means.
struct Number {
    double median = 0, mean = 0, deviation = 1;
    std::vector<double> edges{};  ///< ascending, pieces + 1, or none
    bool missing = false;
    std::optional<NumberMeans> means{};

    std::size_t pieces() const { return edges.empty() ? 0 : edges.size() - 1; }
    std::size_t width() const { return 1 + pieces() + missing + (means ? means->targets : 0); }
    /// Writes `width()` elements.
    void encode(double number, float* out) const;
};

/// A number as it is, for networks that standardize it themselves.
struct RawNumber {
    double median = 0, least = 0, most = 0;

    double encode(double number) const;
};

}  // namespace fastmlp::tables
