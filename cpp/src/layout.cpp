#include "fastmlp/layout.hpp"

#include <stdexcept>

#include "fastmlp/buffer.hpp"

namespace fastmlp {

Layout::Layout(std::size_t features, const std::vector<Layer>& layers) {
    if (layers.empty()) throw std::invalid_argument("a network needs at least one layer");
    std::size_t k = features;
    for (const Layer& layer : layers) {
        const std::size_t n = layer.nodes;
        if (k == 0 || n == 0) throw std::invalid_argument("every layer needs at least one node");
        const std::size_t weights = checked_multiply(k, n);
        const std::size_t biases_offset = checked_add(size_, weights);
        layers_.push_back(
            {k, n, {"weights", size_, k, n}, {"biases", biases_offset, std::size_t{1}, n}});
        size_ = checked_add(biases_offset, n);
        k = n;
    }
}

}  // namespace fastmlp
