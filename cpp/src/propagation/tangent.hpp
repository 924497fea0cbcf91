/// The passes of a Hessian-vector product (Pearlmutter 1994): of what the passes of propagate.hpp
/// compute, the derivatives in a direction v of the parameters, here called tangents.
#pragma once

#include <cmath>

#include "propagation/propagate.hpp"

namespace fastmlp {

/// The tangents of a batch: of each layer's z, nodes and deltas. Those of the last nodes are of the
/// scores.
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
        const std::size_t last = pass.layers.size() - 1;
        pass.loss_gradient(y, rows);
        if (pass.loss.kind == Loss::kCrossEntropy) {
            softmax_tangent(y, rows);
        } else if (holds_activation(pass.loss)) {
            copy(tangents.deltas[last], tangents.z[last], rows);
            Rows<T>&delta = tangents.deltas[last], &nodes = pass.work.nodes[last];
            activate_backward(pass.kernel, pass.layers[last].activation, nodes.row(rows.first),
                              nodes.stride, delta.row(rows.first), delta.stride, rows.size(),
                              delta.cols);
            multiply_by(delta, rows, T(1) / static_cast<T>(delta.cols));
        } else {
            error_tangent(rows);
            through_activation(last, rows);
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

    /// This thread's share of the tangents of all gradients, times `scale`, into `targets`: of each
    /// weight a delta' + a' delta, summed over the batch.
    void gradients(const std::vector<UpdateTarget<T>>& targets, T scale) const {
        StepRules<T> adding;  // to what is there; the biases are complete
        adding.weights.rate = -1;
        adding.others.rate = 0;
        for (std::size_t i = 0; i < pass.layers.size(); ++i) {
            if (!pass.traits[i].trainable) continue;
            update(targets[i], pass.inputs(i), tangents.deltas[i], {scale});
            if (i == 0) continue;
            update(targets[i], tangents.nodes[i - 1].pointers.data(), pass.work.deltas[i],
                   {scale, &adding});
        }
    }

private:
    /// d = dL/dh becomes delta = d h'(z), and d' becomes delta' = d' h'(z) + (d z') h''(z). The
    /// tangent of z is no longer there afterwards.
    void through_activation(std::size_t i, Range rows) const {
        Rows<T>&delta = pass.work.deltas[i], &tangent = tangents.deltas[i];
        times_slope(i, tangent, rows);
        if (is_curved(pass.kernel, pass.activation(i))) {
            Rows<T>&bend = tangents.z[i], &from = pass.z(i);
            combine(bend, delta, rows, [](T& z, T d) { z *= d; });
            activate_curve(pass.kernel, pass.activation(i), from.row(rows.first), from.stride,
                           bend.row(rows.first), bend.stride, rows.size(), bend.cols);
            add(tangent, bend, rows);
        }
        times_slope(i, delta, rows);
    }

    /// p (z' - sum(p z')), times the sum of the targets, which are smoothed.
    void softmax_tangent(const Targets<T>& y, Range rows) const {
        Rows<T>& delta = tangents.deltas.back();
        copy(delta, tangents.z.back(), rows);
        softmax_backward(pass.work.nodes.back(), delta, rows);
        const T smoothing = static_cast<T>(pass.loss.parameter);
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            T sum = y.labels ? T(1) : T(0);
            for (std::size_t j = 0; !y.labels && j < delta.cols; ++j) {
                sum += pass.work.targets[b][j];
            }
            const T smoothed = std::fma(sum, T(1) - smoothing, smoothing);
            for (std::size_t j = 0; j < delta.cols; ++j) delta.row(b)[j] *= smoothed;
        }
    }

    /// Of dL/dh, for the losses that are a mean of functions of h - y: h' times their second
    /// derivative, which is 0 but for squared errors.
    void error_tangent(Range rows) const {
        Rows<T>&delta = tangents.deltas.back(), &tangent = tangents.nodes.back();
        const auto n = static_cast<T>(delta.cols), width = static_cast<T>(pass.loss.parameter);
        const bool is_huber = pass.loss.kind == Loss::kHuber;
        const bool is_square = pass.loss.kind == Loss::kMeanSquaredError;
        const T curvature = is_square ? T(2) / n : is_huber ? T(1) / n : T(0);
        for (std::size_t b = rows.first; b < rows.last; ++b) {
            const T *h = pass.work.scores.row(b), *y = pass.work.targets[b];
            T* const row = delta.row(b);
            for (std::size_t j = 0; j < delta.cols; ++j) {
                const bool is_line = is_huber && !(std::abs(h[j] - y[j]) <= width);
                row[j] = is_line ? T(0) : curvature * tangent.row(b)[j];
            }
        }
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
