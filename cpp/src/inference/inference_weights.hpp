/// The weights of a network for one call of an inference function.
#pragma once

#include <optional>
#include <utility>

#include "fastmlp/network.hpp"
#include "propagation/packed.hpp"

namespace fastmlp {

/// The weights in the network's buffer or, for many rows, in a copy whose rows are aligned to
/// vectors (40-100-100-10, 1000 rows: 6 % faster).
template <class T>
class InferenceWeights {
public:
    /// For `rows` rows of features. The network must outlive this and not change meanwhile.
    InferenceWeights(const Network<T>& network, std::size_t rows, Poll* poll)
        : layout_(network.layout()), flat_(std::as_const(*network.parameters()).data()) {
        if (rows < kWorthPacking) return;
        packed_.emplace(layout_, network.parameters()->data());
        packed_->load(poll);
    }

    DenseView<const T> operator()(std::size_t layer) const {
        return packed_ ? read_only((*packed_)[layer]) : natural_view(layout_, layer, flat_);
    }

private:
    /// Below this number of rows the copy costs more than it saves.
    static constexpr std::size_t kWorthPacking = 512;

    const Layout& layout_;
    const T* flat_;
    std::optional<PackedParameters<T>> packed_;
};

}  // namespace fastmlp
