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
        if (rows < kWorthAnImage) return;
        image_.emplace(layout_, network.parameters()->data());
        image_->load(poll);
    }

    DenseView<const T> operator()(std::size_t layer) const {
        return image_ ? read_only((*image_)[layer]) : natural_view(layout_, layer, flat_);
    }

private:
    /// Below this number of rows the copy costs more than it saves.
    static constexpr std::size_t kWorthAnImage = 512;

    const Layout& layout_;
    const T* flat_;
    std::optional<Image<T>> image_;
};

}  // namespace fastmlp
