/// Forward and backward passes on several threads, for layers with many weights.
///
/// In a split by rows every thread reads all weights, and transposes all of them in the backward
/// pass. A wide layer is therefore split by its outputs, so that each weight is read by one core
/// only, with a barrier before and after; on many threads by groups of rows too (`block_of`). Other
/// layers are split by rows, as in the plain step. `step_path.hpp` decides when.
#pragma once

#include "propagation/propagate.hpp"
#include "training/step_path.hpp"

namespace fastmlp {

/// (1.1), (1.2): what `step` computes of each layer in the forward pass, and when its threads meet.
/// On return the scores of all rows are complete.
template <class Step>
void forward_in_order(Step& step) {
    const std::size_t last = step.layers() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
        if (step.wide(i) || (i > 0 && step.wide(i - 1))) step.meet();
        if (step.wide(i)) {
            step.forward_columns(i);
        } else {
            step.forward_rows(i);
        }
    }
    if (step.wide(last)) step.meet();
}

/// (2.4), (2.5), (2.12): the same of the backward pass.
template <class Step>
void backward_in_order(Step& step, std::size_t lowest) {
    const std::size_t last = step.layers() - 1;
    for (std::size_t i = last; i > lowest; --i) {
        if (step.wide(i) || (i < last && step.wide(i + 1))) step.meet();
        if (step.wide(i)) {
            step.backward_columns(i);
        } else {
            step.backward_rows(i);
        }
    }
}

template <class T>
struct StepByColumns {
    const Propagation<T>& pass;
    Range rows;  ///< this thread's part of the batch

    void forward() { forward_in_order(*this); }
    void backward() { backward_in_order(*this, pass.lowest_trainable); }

    std::size_t layers() const { return pass.layers.size(); }
    bool wide(std::size_t i) const { return is_wide((*pass.running.layout)[i]); }
    void meet() const { pass.context.meet(); }
    void forward_rows(std::size_t i) const { pass.forward_layer(i, rows); }
    void backward_rows(std::size_t i) const { pass.backward_layer(i, rows); }

    /// This thread's part of `columns` values of the rows of the batch.
    OutputBlock block(std::size_t columns) const {
        return block_of(pass.context.share, pass.context.batch, padded(columns));
    }

    /// This thread's part of the nodes of layer i, and of the deltas before it.
    void forward_columns(std::size_t i) const {
        Rows<T>& out = pass.output(i);
        const OutputBlock mine = block(pass.parameters[i].n);
        dense_forward(pass.kernel, pass.weights(i), pass.activation(i), pass.inputs(i), mine.rows,
                      mine.columns, out.row(0), out.stride, pass.scratch);
    }
    void backward_columns(std::size_t i) const {
        const OutputBlock mine = block(pass.parameters[i].k);
        dense_backward(pass.kernel, pass.weights(i), pass.work.deltas[i], mine.rows, mine.columns,
                       pass.activation(i - 1), pass.output(i - 1), pass.work.deltas[i - 1],
                       pass.scratch);
    }
};

}  // namespace fastmlp
