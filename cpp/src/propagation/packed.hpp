/// The kernels' layout: rows padded and cut into panels, scratch memory, and the parameters, in a
/// padded private copy where the public layout would be slow.
///
/// The public buffer is contiguous: rows of N elements without padding. If N is not a multiple of
/// the vector length, the end of a row needs partial stores, and the load of the next row then
/// stalls on them; such layers are computed on rows padded to `kPad`. Narrow layers are stored
/// transposed, because their vectors run over K. All other layers are used in place.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "fastmlp/buffer.hpp"
#include "fastmlp/layout.hpp"
#include "kernels/table.hpp"
#include "threads/interrupts.hpp"

namespace fastmlp {

inline std::size_t padded(std::size_t columns) {
    return (columns + kernels::kPad - 1) / kernels::kPad * kernels::kPad;
}

/// Whether rows this far apart share a few cache sets.
template <class T>
bool aliases(std::size_t stride) {
    return stride * sizeof(T) % 4096 == 0;
}

/// Row stride of activations. Strides of a multiple of 64 elements would map the same column of all
/// rows to a few sets of the L1 cache: they would evict each other before the weight update reads
/// them.
inline std::size_t activation_stride(std::size_t columns) {
    const std::size_t stride = padded(columns);
    return stride % 64 == 0 ? stride + kernels::kPad : stride;
}

/// Reusable memory for packed panels, one per thread.
template <class T>
struct Scratch {
    std::vector<T> memory;
    std::vector<const T*> rows;  ///< of a panel
};

/// Calls f(first, width) for the fewest panels that cover `columns` (a multiple of kernels::kPad),
/// with widths as equal as possible.
template <class F>
void for_each_panel(std::size_t columns, std::size_t most, F f) {
    const std::size_t units = columns / kernels::kPad;
    std::size_t parts = (columns + most - 1) / most;
    for (std::size_t first = 0; parts > 0; --parts) {
        const std::size_t size = (units - first + parts - 1) / parts;
        f(first * kernels::kPad, size * kernels::kPad);
        first += size;
    }
}
template <class F>
void for_each_panel(std::size_t columns, F f) {
    for_each_panel(columns, kernels::kPanel, f);
}

/// At least `size` elements, valid until more are requested.
template <class T>
T* room(Scratch<T>& scratch, std::size_t size) {
    if (scratch.memory.size() < size) scratch.memory.resize(size);
    return scratch.memory.data();
}

/// One layer's parameters for a kernel: K nodes in, N nodes out.
template <class T>
struct DenseView {
    std::size_t k, n;
    T* w;  ///< (K, N) rows of `ldw`; transposed: (N, K)
    std::size_t ldw;
    T* biases;           ///< (N,), readable up to the next multiple of kPad
    T *scales, *shifts;  ///< of a normalised layer, like the biases; else null
    bool transposed;     ///< true exactly for the narrow layers of packed parameters
    /// (K,), where the layer's inputs are normalised, like the biases; else null
    T *input_scales = nullptr, *input_shifts = nullptr;
};

template <class T>
DenseView<const T> read_only(const DenseView<T>& v) {
    return {v.k,      v.n,      v.w,          v.ldw,          v.biases,
            v.scales, v.shifts, v.transposed, v.input_scales, v.input_shifts};
}

/// What normalises the inputs of a layer, as if it were a layer without weights.
template <class T>
DenseView<T> input_view(const DenseView<T>& layer) {
    return {.k = 0,
            .n = layer.k,
            .w = nullptr,
            .ldw = 0,
            .biases = nullptr,
            .scales = layer.input_scales,
            .shifts = layer.input_shifts,
            .transposed = false};
}

/// Calls f(part, size) for the vectors of a layer, in the order of the layout.
template <class T, class F>
void for_each_vector(const DenseView<T>& layer, F f) {
    f(&DenseView<T>::biases, layer.n);
    if (layer.scales != nullptr) {
        f(&DenseView<T>::scales, layer.n);
        f(&DenseView<T>::shifts, layer.n);
    }
    if (layer.input_scales != nullptr) {
        f(&DenseView<T>::input_scales, layer.k);
        f(&DenseView<T>::input_shifts, layer.k);
    }
}

template <class T>
class PackedParameters {
public:
    /// Of `flat`, which has the given layout and must outlive this.
    PackedParameters(const Layout& layout, T* flat);

    void load(Poll* poll = nullptr);  ///< flat -> packed; `poll` (may be null) counts the elements
    void store();                     ///< packed -> flat
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

/// Layer i of `flat` in the public layout, for kernels that need no padding.
template <class T>
DenseView<T> natural_view(const Layout& layout, std::size_t i, T* flat) {
    const LayerLayout& layer = layout[i];
    const auto vector = [&](const Parameter& part) {
        return part.size() > 0 ? flat + part.offset : nullptr;
    };
    return {.k = layer.k,
            .n = layer.n,
            .w = flat + layer.weights.offset,
            .ldw = layer.n,
            .biases = flat + layer.biases.offset,
            .scales = vector(layer.scales),
            .shifts = vector(layer.shifts),
            .transposed = false,
            .input_scales = vector(layer.input_scales),
            .input_shifts = vector(layer.input_shifts)};
}

}  // namespace fastmlp
