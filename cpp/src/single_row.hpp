/// Steps of one row on one thread: a layer's update waits for the next row's forward pass, which
/// takes it along (`update_product`). The same bits as `Propagation`, one pass over the weights less.
#pragma once

#include "propagate.hpp"

namespace fastmlp {

template <class T>
class SingleRow {
public:
    /// `pass.work` needs room for two rows: this step's and the last one's.
    SingleRow(const Propagation<T>& pass, T rate) : pass_(pass), rate_(rate) {}

    /// The row that `work.input`, `work.labels` or `work.targets` of the next step go to.
    std::size_t row() const { return row_; }

    /// One step of SGD; returns the loss.
    T step(bool labels, Scratch<T>& scratch) {
        const Range rows{row_, row_ + 1};
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) forward(i, rows, scratch);
        pass_.backward(labels, rows, scratch);
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) {
            if (!waits(i)) update(i, rows);
        }
        pending_ = true;
        row_ = 1 - row_;
        return pass_.work.losses[rows.first];
    }

    /// Applies what still waits: the weights are then those after the last step.
    void flush() {
        if (!pending_) return;
        const Range rows{1 - row_, 2 - row_};
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) {
            if (waits(i)) update(i, rows);
        }
        pending_ = false;
    }

private:
    bool waits(std::size_t i) const { return !pass_.image[i].transposed; }

    void forward(std::size_t i, Range rows, Scratch<T>& scratch) {
        if (!pending_ || !waits(i)) return pass_.forward_layer(i, rows, scratch);
        const DenseView<T>& layer = pass_.image[i];
        const std::size_t now = rows.first, before = 1 - now;
        const Activation activation = pass_.activation(i);
        Rows<T>& out = pass_.output(i);
        const bool relu = activation == Activation::kRelu;
        pass_.kernel.update_product(pass_.inputs(i)[before], pass_.work.deltas[i].row(before), rate_,
                                    pass_.inputs(i)[now], layer.k, layer.w, layer.ldw, layer.biases,
                                    padded(layer.n), out.row(now), relu);
        if (!relu) activate(pass_.kernel, activation, out.row(now), out.stride, 1, layer.n);
    }

    void update(std::size_t i, Range rows) {
        dense_update<T>(pass_.kernel, pass_.image[i], pass_.inputs(i), pass_.work.deltas[i], rows,
                        {T(1), rate_, false}, {});
    }

    const Propagation<T>& pass_;
    T rate_;
    std::size_t row_ = 0;
    bool pending_ = false;
};

}  // namespace fastmlp
