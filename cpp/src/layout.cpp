#include "fastmlp/layout.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "fastmlp/buffer.hpp"

namespace fastmlp {

Layout::Layout(std::size_t features, const std::vector<Layer>& layers) {
    if (layers.empty()) throw std::invalid_argument("a network needs at least one layer");
    const auto place = [](std::size_t& size, const char* name, std::size_t rows, std::size_t cols) {
        const Parameter parameter{name, size, rows, cols};
        size = checked_add(size, checked_multiply(rows, cols));
        return parameter;
    };
    if (features == 0) throw std::invalid_argument("features must be at least 1, got 0");
    std::size_t k = features;
    for (const Layer& layer : layers) {
        const std::size_t n = layer.nodes;
        if (n == 0) {
            throw std::invalid_argument("layer " + std::to_string(layers_.size()) +
                                        " must have at least one node, got 0");
        }
        const auto normalized = [](Normalization normalization, std::size_t nodes) {
            return normalization == Normalization::kNone ? 0 : nodes;
        };
        const auto averaged = [](Normalization normalization, std::size_t nodes) {
            return normalization == Normalization::kBatch ? nodes : 0;
        };
        const Normalization own = layer.normalization, of_inputs = layer.input_normalization;
        LayerLayout& at = layers_.emplace_back();
        at.k = k;
        at.n = n;
        at.weights = place(size_, "weights", k, n);
        at.biases = place(size_, "biases", 1, n);
        at.scales = place(size_, "scales", 1, normalized(own, n));
        at.shifts = place(size_, "shifts", 1, normalized(own, n));
        at.input_scales = place(size_, "scales", 1, normalized(of_inputs, k));
        at.input_shifts = place(size_, "shifts", 1, normalized(of_inputs, k));
        std::size_t& size = statistics_size_;
        at.running_means = place(size, "running_means", 1, averaged(own, n));
        at.running_variances = place(size, "running_variances", 1, averaged(own, n));
        at.input_running_means = place(size, "running_means", 1, averaged(of_inputs, k));
        at.input_running_variances = place(size, "running_variances", 1, averaged(of_inputs, k));
        k = n;
    }
}

void Layout::check_layer(std::size_t i) const {
    if (i < layers_.size()) return;
    throw std::invalid_argument("there is no layer " + std::to_string(i) + " of " +
                                std::to_string(layers_.size()));
}

bool Layout::matches(const Layout& other) const {
    const auto same = [](const LayerLayout& a, const LayerLayout& b) {
        return a.k == b.k && a.n == b.n && a.scales.size() == b.scales.size() &&
               a.running_means.size() == b.running_means.size() &&
               a.input_scales.size() == b.input_scales.size() &&
               a.input_running_means.size() == b.input_running_means.size();
    };
    return std::equal(layers_.begin(), layers_.end(), other.layers_.begin(), other.layers_.end(),
                      same);
}

}  // namespace fastmlp
