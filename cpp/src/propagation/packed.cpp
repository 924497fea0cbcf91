#include "propagation/packed.hpp"

#include <cstdint>
#include <utility>

#include "kernels/table.hpp"

namespace fastmlp {
namespace {

using kernels::kNarrow;
using kernels::kPad;

/// The time of copying one element, in flops.
constexpr double kFlopsPerCopy = 10;

/// Kernels write vectors up to the next multiple of kPad.
template <class T>
bool usable_in_place(const LayerLayout& layer, const T* flat) {
    const auto address = reinterpret_cast<std::uintptr_t>(flat + layer.weights.offset);
    return layer.n > kNarrow && layer.n % kPad == 0 && layer.input_scales.size() % kPad == 0 &&
           address % 64 == 0;
}

/// The number of elements of a layer's private weights, and of its vectors.
std::size_t weights_size(const LayerLayout& layer) {
    return layer.n <= kNarrow ? checked_multiply(layer.n, padded(layer.k))
                              : checked_multiply(layer.k, padded(layer.n));
}
std::size_t packed_size(const LayerLayout& layer) {
    const std::size_t vectors = layer.scales.size() == 0 ? 1 : 3;
    return checked_add(weights_size(layer),
                       vectors * padded(layer.n) + 2 * padded(layer.input_scales.size()));
}

template <class T>
DenseView<T> packed_view(const LayerLayout& layer, T* packed) {
    const bool transposed = layer.n <= kNarrow;
    T* next = packed + weights_size(layer);
    const auto vector = [&](const Parameter& part) -> T* {
        return part.size() > 0 ? std::exchange(next, next + padded(part.size())) : nullptr;
    };
    // In the order of the layout, as an initialiser list is evaluated.
    return {.k = layer.k,
            .n = layer.n,
            .w = packed,
            .ldw = padded(transposed ? layer.k : layer.n),
            .biases = vector(layer.biases),
            .scales = vector(layer.scales),
            .shifts = vector(layer.shifts),
            .transposed = transposed,
            .input_scales = vector(layer.input_scales),
            .input_shifts = vector(layer.input_shifts)};
}

}  // namespace

template <class T>
PackedParameters<T>::PackedParameters(const Layout& layout, T* flat)
    : layout_(layout), flat_(flat) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (!usable_in_place(layout[i], flat)) size = checked_add(size, packed_size(layout[i]));
    }
    padded_ = Buffer<T>(size);
    T* next = padded_.data();
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (usable_in_place(layout[i], flat)) {
            layers_.push_back(natural_view(layout, i, flat));
        } else {
            layers_.push_back(packed_view(layout[i], next));
            next += packed_size(layout[i]);
        }
    }
}

/// copy(flat element, packed element) for every element that has a packed copy.
template <class T>
template <class Copy>
void PackedParameters<T>::for_each_element(Copy copy, Poll* poll) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const DenseView<T>&view = layers_[i], flat = natural_view(layout_, i, flat_);
        if (view.w == flat.w) continue;
        for (std::size_t k = 0; k < view.k; ++k) {
            T* row = flat.w + k * view.n;
            if (view.transposed) {
                for (std::size_t n = 0; n < view.n; ++n) copy(row[n], view.w[n * view.ldw + k]);
            } else {
                for (std::size_t n = 0; n < view.n; ++n) copy(row[n], view.w[k * view.ldw + n]);
            }
            if (poll) poll->worked(kFlopsPerCopy * static_cast<double>(view.n));
        }
        for_each_vector(view, [&](T* DenseView<T>::* part, std::size_t size) {
            for (std::size_t j = 0; j < size; ++j) copy((flat.*part)[j], (view.*part)[j]);
        });
    }
}

template <class T>
void PackedParameters<T>::load(Poll* poll) {
    for_each_element([](const T& flat, T& packed) { packed = flat; }, poll);
}

template <class T>
void PackedParameters<T>::store() {
    for_each_element([](T& flat, const T& packed) { flat = packed; }, nullptr);
}

template class PackedParameters<float>;
template class PackedParameters<double>;

}  // namespace fastmlp
