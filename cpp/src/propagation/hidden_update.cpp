#include "propagation/hidden_update.hpp"

#include <algorithm>

namespace fastmlp {

using kernels::kPad;

namespace {

/// Hidden nodes whose gradients are in the first-level cache when the optimizer asks for them.
constexpr std::size_t kColumns = 512;

}  // namespace

template <class T>
void hidden_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const UpdateTarget<T>& next, const DenseView<const T>& next_layer,
                   const T* const* a, const Rows<T>& nodes, Rows<T>& delta, Range batch,
                   GradientUse<T> use, Share share, Scratch<T>& scratch, RowPrefetcher* prefetch) {
    const DenseView<T>& layer = target.parameters;
    const std::size_t inputs = layer.k, outputs = next_layer.n;
    const Range mine = share.of(padded(layer.n), kPad);
    T* gradients = room(scratch, (inputs + 1 + outputs) * kColumns);
    const T *biases = gradients + inputs * kColumns, *next_weights = biases + kColumns;
    if (prefetch) prefetch->spread_over((mine.size() + kColumns - 1) / kColumns);
    for (std::size_t j = mine.first; j < mine.last; j += kColumns) {
        if (prefetch) prefetch->advance();
        const std::size_t width = std::min(kColumns, mine.last - j);
        const std::size_t columns = std::min(width, layer.n - j);
        kernel.hidden_gradients(a + batch.first, inputs, nodes.pointers.data() + batch.first,
                                delta.pointers.data() + batch.first, outputs, next_layer.w,
                                next_layer.ldw, j, width, batch.size(), use.scale, gradients,
                                kColumns);
        use_gradients(kernel, target, &DenseView<T>::w, j, {inputs, width}, gradients, use,
                      kColumns);
        use_gradients(kernel, target, &DenseView<T>::biases, j, {1, width}, biases, use, kColumns);
        use_gradients(kernel, next, &DenseView<T>::w, j, {outputs, columns}, next_weights, use,
                      kColumns);
    }
    bias_update(kernel, next, delta, batch, use, share, scratch);
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template void hidden_update(const kernels::KernelTable<T>&, const UpdateTarget<T>&,           \
                                const UpdateTarget<T>&, const DenseView<const T>&,                \
                                const T* const*, const Rows<T>&, Rows<T>&, Range, GradientUse<T>, \
                                Share, Scratch<T>&, RowPrefetcher*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
