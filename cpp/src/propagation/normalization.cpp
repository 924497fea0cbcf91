#include "propagation/normalization.hpp"

#include <algorithm>

namespace fastmlp {
namespace {

using kernels::KernelTable;
using kernels::kPad;

/// The moments of this thread's share of the nodes over the whole batch.
template <class T>
void measure(const KernelTable<T>& kernel, std::size_t n, const BatchContext& context,
             MatrixView<T> z, Normalized<T>& to) {
    const Range nodes = context.share.of(padded(n), kPad);
    if (nodes.size() == 0) return;
    kernel.batch_moments(z.row(0) + nodes.first, z.stride, context.batch, nodes.size(),
                         to.means.data() + nodes.first, to.variances.data() + nodes.first);
}

/// Makes sums over the samples of this process sums over all of them, and those sums means.
template <class T, class Mean>
void add_others(std::size_t n, const BatchContext& context, BatchSums<T>& others, Buffer<T>& sums,
                Mean mean) {
    context.meet();
    if (context.share.rank == 0) {
        others.add(sums.data(), padded(n), context.batch);
        const auto all = static_cast<T>(others.batch());
        if (all > 0) {
            for (std::size_t i = 0; i < n; ++i) sums.data()[i] = mean(sums.data()[i], all);
        }
    }
    context.meet();
}

/// `measure` where `others` have samples of the batch, too.
template <class T>
void measure_together(const KernelTable<T>& kernel, std::size_t n, const BatchContext& context,
                      MatrixView<T> z, Normalized<T>& to, BatchSums<T>& others) {
    const Range nodes = context.share.of(padded(n), kPad);
    const auto mean = [](T sum, T all) { return sum / all; };
    if (nodes.size() > 0) {
        kernel.column_sums(z.row(0) + nodes.first, z.stride, context.batch, nodes.size(), nullptr,
                           T(1), T(0), true, to.means.data() + nodes.first);
    }
    add_others(n, context, others, to.means, mean);
    for (std::size_t b = 0; b < context.batch; ++b) {
        for (std::size_t i = nodes.first; i < nodes.last; ++i) {
            to.x.row(b)[i] = z.row(b)[i] - to.means.data()[i];
        }
    }
    if (nodes.size() > 0) {
        const T* errors = to.x.row(0) + nodes.first;
        kernel.column_dots(errors, to.x.stride, errors, to.x.stride, context.batch, nodes.size(),
                           nullptr, T(1), to.variances.data() + nodes.first);
    }
    add_others(n, context, others, to.variances, mean);
}

/// The sums over the batch that the gradients need, for this thread's share of the nodes, continued
/// from the scales and shifts of `before`, if it has any.
template <class T>
Range sum_gradients(const KernelTable<T>& kernel, std::size_t n, std::size_t batch,
                    const DenseView<T>& before, T scale, Share share, Normalized<T>& at) {
    const Range nodes = share.of(padded(n), kPad);
    if (nodes.size() == 0) return nodes;
    const T* delta = at.delta.row(0) + nodes.first;
    const auto sums = [&](const T* of) { return of ? of + nodes.first : nullptr; };
    kernel.column_dots(delta, at.delta.stride, at.x.row(0) + nodes.first, at.x.stride, batch,
                       nodes.size(), sums(before.scales), scale,
                       at.scale_gradients.data() + nodes.first);
    kernel.column_sums(delta, at.delta.stride, batch, nodes.size(), sums(before.shifts), scale,
                       T(0), true, at.shift_gradients.data() + nodes.first);
    return nodes;
}

}  // namespace

template <class T>
void normalize(const KernelTable<T>& kernel, Normalization normalization,
               const DenseView<const T>& layer, Moments<T> running, const BatchContext& context,
               Range rows, MatrixView<T> z, Normalized<T>& to, BatchSums<T>* others) {
    const auto epsilon = static_cast<T>(normalization.epsilon);
    T *here = z.row(rows.first), *x = to.x.row(rows.first);
    if (normalization == Normalization::kLayer) {
        kernel.layer_normalize(here, z.stride, rows.size(), layer.n, epsilon, layer.scales,
                               layer.shifts, x, to.x.stride, to.inverses.data() + rows.first);
        return;
    }
    if (context.training) {
        context.meet();
        if (others) {
            measure_together(kernel, layer.n, context, z, to, *others);
        } else {
            measure(kernel, layer.n, context, z, to);
        }
        context.meet();
    }
    const Moments<T> by =
        context.training ? Moments<T>{to.means.data(), to.variances.data()} : running;
    kernel.batch_normalize(here, z.stride, rows.size(), padded(layer.n), epsilon, by.means,
                           by.variances, layer.scales, layer.shifts, x, to.x.stride);
}

template <class T>
void move_averages(double momentum, std::size_t n, const Normalized<T>& at, std::size_t batch,
                   Share share, Moments<T> running) {
    if (batch < 2) return;  // one row has no variance
    const auto weight = static_cast<T>(momentum), rest = T(1) - weight;
    const T correction = static_cast<T>(batch) / static_cast<T>(batch - 1);
    const Range nodes = share.of(n, 1);
    for (std::size_t i = nodes.first; i < nodes.last; ++i) {
        const T variance = at.variances[i] * correction;
        running.means[i] = rest * running.means[i] + weight * at.means[i];
        running.variances[i] = rest * running.variances[i] + weight * variance;
    }
}

template <class T>
void normalize_for_prediction(const KernelTable<T>& kernel, Normalization normalization,
                              const DenseView<const T>& layer, Moments<const T> running, T* z,
                              std::size_t ldz, std::size_t rows, T* scratch) {
    const auto epsilon = static_cast<T>(normalization.epsilon);
    if (normalization == Normalization::kLayer) {
        kernel.layer_normalize(z, ldz, rows, layer.n, epsilon, layer.scales, layer.shifts, z, ldz,
                               scratch);
    } else {
        kernel.batch_normalize(z, ldz, rows, padded(layer.n), epsilon, running.means,
                               running.variances, layer.scales, layer.shifts, z, ldz);
    }
}

template <class T>
void normalize_backward(const KernelTable<T>& kernel, Normalization normalization,
                        const DenseView<const T>& layer, Moments<T> running,
                        const BatchContext& context, Range rows, Normalized<T>& at, Rows<T>& delta,
                        BatchSums<T>* others) {
    const T *from = at.delta.row(rows.first), *x = at.x.row(rows.first);
    T* out = delta.row(rows.first);
    if (normalization == Normalization::kLayer) {
        kernel.layer_normalize_backward(from, at.delta.stride, rows.size(), layer.n, layer.scales,
                                        x, at.x.stride, at.inverses.data() + rows.first, out,
                                        delta.stride);
        return;
    }
    const T* variances = running.variances;
    const T *mean_deltas = at.zeros.data(), *mean_products = at.zeros.data();
    if (context.training) {
        const T scale = others ? T(1) : T(1) / static_cast<T>(context.batch);
        context.meet();
        sum_gradients(kernel, layer.n, context.batch, {}, scale, context.share, at);
        if (others) {
            const auto mean = [](T sum, T all) { return sum * (T(1) / all) + T(0); };
            add_others(layer.n, context, *others, at.shift_gradients, mean);
            add_others(layer.n, context, *others, at.scale_gradients, mean);
        }
        context.meet();
        variances = at.variances.data();
        mean_deltas = at.shift_gradients.data();
        mean_products = at.scale_gradients.data();
    }
    kernel.batch_normalize_backward(from, at.delta.stride, rows.size(), padded(layer.n),
                                    static_cast<T>(normalization.epsilon), variances, layer.scales,
                                    x, at.x.stride, mean_deltas, mean_products, out, delta.stride);
}

template <class T>
void normalization_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                          std::size_t batch, Normalized<T>& at, GradientUse<T> use, Share share) {
    const Range nodes =
        sum_gradients(kernel, target.parameters.n, batch, target.sums, use.scale, share, at);
    const auto use_row = [&](const Buffer<T>& gradients, T* DenseView<T>::* part) {
        const T* g = gradients.data() + nodes.first;
        const auto row = [&](const DenseView<T>& of) {
            return of.*part == nullptr ? nullptr : of.*part + nodes.first;
        };
        if (use.rules == nullptr) {
            std::copy_n(g, nodes.size(), row(target.parameters));
        } else {
            kernel.update(use.rules->others, 1, nodes.size(), g, 0, row(target.parameters),
                          row(target.first_moment), row(target.second_moment), 0);
        }
    };
    use_row(at.scale_gradients, &DenseView<T>::scales);
    use_row(at.shift_gradients, &DenseView<T>::shifts);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void normalize(const KernelTable<T>&, Normalization, const DenseView<const T>&,       \
                            Moments<T>, const BatchContext&, Range, MatrixView<T>, Normalized<T>&, \
                            BatchSums<T>*);                                                        \
    template void move_averages(double, std::size_t, const Normalized<T>&, std::size_t, Share,     \
                                Moments<T>);                                                       \
    template void normalize_for_prediction(const KernelTable<T>&, Normalization,                   \
                                           const DenseView<const T>&, Moments<const T>, T*,        \
                                           std::size_t, std::size_t, T*);                          \
    template void normalize_backward(const KernelTable<T>&, Normalization,                         \
                                     const DenseView<const T>&, Moments<T>, const BatchContext&,   \
                                     Range, Normalized<T>&, Rows<T>&, BatchSums<T>*);              \
    template void normalization_update(const KernelTable<T>&, const UpdateTarget<T>&, std::size_t, \
                                       Normalized<T>&, GradientUse<T>, Share);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
