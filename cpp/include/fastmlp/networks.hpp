/// Many networks of the same layers over one buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "fastmlp/network.hpp"

namespace fastmlp {

/// Network i has the seed `seed` + i and the initial parameters of a network made with
/// it. Its parameters are row i of one buffer, and nothing else exists until it is asked for.
template <class T>
class FASTMLP_API Networks {
public:
    /// Like `first`, whose seed is that of network 0; it must be a new network. Throws
    /// std::invalid_argument if the last seed would be 2^64 or more.
    Networks(Network<T> first, std::size_t count);

    std::size_t count() const { return count_; }
    std::size_t features() const { return first_.features(); }
    std::size_t outputs() const { return first_.outputs(); }
    std::uint64_t seed(std::size_t i) const { return first_.seed() + i; }
    /// The number of parameters of one network.
    std::size_t size() const { return first_.layout().size(); }
    /// (count, size) in C order, live.
    const std::shared_ptr<Buffer<T>>& parameters() const { return parameters_; }
    /// A network whose parameters are row i, live, and whose other state is new.
    Network<T> at(std::size_t i) const { return at(i, seed(i)); }
    /// The same with another seed than the rule's.
    Network<T> at(std::size_t i, std::uint64_t seed) const;

    /// Whether `predict` takes these layers: without normalization, scaling and heads, and small
    /// enough that sixteen networks at once are faster than one after another.
    bool predicts_together() const;
    /// Outputs (rows of x, outputs) of `places.size()` networks, one after another, with the bits
    /// of `Network::predict`. Throws std::invalid_argument, before writing anything, for other
    /// layers than `predicts_together` has, and for a place without a network.
    void predict(MatrixView<const T> x, std::span<const std::size_t> places, T* out) const;

private:
    Network<T> first_;
    std::size_t count_;
    std::shared_ptr<Buffer<T>> parameters_;
};

extern template class Networks<float>;
extern template class Networks<double>;

}  // namespace fastmlp
