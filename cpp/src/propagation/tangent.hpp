/// The passes of a Hessian-vector product (Pearlmutter 1994): of what the passes of propagate.hpp
/// compute, the derivatives in a direction v of the parameters, here called tangents.
#pragma once

#include "propagation/output_tangent.hpp"
#include "propagation/propagate.hpp"

namespace fastmlp {

/// The tangents of a batch: of each layer's z, nodes and deltas. Those of the last nodes are
/// of the scores.
template <class T>
struct Tangents {
    Tangents(const Layout& layout, std::size_t rows) {
        std::size_t widest = 0;
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            widest = std::max(widest, layout[i].n);
            z.emplace_back(rows, layout[i].n);
            nodes.emplace_back(rows, layout[i].n);
            deltas.emplace_back(rows, layout[i].n);
        }
        no_biases = Buffer<T>(padded(widest));
    }

    std::vector<Rows<T>> z, nodes, deltas;
    Buffer<T> no_biases;  ///< of a product without them
};

/// Element by element over some rows: f(a, b) for each a of `to` and its b of `from`.
template <class T, class F>
void combine(Rows<T>& to, Rows<T>& from, Range range, F f) {
    for (std::size_t b = range.first; b < range.last; ++b) {
        T* const row = to.row(b);
        const T* const other = from.row(b);
        for (std::size_t j = 0; j < to.cols; ++j) f(row[j], other[j]);
    }
}

/// One thread's passes, for rows that `pass` has gone forward with. There is no dropout and no
/// normalization.
template <class T>
struct TangentPass {
    const Propagation<T>& pass;
    const PackedParameters<T>& direction;  ///< v
    Tangents<T>& tangents;

    void forward(Range rows) const {
        for (std::size_t i = 0; i < pass.layers.size(); ++i) forward_layer(i, rows);
    }

    /// z' = (a V + c) + a' W, nodes' = h'(z) z', where v has V and c in the places of W and b; the
    /// features have no tangent a'.
    void forward_layer(std::size_t i, Range rows) const {
        Rows<T>&z = tangents.z[i], &nodes = tangents.nodes[i];
        multiply(read_only(direction[i]), pass.inputs(i), rows, z);
        if (i > 0) {
            multiply(without_biases(i), tangents.nodes[i - 1].pointers.data(), rows, nodes);
            add(z, nodes, rows);
        }
        copy(nodes, z, rows);
        times_slope(i, nodes, rows);
    }

    /// Of the output layer: deltas, and their tangents.
    void output_delta(const Targets<T>& y, Range rows) const {
        if (pass.heads.empty()) {
            output_delta_of_all(y, rows);
        } else {
            output_delta_of_heads(y, rows);
        }
        if (pass.loss_weights) {
            for (Rows<T>* delta : {&pass.work.deltas.back(), &tangents.deltas.back()}) {
                weigh_columns(*delta, rows, pass.loss_weights);
            }
        }
        if (y.weights) weigh(rows);
    }

    void backward(Range rows) const {
        for (std::size_t i = pass.layers.size() - 1; i > 0; --i) backward_layer(i, rows);
    }

    /// Deltas of layer i - 1 and their tangents: d = delta W^T, d' = delta' W^T + delta V^T, and
    /// then through the activation.
    void backward_layer(std::size_t i, Range rows) const {
        Rows<T>&d = pass.work.deltas[i - 1], &tangent = tangents.deltas[i - 1];
        multiply_back(pass.weights(i), tangents.deltas[i], rows, tangent);
        multiply_back(read_only(direction[i]), pass.work.deltas[i], rows, d);
        add(tangent, d, rows);
        multiply_back(pass.weights(i), pass.work.deltas[i], rows, d);
        through_activation(i - 1, rows);
    }

    /// This thread's share of the tangents of all gradients, summed over the batch: of each weight
    /// a delta' times `scale` into `direct`, and a' delta times `scale` into `through`; of the last
    /// block, where both are the same memory, this is added.
    void gradients(const std::vector<UpdateTarget<T>>& direct,
                   const std::vector<UpdateTarget<T>>& through, T scale, bool is_last) const {
        StepRules<T> adding;  // the biases are complete
        adding.weights.rate = -1;
        adding.others.rate = 0;
        for (std::size_t i = 0; i < pass.layers.size(); ++i) {
            if (!pass.traits[i].trainable) continue;
            update(direct[i], pass.inputs(i), tangents.deltas[i], {scale});
            if (i == 0) continue;
            update(through[i], tangents.nodes[i - 1].pointers.data(), pass.work.deltas[i],
                   {scale, is_last ? &adding : nullptr});
        }
    }

private:
    void output_delta_of_all(const Targets<T>& y, Range rows) const {
        const std::size_t last = pass.layers.size() - 1, first = rows.first;
        pass.loss_gradient(y, rows);
        Rows<T>& delta = pass.work.deltas[last];
        Rows<T>& nodes = holds_activation(pass.loss) ? pass.work.nodes[last] : pass.work.scores;
        Rows<T>& from = holds_activation(pass.loss) ? nodes : pass.z(last);
        OutputTangent<T>{pass.kernel,
                         pass.loss,
                         pass.layers[last].activation,
                         rows.size(),
                         delta.cols,
                         delta.stride,
                         from.row(first),
                         nodes.row(first),
                         y.labels ? nullptr : pass.work.targets.data() + first,
                         tangents.z[last].row(first),
                         delta.row(first),
                         tangents.deltas[last].row(first)}
            .compute();
    }

    void output_delta_of_heads(const Targets<T>& y, Range rows) const {
        Rows<T>&scores = pass.work.scores, &delta = pass.work.deltas.back();
        Rows<T>&tangent = tangents.deltas.back(), &z_tangent = tangents.z.back();
        const HeadTargets kind(y.values.cols, delta.cols);
        const HeadPass<T> heads = pass.head_pass();
        HeadRows<T>& room = heads.room;
        const T* const* const targets = pass.work.targets.data() + rows.first;
        std::vector<T> of_z, of_delta;  // tangents, of one head
        const auto compute = [&](std::size_t i, std::size_t first) {
            const Head& head = heads.heads[i];
            if (holds_activation(head.loss)) room.activate(pass.kernel, head.activation);
            of_z.resize(rows.size() * room.stride);
            of_delta.resize(rows.size() * room.stride);
            room.take(of_z, z_tangent.row(rows.first) + first, z_tangent.stride);
            const bool by_label = kind.labelled && head.loss.kind == Loss::kCrossEntropy;
            OutputTangent<T>{pass.kernel,
                             head.loss,
                             head.activation,
                             rows.size(),
                             room.n,
                             room.stride,
                             keeps_z(head.activation) ? room.z.data() : room.h.data(),
                             room.h.data(),
                             by_label ? nullptr : room.targets.data(),
                             of_z.data(),
                             room.delta.data(),
                             of_delta.data()}
                .compute();
            if (kind.weighted) heads.weigh_rows(targets, i, {&room.delta, &of_delta});
            for (std::vector<T>* values : {&room.delta, &of_delta}) {
                for (T& value : *values) value *= static_cast<T>(head.weight);
            }
            room.give(room.delta, delta.row(rows.first) + first, delta.stride);
            room.give(of_delta, tangent.row(rows.first) + first, tangent.stride);
        };
        heads.losses(scores.row(rows.first), scores.stride, targets, kind, rows.size(), compute);
    }

    /// From dL/dh and its tangent of layer i to those of z. The tangent of z is no longer there
    /// afterwards.
    void through_activation(std::size_t i, Range rows) const {
        Rows<T>& delta = pass.work.deltas[i];
        tangent_through_activation(pass.kernel, pass.activation(i), pass.z(i).row(rows.first),
                                   delta.row(rows.first), tangents.deltas[i].row(rows.first),
                                   tangents.z[i].row(rows.first), delta.stride, rows.size(),
                                   delta.cols);
    }

    void weigh(Range rows) const {
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            for (Rows<T>* delta : {&pass.work.deltas.back(), &tangents.deltas.back()}) {
                multiply_by(*delta, {b, b + 1}, pass.work.weights[b]);
            }
        }
    }

    void multiply(const DenseView<const T>& layer, const T* const* a, Range rows,
                  Rows<T>& out) const {
        dense_forward(pass.kernel, layer, Activation::kIdentity, a, rows, {0, padded(layer.n)},
                      out.row(0), out.stride, pass.scratch, pass.poll);
    }
    void multiply_back(const DenseView<const T>& layer, Rows<T>& delta, Range rows,
                       Rows<T>& out) const {
        dense_backward(pass.kernel, layer, delta, rows, {0, padded(layer.k)}, Activation::kIdentity,
                       out, out, pass.scratch, pass.poll);
    }
    void update(const UpdateTarget<T>& target, const T* const* a, Rows<T>& delta,
                GradientUse<T> use) const {
        dense_update(pass.kernel, target, a, delta, {0, pass.work.batch}, use,
                     UpdatePart::of(pass.context.share), pass.scratch, nullptr, pass.poll);
    }
    DenseView<const T> without_biases(std::size_t i) const {
        DenseView<const T> layer = pass.weights(i);
        layer.biases = tangents.no_biases.data();
        return layer;
    }
    void times_slope(std::size_t i, Rows<T>& values, Range rows) const {
        Rows<T>& from = pass.z(i);
        activate_backward(pass.kernel, pass.activation(i), from.row(rows.first), from.stride,
                          values.row(rows.first), values.stride, rows.size(), values.cols);
    }

    static void add(Rows<T>& to, Rows<T>& from, Range rows) {
        combine(to, from, rows, [](T& a, T b) { a += b; });
    }
    static void copy(Rows<T>& to, Rows<T>& from, Range rows) {
        combine(to, from, rows, [](T& a, T b) { a = b; });
    }
    static void multiply_by(Rows<T>& values, Range rows, T factor) {
        combine(values, values, rows, [=](T& a, T) { a *= factor; });
    }
};

}  // namespace fastmlp
