/// The output's end of a network with heads: each of its slices goes through what `loss.hpp` has
/// for all outputs, in rows of its own, as the kernels read and write whole vectors.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "fastmlp/layer.hpp"
#include "fastmlp/matrix.hpp"
#include "propagation/activation.hpp"
#include "propagation/loss.hpp"

namespace fastmlp {

/// What rows of targets of heads have beside numbers.
struct HeadTargets {
    bool labelled;  ///< a label for each head of cross-entropy
    bool weighted;  ///< after the numbers of all outputs, a factor of the loss of each head

    HeadTargets(std::size_t columns, std::size_t outputs)
        : labelled(columns < outputs), weighted(columns > outputs) {}
};

/// What the losses of heads with scaled outputs compare.
enum class HeadLosses {
    kScaled,    ///< the outputs and the targets before scaling
    kReported,  ///< the same, with losses in units of the targets
    kInUnits,   ///< the outputs and the targets as they are; deltas are not used
};

/// x * factor, but +0 for the factor 0, whatever x is.
template <class T>
T times(T x, T factor) {
    return factor == 0 ? T(0) : x * factor;
}

/// Rows of one head, used for one after another. The memory grows as needed.
template <class T>
struct HeadRows {
    std::size_t rows = 0, n = 0, stride = 0;
    std::vector<T> z, h;  ///< the argument of an activation, and its result
    std::vector<T> delta, losses;
    std::vector<const T*> targets;
    std::vector<std::int32_t> labels;
    std::vector<T> scaled, units;  ///< of heads with scaled outputs
    std::vector<const T*> in_units;
    LossesInUnits<T> losses_in_units;

    void expect(std::size_t its_rows, std::size_t nodes) {
        rows = its_rows;
        n = nodes;
        stride = activation_stride(nodes);
        for (std::vector<T>* values : {&z, &h, &delta}) grow(*values, rows * stride);
        grow(losses, rows);
        grow(targets, rows);
        grow(labels, rows);
    }

    /// Columns of `from`, from its first one on, as z or delta.
    void take(std::vector<T>& to, const T* from, std::size_t ld) {
        for (std::size_t b = 0; b < rows; ++b) std::copy_n(from + b * ld, n, &to[b * stride]);
    }
    void give(const std::vector<T>& from, T* to, std::size_t ld) const {
        for (std::size_t b = 0; b < rows; ++b) std::copy_n(&from[b * stride], n, to + b * ld);
    }

    /// h(z).
    void activate(const kernels::KernelTable<T>& kernel, Activation activation) {
        fastmlp::activate(kernel, activation, z.data(), stride, h.data(), stride, rows, n);
    }

    /// Losses and deltas of these targets, which begin at `column` of the given rows, from z. The
    /// head's outputs are scaled `by` something if they are numbers.
    void apply_loss(const kernels::KernelTable<T>& kernel, const Head& head, const T* const* given,
                    std::size_t column, bool labelled, const ColumnScaling<T>& by,
                    HeadLosses compared) {
        const bool by_label = labelled && head.loss.kind == Loss::kCrossEntropy;
        for (std::size_t b = 0; b < rows; ++b) {
            targets[b] = given[b] + column;
            if (by_label) labels[b] = static_cast<std::int32_t>(*targets[b]);
        }
        activate(kernel, score_activation(head.loss, head.activation));
        const OutputRows<T> at{rows,
                               n,
                               h.data(),
                               stride,
                               by_label ? labels.data() : nullptr,
                               targets.data(),
                               delta.data(),
                               stride,
                               losses.data()};
        if (!by || head.activation != Activation::kIdentity) {
            fastmlp::apply_loss(kernel, head.loss, at);
        } else if (compared == HeadLosses::kInUnits) {
            losses_in_units.compute(kernel, head.loss, by, at);
        } else {
            apply_scaled_loss(kernel, head.loss, by, compared == HeadLosses::kReported, at);
        }
    }

    /// The delta of z from that of h(z).
    void pass_back(const kernels::KernelTable<T>& kernel, Activation activation) {
        const std::vector<T>& from = keeps_z(activation) ? z : h;
        activate_backward(kernel, activation, from.data(), stride, delta.data(), stride, rows, n);
    }

private:
    template <class V>
    static void grow(std::vector<V>& values, std::size_t size) {
        if (values.size() < size) values.resize(size);
    }

    /// The loss of the scaled targets, which `targets` are then.
    void apply_scaled_loss(const kernels::KernelTable<T>& kernel, Loss loss,
                           const ColumnScaling<T>& by, bool reports_in_units, OutputRows<T> at) {
        grow(scaled, rows * stride);
        grow(in_units, rows);
        for (std::size_t b = 0; b < rows; ++b) {
            T* const row = &scaled[b * stride];
            for (std::size_t j = 0; j < n; ++j) row[j] = by.inverse(targets[b][j], j);
            in_units[b] = std::exchange(targets[b], row);
        }
        if (reports_in_units) {
            grow(units, n);
            for (std::size_t j = 0; j < n; ++j) units[j] = unit_of(loss, by.scales[j]);
            at.weights = units.data();
        }
        fastmlp::apply_loss(kernel, loss, at);
        if (!reports_in_units || !by.has_constant(n)) return;
        at.targets = in_units.data();
        at.weights = nullptr;
        losses_in_units.compute(kernel, loss, by, at);
    }
};

/// The heads of a network, for some rows: `scores` are z of all of them.
template <class T>
struct HeadPass {
    const kernels::KernelTable<T>& kernel;
    const std::vector<Head>& heads;
    HeadRows<T>& room;
    ColumnScaling<T> scaling = {};  ///< of all outputs
    HeadLosses compared = HeadLosses::kScaled;

    /// nodes = the outputs for rows of z, before they are scaled; both may be one.
    void outputs(const T* z, std::size_t ldz, T* nodes, std::size_t ldn, std::size_t rows) const {
        std::size_t first = 0;
        for (const Head& head : heads) {
            room.expect(rows, head.nodes);
            room.take(room.z, z + first, ldz);
            room.activate(kernel, head.activation);
            room.give(room.h, nodes + first, ldn);
            first += head.nodes;
        }
    }

    /// Calls f(i, first) for each head i, with its losses and the deltas of its z in `room`;
    /// `first` is its first output.
    template <class F>
    void losses(const T* z, std::size_t ldz, const T* const* targets, HeadTargets kind,
                std::size_t rows, F f) const {
        std::size_t first = 0, column = 0;
        for (std::size_t i = 0; i < heads.size(); ++i) {
            const Head& head = heads[i];
            room.expect(rows, head.nodes);
            room.take(room.z, z + first, ldz);
            room.apply_loss(kernel, head, targets, column, kind.labelled, scaling.from(first),
                            compared);
            f(i, first);
            first += head.nodes;
            column += head.targets(kind.labelled);
        }
    }

    /// Losses and deltas are sums over the heads, each times its weight. `of_head(i)`, (rows,),
    /// gets the losses of head i.
    template <class OfHead>
    void weighted(HeadTargets kind, const OutputRows<T>& at, OfHead of_head) const {
        std::fill_n(at.losses, at.rows, T(0));
        losses(at.scores, at.lds, at.targets, kind, at.rows, [&](std::size_t i, std::size_t first) {
            const T weight = static_cast<T>(heads[i].weight);
            room.pass_back(kernel, score_activation(heads[i].loss, heads[i].activation));
            if (kind.weighted) weigh_rows(at.targets, i, {&room.delta});
            for (std::size_t b = 0; b < at.rows; ++b) {
                T* const delta = at.delta + b * at.ldd + first;
                for (std::size_t j = 0; j < room.n; ++j) {
                    delta[j] = room.delta[b * room.stride + j] * weight;
                }
                at.losses[b] += room.losses[b] * weight;
                of_head(i)[b] = room.losses[b];
            }
        });
    }

    /// Multiplies the losses of head i in `room`, and rows of its nodes, by the factors in the
    /// targets.
    void weigh_rows(const T* const* targets, std::size_t i,
                    std::initializer_list<std::vector<T>*> of_nodes) const {
        std::size_t outputs = 0;
        for (const Head& head : heads) outputs += head.nodes;
        for (std::size_t b = 0; b < room.rows; ++b) {
            const T factor = targets[b][outputs + i];
            room.losses[b] = times(room.losses[b], factor);
            for (std::vector<T>* values : of_nodes) {
                T* const row = values->data() + b * room.stride;
                for (std::size_t j = 0; j < room.n; ++j) row[j] = times(row[j], factor);
            }
        }
    }

    /// delta = dL/dz for delta = dL/dh, in its place.
    void pass_back(const T* z, std::size_t ldz, T* delta, std::size_t ldd, std::size_t rows) const {
        std::size_t first = 0;
        for (const Head& head : heads) {
            room.expect(rows, head.nodes);
            room.take(room.z, z + first, ldz);
            room.take(room.delta, delta + first, ldd);
            room.activate(kernel, head.activation);
            if (head.activation == Activation::kSoftmax) {
                softmax_backward(room.h.data(), room.stride, room.delta.data(), room.stride, rows,
                                 room.n);
            }
            room.pass_back(kernel, head.activation);
            room.give(room.delta, delta + first, ldd);
            first += head.nodes;
        }
    }
};

}  // namespace fastmlp
