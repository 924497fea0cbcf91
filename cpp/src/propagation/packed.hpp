/// The parameters as the kernels want them: a private image where the public layout would cost.
///
/// The public buffer is exact: rows of N elements, one after another. A row whose end is not a
/// vector's end can only be stored in pieces, and the next row's load then waits for the pieces; so
/// such layers are worked on in rows padded to `kPad`. Narrow layers are kept transposed: lanes run
/// over K there. All other layers are used in place.
#pragma once

#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"
#include "threads/interrupts.hpp"

namespace fastmlp {

/// One layer's parameters as a kernel sees them, K nodes in and N nodes out.
template <class T>
struct DenseView {
    std::size_t k, n;
    T* w;  ///< (K, N) rows of `ldw`; transposed: (N, K)
    std::size_t ldw;
    T* biases;           ///< (N,), readable up to the next multiple of kPad
    T *scales, *shifts;  ///< of a normalised layer, like the biases; else null
    bool transposed;     ///< exactly the narrow layers of an image
};

template <class T>
DenseView<const T> read_only(const DenseView<T>& v) {
    return {v.k, v.n, v.w, v.ldw, v.biases, v.scales, v.shifts, v.transposed};
}

template <class T>
class Image {
public:
    /// An image of `flat`, which is laid out after `layout` and must outlive the image.
    Image(const Layout& layout, T* flat);

    void load(Poll* poll = nullptr);  ///< flat -> image; `poll` (may be null) counts the elements
    void store();                     ///< image -> flat
    const DenseView<T>& operator[](std::size_t i) const { return layers_[i]; }
    std::size_t size() const { return layers_.size(); }

private:
    template <class Copy>
    void for_each_element(Copy copy, Poll* poll);

    const Layout& layout_;
    T* flat_;
    Buffer<T> padded_;
    std::vector<DenseView<T>> layers_;
};

/// Layer i of `flat` in its natural layout: what needs no padding needs no image.
template <class T>
DenseView<T> natural_view(const Layout& layout, std::size_t i, T* flat) {
    const LayerLayout& layer = layout[i];
    const bool normalized = layer.scales.size() > 0;
    return {.k = layer.k,
            .n = layer.n,
            .w = flat + layer.weights.offset,
            .ldw = layer.n,
            .biases = flat + layer.biases.offset,
            .scales = normalized ? flat + layer.scales.offset : nullptr,
            .shifts = normalized ? flat + layer.shifts.offset : nullptr,
            .transposed = false};
}

}  // namespace fastmlp
