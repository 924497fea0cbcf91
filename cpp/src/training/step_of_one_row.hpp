/// Steps of one row on one thread. With plain SGD the update of a wide layer is deferred and fused
/// with the next row's forward pass (`update_product`); that of a narrow layer is fused with its
/// backward pass (`narrow_update`). One pass fewer over the weights than the plain step.
/// `step_path.hpp` decides when.
#pragma once

#include "propagation/propagate.hpp"

namespace fastmlp {

template <class T>
class StepOfOneRow {
public:
    /// `pass.work` needs room for two rows: this step's and the previous one's.
    StepOfOneRow(const Propagation<T>& pass, const std::vector<UpdateTarget<T>>& targets)
        : pass_(pass), targets_(targets) {}

    /// The row of `work.input`, `work.labels` or `work.targets` that the next step reads.
    std::size_t row() const { return row_; }

    /// That of the last step.
    std::size_t last_row() const { return 1 - row_; }

    /// One step of plain SGD; returns the loss.
    T step(const Targets<T>& y, T rate) {
        const Range rows{row_, row_ + 1};
        const std::size_t last = pass_.layers.size() - 1;
        for (std::size_t i = 0; i <= last; ++i) forward(i, rows);
        pass_.output_delta(y, rows);
        for (std::size_t i = last; i > 0; --i) {
            if (waits(i)) {
                pass_.backward_layer(i, rows);
            } else {
                backward_and_update(i, row_, rate);
            }
        }
        if (!waits(0)) update(0, rows, rules_of(rate));
        pending_ = true;
        pending_rate_ = rate;
        row_ = 1 - row_;
        return pass_.work.losses[rows.first];
    }

    /// One step of any other optimizer.
    T step(const Targets<T>& y, const StepRules<T>& rules) {
        const Range rows{row_, row_ + 1};
        pass_.forward(rows);
        pass_.output_delta(y, rows);
        pass_.backward(rows);
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) update(i, rows, rules);
        row_ = 1 - row_;
        return pass_.work.losses[rows.first];
    }

    /// Applies the deferred update: the weights are then those after the last step.
    void flush() {
        if (!pending_) return;
        const Range rows{1 - row_, 2 - row_};
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) {
            if (waits(i)) update(i, rows, rules_of(pending_rate_));
        }
        pending_ = false;
    }

private:
    bool waits(std::size_t i) const { return !pass_.parameters[i].transposed; }

    void forward(std::size_t i, Range rows) {
        if (!pending_ || !waits(i)) return pass_.forward_layer(i, rows);
        const DenseView<T>& layer = pass_.parameters[i];
        const std::size_t now = rows.first, before = 1 - now;
        Rows<T>& z = pass_.z(i);
        const bool relu = pass_.activation(i) == Activation::kRelu;
        pass_.kernel.update_product(pass_.inputs(i)[before], pass_.work.deltas[i].row(before),
                                    pending_rate_, pass_.inputs(i)[now], layer.k, layer.w,
                                    layer.ldw, layer.biases, padded(layer.n), z.row(now), relu);
        if (!relu) pass_.activate_rows(i, rows);
    }

    void backward_and_update(std::size_t i, std::size_t row, T rate) {
        const DenseView<T>& layer = pass_.parameters[i];
        const Activation previous = pass_.layers[i - 1].activation;
        Rows<T>&delta = pass_.work.deltas[i], &out = pass_.work.deltas[i - 1];
        const Rows<T>& nodes = pass_.work.nodes[i - 1];
        const bool relu = previous == Activation::kRelu;
        pass_.kernel.narrow_update(delta.row(row), layer.n, nodes.pointers[row], layer.k, rate,
                                   layer.w, layer.ldw, out.row(row), relu);
        pass_.kernel.column_sums(delta.row(row), delta.stride, 1, padded(layer.n), nullptr, T(1),
                                 rate, false, layer.biases);
        if (!relu) {
            Rows<T>& z = pass_.z(i - 1);
            activate_backward(pass_.kernel, previous, z.row(row), z.stride, out.row(row),
                              out.stride, 1, layer.k);
        }
    }

    static StepRules<T> rules_of(T rate) {
        StepRules<T> rules;
        rules.weights.rate = rules.others.rate = rate;
        return rules;
    }

    void update(std::size_t i, Range rows, const StepRules<T>& rules) {
        dense_update<T>(pass_.kernel, targets_[i], pass_.inputs(i), pass_.work.deltas[i], rows,
                        {T(1), &rules}, {}, pass_.scratch);
    }

    const Propagation<T>& pass_;
    const std::vector<UpdateTarget<T>>& targets_;
    T pending_rate_ = 0;
    std::size_t row_ = 0;
    bool pending_ = false;
};

}  // namespace fastmlp
