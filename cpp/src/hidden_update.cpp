#include "hidden_update.hpp"

#include <algorithm>

namespace fastmlp {

using kernels::kPad;
using kernels::kPanel;

template <class T>
void hidden_update(const kernels::KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const UpdateTarget<T>& next, const DenseView<const T>& next_layer,
                   const T* const* a, const Rows<T>& nodes, Rows<T>& delta, Range batch,
                   GradientUse<T> use, Share share, Scratch<T>& scratch, RowPrefetcher* prefetch) {
    const DenseView<T>& layer = target.parameters;
    const std::size_t inputs = layer.k, outputs = next_layer.n;
    const Range mine = share.of(padded(layer.n), kPad);
    T* gradients = room(scratch, (inputs + 1 + outputs) * kPanel);
    const T *biases = gradients + inputs * kPanel, *next_weights = biases + kPanel;
    if (prefetch) prefetch->spread_over((mine.size() + kPanel - 1) / kPanel);
    for_each_panel(mine.size(), [&](std::size_t first, std::size_t width) {
        if (prefetch) prefetch->advance();
        const std::size_t j = mine.first + first, columns = std::min(width, layer.n - j);
        kernel.hidden_gradients(a + batch.first, inputs, nodes.pointers.data() + batch.first,
                                delta.pointers.data() + batch.first, outputs, next_layer.w,
                                next_layer.ldw, j, width, batch.size(), use.scale, gradients,
                                kPanel);
        use_gradients(kernel, target, &DenseView<T>::w, j, {inputs, width}, gradients, use);
        use_gradients(kernel, target, &DenseView<T>::biases, j, {1, width}, biases, use);
        use_gradients(kernel, next, &DenseView<T>::w, j, {outputs, columns}, next_weights, use);
    });
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
