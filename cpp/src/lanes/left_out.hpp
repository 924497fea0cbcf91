/// Samples of networks side by side that do not count: those of weight 0, which each ignores, and
/// those that others have more of.
#pragma once

#include <cstddef>
#include <vector>

#include "lanes/arrays.hpp"

namespace fastmlp {

/// Those of a block.
class LeftOut {
public:
    /// Room for `rows` of each lane.
    LeftOut(std::size_t rows, std::size_t lanes) : lanes_(lanes) { places_.reserve(rows * lanes); }

    void clear() { places_.clear(); }
    void add(std::size_t row, std::size_t lane) { places_.push_back(row * lanes_ + lane); }
    bool empty() const { return places_.empty(); }

    /// The numbers of samples of each lane that count, of `rows`.
    template <class T>
    void count_others(std::size_t rows, T* counts) const {
        for (std::size_t l = 0; l < lanes_; ++l) counts[l] = static_cast<T>(rows);
        for (const std::size_t place : places_) counts[place % lanes_] -= 1;
    }

    /// Makes them zeros, whatever they are. Adding a product with 0 leaves a sum as it is, except
    /// for the sign of a zero, which gradients do not have.
    template <class T>
    void zero(LaneRows<T>& values) const {
        for (const std::size_t place : places_) {
            const std::size_t b = place / lanes_, l = place % lanes_;
            T* const sample = values.values.data() + b * values.stride * lanes_ + l;
            for (std::size_t j = 0; j < values.columns; ++j) sample[j * lanes_] = 0;
        }
    }

    /// The same for one value of each sample.
    template <class T>
    void zero(Buffer<T>& values) const {
        for (const std::size_t place : places_) values[place] = 0;
    }

private:
    std::size_t lanes_;
    std::vector<std::size_t> places_;
};

}  // namespace fastmlp
