#include "image.hpp"

#include <cstdint>

#include "kernels/table.hpp"
#include "padding.hpp"

namespace fastmlp {
namespace {

using kernels::kNarrow;
using kernels::kPad;

template <class T>
bool usable_in_place(const LayerLayout& layer, const T* flat) {
    const auto address = reinterpret_cast<std::uintptr_t>(flat + layer.weights.offset);
    return layer.n > kNarrow && layer.n % kPad == 0 && address % 64 == 0;
}

/// Elements a layer's private weights and biases take.
std::size_t image_size(const LayerLayout& layer) {
    const std::size_t weights = layer.n <= kNarrow ? checked_multiply(layer.n, padded(layer.k))
                                                   : checked_multiply(layer.k, padded(layer.n));
    return checked_add(weights, padded(layer.n));
}

}  // namespace

template <class T>
Image<T>::Image(const Layout& layout, T* flat) : layout_(layout), flat_(flat) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (!usable_in_place(layout[i], flat)) size = checked_add(size, image_size(layout[i]));
    }
    padded_ = Buffer<T>(size);
    T* next = padded_.data();
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        const LayerLayout& layer = layout[i];
        if (usable_in_place(layer, flat)) {
            layers_.push_back({layer.k, layer.n, flat + layer.weights.offset, layer.n,
                               flat + layer.biases.offset, false});
            continue;
        }
        const bool transposed = layer.n <= kNarrow;
        T* biases = next + image_size(layer) - padded(layer.n);
        layers_.push_back(
            {layer.k, layer.n, next, padded(transposed ? layer.k : layer.n), biases, transposed});
        next += image_size(layer);
    }
}

/// copy(flat element, image element) for every element that has an image.
template <class T>
template <class Copy>
void Image<T>::for_each_element(Copy copy) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const DenseView<T>& view = layers_[i];
        T* weights = flat_ + layout_[i].weights.offset;
        T* biases = flat_ + layout_[i].biases.offset;
        if (view.w == weights) continue;
        const std::size_t step_k = view.transposed ? 1 : view.ldw;
        const std::size_t step_n = view.transposed ? view.ldw : 1;
        for (std::size_t k = 0; k < view.k; ++k) {
            for (std::size_t n = 0; n < view.n; ++n) {
                copy(weights[k * view.n + n], view.w[k * step_k + n * step_n]);
            }
        }
        for (std::size_t n = 0; n < view.n; ++n) copy(biases[n], view.biases[n]);
    }
}

template <class T>
void Image<T>::load() {
    for_each_element([](const T& flat, T& image) { image = flat; });
}

template <class T>
void Image<T>::store() {
    for_each_element([](T& flat, const T& image) { flat = image; });
}

template class Image<float>;
template class Image<double>;

}  // namespace fastmlp
