/// Over 400 lines, as each pass has a way of its own for wide, narrow and single rows.
#include "propagation/dense.hpp"

#include <algorithm>
#include <utility>

#include "propagation/cache_size.hpp"

namespace fastmlp {
namespace {

using kernels::Epilogue;
using kernels::KernelTable;
using kernels::kNarrow;
using kernels::kPad;
using kernels::kPanel;

/// Length of a reduction block: a panel of this many rows, an eighth of the L2 cache in float32
/// (512 rows of 1 MiB), stays there while the batch is processed. Partial sums continue from
/// memory, which does not change the bits. Rows that are not copied next to each other share fewer
/// sets of the cache, and are at most 512 (784-512-512-10, batch 128, 2 MiB: 5 % faster).
std::size_t depth_in_cache(bool is_copied) {
    constexpr std::size_t kMostApart = 512;
    const std::size_t depth = items_in_cache(cache_sizes().l2 / 8, kPanel * sizeof(float));
    return is_copied ? depth : std::min(depth, kMostApart);
}
/// Below this number of rows, transposing the weights costs more than it saves.
constexpr std::size_t kFewRows = 8;

/// One panel of outputs, block by block along the reduction.
template <class T>
struct PanelProduct {
    const KernelTable<T>& kernel;
    const T* const* a;
    std::size_t rows;
    const T* init;
    std::size_t width;
    T* out;
    std::size_t ldo;
    Epilogue epilogue;
    const T* nodes;
    std::size_t ldn;
    Poll* poll;

    /// Sums over k = 0..count-1; w(k, depth) gives (pointer, stride) of `depth` rows of the panel,
    /// which may be copies.
    template <class Weights>
    void run(std::size_t count, bool is_copied, Weights weights) const {
        const std::size_t step = depth_in_cache(is_copied);
        for (std::size_t k = 0; k < count; k += step) {
            const std::size_t depth = std::min(step, count - k);
            const bool last = k + depth == count;
            const auto [w, ldw] = weights(k, depth);
            kernel.product(a, rows, k, depth, w, ldw, k == 0 ? init : nullptr, width, out, ldo,
                           last ? epilogue : Epilogue::kNone, nodes, ldn);
            if (poll) poll->worked(2.0 * static_cast<double>(rows * depth * width));
        }
    }
};

template <class T>
void narrow_forward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const T* const* a, std::size_t rows, T* nodes, std::size_t ldn,
                    Scratch<T>& scratch) {
    if (layer.transposed) {
        kernel.narrow_forward(a, rows, layer.k, layer.w, layer.ldw, layer.biases, layer.n, nodes,
                              ldn);
    } else if (rows < kFewRows) {
        kernel.narrow_forward_natural(a, rows, layer.k, layer.w, layer.ldw, layer.biases, layer.n,
                                      nodes, ldn);
    } else {
        const std::size_t ldt = padded(layer.k);
        T* transposed = room(scratch, kPad * ldt);
        kernel.transpose(layer.w, layer.ldw, layer.k, layer.n, transposed, ldt);
        kernel.narrow_forward(a, rows, layer.k, transposed, ldt, layer.biases, layer.n, nodes, ldn);
    }
}

/// Copies rows that are `ldw` apart to rows that are kPanel apart. The rows may be on a page each,
/// where no hardware prefetcher follows.
template <class T>
void copy_panel(const T* w, std::size_t ldw, BlockSize size, T* panel) {
    constexpr std::size_t kAhead = 12, kLine = 64 / sizeof(T);
    for (std::size_t i = 0; i < size.rows; ++i) {
        const T* const from = w + i * ldw;
        if (i + kAhead < size.rows) {
            for (std::size_t j = 0; j < size.columns; j += kLine) {
                __builtin_prefetch(from + kAhead * ldw + j);
            }
        }
        std::copy_n(from, size.columns, panel + i * kPanel);
    }
}

/// Rows of the weights that are updated at a time, whole register tiles, if something must happen
/// in between.
constexpr std::size_t kUpdateRows = 24;

/// This thread's part of a layer's stored gradients: of the rows, or of the columns if there are
/// too few rows.
template <class T>
struct GradientShare {
    GradientShare(const DenseView<T>& view, Share share) : k{0, view.k}, n{0, view.n} {
        if (view.transposed) {
            k = share.of(view.k, kPad);
        } else if (view.k >= kPad * share.size) {
            k = share.of(view.k, 1);
        } else {
            n = share.of(view.n, kPad);
        }
    }

    Range k, n;
};

template <class T>
T* at(T* state, std::size_t offset) {
    return state ? state + offset : nullptr;
}

/// Makes the padding of transposed weights 0 again, and that of their moments. It is multiplied by
/// the inputs' padding: an infinite delta times that is NaN, while clipping keeps the weights
/// finite.
template <class T>
void clear_padding(const UpdateTarget<T>& target, GradientUse<T> use, Range columns) {
    const DenseView<T>& layer = target.parameters;
    const bool clips = use.rules && use.rules->weights.adjusted;
    const bool has_last = columns.size() > 0 && columns.last == layer.k;
    if (!layer.transposed || !clips || !has_last) return;
    for (T* const part : {layer.w, target.first_moment.w, target.second_moment.w}) {
        for (std::size_t n = 0; part && n < layer.n; ++n) {
            std::fill(part + n * layer.ldw + layer.k, part + (n + 1) * layer.ldw, T(0));
        }
    }
}

/// Computes a layer's gradient block by block and applies `use` to each. Plain SGD is fused with
/// the gradient product, and so is every step of one row; any other follows it, while the gradients
/// are still in cache.
template <class T>
class BlockUpdate {
public:
    BlockUpdate(const KernelTable<T>& kernel, const UpdateTarget<T>& target, GradientUse<T> use,
                Scratch<T>& scratch)
        : kernel_(kernel), target_(target), use_(use), scratch_(scratch) {}

    /// Whether the gradients of weights need no scratch memory: stored in place, plain SGD, or of
    /// one row.
    bool direct(std::size_t batch) const { return fused() || of_one(batch); }

    /// Elements `rows` x `width` of the weights, starting at `offset`: sums of a[b][i] * v[b][j]
    /// over the batch.
    void weights(const T* const* a, std::size_t i, std::size_t rows, const T* const* v,
                 std::size_t j, std::size_t width, std::size_t batch, std::size_t offset) const {
        T* w = target_.parameters.w + offset;
        const std::size_t ldw = target_.parameters.ldw;
        const T* sums = at(target_.sums.w, offset);
        if (fused()) {
            const T rate = use_.rules ? use_.rules->weights.rate : T(0);
            kernel_.outer(a, i, rows, v, j, width, batch, sums, ldw, use_.scale, rate, !use_.rules,
                          w, ldw);
            return;
        }
        if (of_one(batch)) {
            kernel_.update_of_one(use_.rules->weights, a[0] + i, rows, v[0] + j, width, use_.scale,
                                  w, at(target_.first_moment.w, offset),
                                  at(target_.second_moment.w, offset), ldw);
            return;
        }
        T* gradients = room(scratch_, rows * kPanel);
        kernel_.outer(a, i, rows, v, j, width, batch, sums, ldw, use_.scale, T(0), true, gradients,
                      kPanel);
        // Those in whole vectors: what is beyond them in the scratch memory is of other layers.
        const std::size_t lanes = kernel_.in_lanes.lanes;
        const std::size_t written = (width + lanes - 1) / lanes * lanes;
        use_gradients(kernel_, target_, &DenseView<T>::w, offset, {rows, written}, gradients, use_);
    }

    /// Columns `n` of the biases: sums of v over the batch.
    void biases(const T* v, std::size_t ldv, Range n, std::size_t batch) const {
        if (n.size() == 0) return;
        T* b = target_.parameters.biases + n.first;
        const T* sums = at(target_.sums.biases, n.first);
        v += n.first;
        if (!use_.rules || use_.rules->others.plain()) {
            const T rate = use_.rules ? use_.rules->others.rate : T(0);
            kernel_.column_sums(v, ldv, batch, n.size(), sums, use_.scale, rate, !use_.rules, b);
            return;
        }
        T* gradients = room(scratch_, n.size());
        kernel_.column_sums(v, ldv, batch, n.size(), sums, use_.scale, T(0), true, gradients);
        use_gradients(kernel_, target_, &DenseView<T>::biases, n.first, {1, n.size()}, gradients,
                      use_);
    }

private:
    bool fused() const { return !use_.rules || use_.rules->weights.plain(); }
    bool of_one(std::size_t batch) const { return batch == 1 && target_.sums.w == nullptr; }

    const KernelTable<T>& kernel_;
    const UpdateTarget<T>& target_;
    GradientUse<T> use_;
    Scratch<T>& scratch_;
};

/// The deltas of a batch, panel by panel. Each register tile of the gradients reads a panel of all
/// rows, which of a wide layer are on a page each, so that it is copied if many tiles read it and
/// the copy stays in the L2 cache (2048-2048-2048-10, batch 512: 3 % of the gradients' time).
template <class T>
class DeltaPanels {
public:
    DeltaPanels(const T* const* rows, std::size_t batch, std::size_t stride, std::size_t k,
                Scratch<T>& scratch)
        : rows_(rows), batch_(batch), scratch_(scratch) {
        constexpr std::size_t kPage = 4096, kManyWeights = 256, kManyRows = 64;
        copies_ = k >= kManyWeights && batch >= kManyRows && stride * sizeof(T) >= kPage &&
                  batch * kPanel * sizeof(T) <= cache_sizes().l2;
        if (!copies_) return;
        // After the gradients of a `BlockUpdate`, which then need no more room.
        panel_ = room(scratch, (kUpdateRows + batch) * kPanel) + kUpdateRows * kPanel;
        scratch.rows.resize(batch);
        for (std::size_t b = 0; b < batch; ++b) scratch.rows[b] = panel_ + b * kPanel;
    }

    /// The rows of `width` columns from `first` on, and in which column of these they begin.
    std::pair<const T* const*, std::size_t> operator()(std::size_t first, std::size_t width) const {
        if (!copies_) return {rows_, first};
        for (std::size_t b = 0; b < batch_; ++b) {
            std::copy_n(rows_[b] + first, width, panel_ + b * kPanel);
        }
        return {scratch_.rows.data(), 0};
    }

private:
    const T* const* rows_;
    std::size_t batch_;
    Scratch<T>& scratch_;
    bool copies_ = false;
    T* panel_ = nullptr;
};

}  // namespace

template <class T>
void dense_forward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                   Activation activation, const T* const* a, Range range, Range columns, T* nodes,
                   std::size_t ldn, Scratch<T>& scratch, Poll* poll) {
    const std::size_t rows = range.size();
    if (rows == 0 || columns.size() == 0) return;
    a += range.first;
    nodes += range.first * ldn;
    if (layer.n <= kNarrow) {
        narrow_forward(kernel, layer, a, rows, nodes, ldn, scratch);
        if (activation != Activation::kIdentity) {
            activate(kernel, activation, nodes, ldn, nodes, ldn, rows, layer.n);
        }
        return;
    }
    const bool relu = activation == Activation::kRelu;
    const Epilogue epilogue = relu ? Epilogue::kRelu : Epilogue::kNone;
    if (rows == 1) {
        T* const out = nodes + columns.first;
        kernel.product(a, 1, 0, layer.k, layer.w + columns.first, layer.ldw,
                       layer.biases + columns.first, columns.size(), out, ldn, epilogue, out, ldn);
    } else {
        const bool pack = aliases<T>(layer.ldw) && rows > 2 * kFewRows;
        for_each_panel(columns.size(), [&](std::size_t first, std::size_t width) {
            const std::size_t n = columns.first + first;
            const PanelProduct<T> product{kernel,    a,         rows, layer.biases + n,
                                          width,     nodes + n, ldn,  epilogue,
                                          nodes + n, ldn,       poll};
            product.run(layer.k, pack, [&](std::size_t k, std::size_t depth) {
                const T* w = layer.w + k * layer.ldw + n;
                if (!pack) return std::pair{w, layer.ldw};
                T* panel = room(scratch, depth * kPanel);
                copy_panel(w, layer.ldw, {depth, width}, panel);
                return std::pair{static_cast<const T*>(panel), kPanel};
            });
        });
    }
    if (!relu) activate(kernel, activation, nodes, ldn, nodes, ldn, rows, layer.n);
}

template <class T>
void dense_backward(const KernelTable<T>& kernel, const DenseView<const T>& layer,
                    const Rows<T>& delta, Range range, Range columns,
                    Activation previous_activation, Rows<T>& previous, Rows<T>& previous_delta,
                    Scratch<T>& scratch, Poll* poll) {
    // Never destroyed: threads may compute until the process ends.
    static const Buffer<T>& kZeros = *new const Buffer<T>(kPanel);
    const std::size_t rows = range.size();
    if (rows == 0) return;
    const bool relu = previous_activation == Activation::kRelu;
    T* out = previous_delta.row(range.first);
    const T* nodes = previous.row(range.first);
    for_each_panel(columns.size(), [&](std::size_t first, std::size_t width) {
        const std::size_t k = columns.first + first;
        const PanelProduct<T> product{kernel,
                                      delta.pointers.data() + range.first,
                                      rows,
                                      kZeros.data(),
                                      width,
                                      out + k,
                                      previous_delta.stride,
                                      relu ? Epilogue::kReluMask : Epilogue::kNone,
                                      nodes + k,
                                      previous.stride,
                                      poll};
        product.run(layer.n, !layer.transposed, [&](std::size_t n, std::size_t depth) {
            if (layer.transposed) return std::pair{layer.w + n * layer.ldw + k, layer.ldw};
            T* panel = room(scratch, padded(depth) * kPanel);
            kernel.transpose(layer.w + k * layer.ldw + n, layer.ldw, std::min(width, layer.k - k),
                             depth, panel, kPanel);
            return std::pair{static_cast<const T*>(panel), kPanel};
        });
    });
    if (!relu) {
        activate_backward(kernel, previous_activation, nodes, previous.stride, out,
                          previous_delta.stride, rows, layer.k);
    }
}

template <class T>
GradientUse<T> GradientUse<T>::of_layer(std::size_t i) const {
    return {scale, of_layers ? of_layers + i : rules};
}

template <class T>
void dense_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target, const T* const* a,
                  Rows<T>& delta, Range batch, GradientUse<T> use, const UpdatePart& mine,
                  Scratch<T>& scratch, RowPrefetcher* prefetch, Poll* poll) {
    const DenseView<T>& layer = target.parameters;
    const BlockUpdate<T> update(kernel, target, use, scratch);
    const T* const* deltas = delta.pointers.data() + batch.first;
    a += batch.first;
    if (layer.transposed) {
        const std::size_t step = update.direct(batch.size()) && !poll ? layer.k : kPanel;
        const Range columns = mine.columns(layer.k);
        for (std::size_t k = columns.first; k < columns.last; k += step) {
            const std::size_t width = std::min(step, columns.last - k);
            update.weights(deltas, 0, layer.n, a, k, width, batch.size(), k);
            if (poll) poll->worked(2.0 * static_cast<double>(layer.n * width * batch.size()));
        }
        clear_padding(target, use, columns);
    } else {
        const bool whole = update.direct(batch.size()) && !prefetch && !poll;
        const std::size_t step = whole ? std::max<std::size_t>(1, layer.k) : kUpdateRows;
        const std::size_t padded_n = padded(layer.n);
        if (prefetch) {
            const std::size_t steps =
                (padded_n + kPanel - 1) / kPanel * ((layer.k + step - 1) / step);
            prefetch->spread_over(mine.part_of(steps));
        }
        const DeltaPanels<T> panels(deltas, batch.size(), delta.stride, layer.k, scratch);
        mine.for_each_panel(layer.k, padded_n, [&](std::size_t n, std::size_t width, Range panel) {
            const auto [v, j] = panels(n, width);
            for (std::size_t k = panel.first; k < panel.last; k += step) {
                if (prefetch) prefetch->advance();
                const std::size_t rows = std::min(step, panel.last - k);
                update.weights(a, k, rows, v, j, width, batch.size(), k * layer.ldw + n);
                if (poll) poll->worked(2.0 * static_cast<double>(rows * width * batch.size()));
            }
        });
    }
    if (mine.with_vectors) bias_update(kernel, target, delta, batch, use, mine.share, scratch);
}

template <class T>
void bias_update(const KernelTable<T>& kernel, const UpdateTarget<T>& target, Rows<T>& delta,
                 Range batch, GradientUse<T> use, Share share, Scratch<T>& scratch) {
    const Range n = share.of(padded(target.parameters.n), kPad);
    BlockUpdate<T>(kernel, target, use, scratch)
        .biases(delta.row(batch.first), delta.stride, n, batch.size());
}

template <class T>
void use_gradients(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   T* DenseView<T>::* part, std::size_t offset, BlockSize size, const T* gradients,
                   GradientUse<T> use, std::size_t ldg) {
    T* parameters = target.parameters.*part + offset;
    const std::size_t ld = target.parameters.ldw;
    if (use.rules) {
        const bool is_weights = part == &DenseView<T>::w;
        kernel.update(is_weights ? use.rules->weights : use.rules->others, size.rows, size.columns,
                      gradients, ldg, parameters, at(target.first_moment.*part, offset),
                      at(target.second_moment.*part, offset), ld);
        return;
    }
    for (std::size_t i = 0; i < size.rows; ++i) {
        std::copy_n(gradients + i * ldg, size.columns, parameters + i * ld);
    }
}

template <class T>
void apply_gradients(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                     const DenseView<T>& gradients, GradientUse<T> use, Share share) {
    const DenseView<T>& layer = target.parameters;
    const GradientShare<T> mine(layer, share);
    const Range rows = layer.transposed ? mine.n : mine.k;
    const Range columns = layer.transposed ? mine.k : mine.n;
    const std::size_t offset = rows.first * layer.ldw + columns.first;
    use_gradients(kernel, target, &DenseView<T>::w, offset, {rows.size(), columns.size()},
                  gradients.w + offset, use, gradients.ldw);
    clear_padding(target, use, mine.k);
    apply_vectors(kernel, target, gradients, use, share);
}

template <class T>
void apply_vectors(const KernelTable<T>& kernel, const UpdateTarget<T>& target,
                   const DenseView<T>& gradients, GradientUse<T> use, Share share) {
    for_each_vector(target.parameters, [&](T* DenseView<T>::* part, std::size_t size) {
        const Range n = share.of(size, kPad);
        use_gradients(kernel, target, part, n.first, {1, n.size()}, gradients.*part + n.first, use);
    });
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
    template void dense_forward(const KernelTable<T>&, const DenseView<const T>&, Activation,      \
                                const T* const*, Range, Range, T*, std::size_t, Scratch<T>&,       \
                                Poll*);                                                            \
    template void dense_backward(const KernelTable<T>&, const DenseView<const T>&, const Rows<T>&, \
                                 Range, Range, Activation, Rows<T>&, Rows<T>&, Scratch<T>&,        \
                                 Poll*);                                                           \
    template struct GradientUse<T>;                                                                \
    template void dense_update(const KernelTable<T>&, const UpdateTarget<T>&, const T* const*,     \
                               Rows<T>&, Range, GradientUse<T>, const UpdatePart&, Scratch<T>&,    \
                               RowPrefetcher*, Poll*);                                             \
    template void bias_update(const KernelTable<T>&, const UpdateTarget<T>&, Rows<T>&, Range,      \
                              GradientUse<T>, Share, Scratch<T>&);                                 \
    template void use_gradients(const KernelTable<T>&, const UpdateTarget<T>&, T* DenseView<T>::*, \
                                std::size_t, BlockSize, const T*, GradientUse<T>, std::size_t);    \
    template void apply_gradients(const KernelTable<T>&, const UpdateTarget<T>&,                   \
                                  const DenseView<T>&, GradientUse<T>, Share);                     \
    template void apply_vectors(const KernelTable<T>&, const UpdateTarget<T>&,                     \
                                const DenseView<T>&, GradientUse<T>, Share);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
