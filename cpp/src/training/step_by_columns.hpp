/// Forward and backward passes on several threads, for layers with many weights.
///
/// In a split by rows every thread reads all weights, and transposes all of them in the backward
/// pass. A wide layer is therefore split by its outputs, so that each weight is read by one core
/// only, with a barrier before and after. Other layers are split by rows, as in the plain step.
/// `step_path.hpp` decides when.
#pragma once

#include "propagation/propagate.hpp"
#include "training/step_path.hpp"

namespace fastmlp {

template <class T>
struct StepByColumns {
    const Propagation<T>& pass;
    Range rows;  ///< this thread's part of the batch

    /// (1.1), (1.2). On return the scores of all rows are complete.
    void forward() const {
        const std::size_t last = pass.layers.size() - 1;
        for (std::size_t i = 0; i <= last; ++i) {
            if (wide(i) || (i > 0 && wide(i - 1))) pass.context.meet();
            if (wide(i)) {
                forward_columns(i);
            } else {
                pass.forward_layer(i, rows);
            }
        }
        if (wide(last)) pass.context.meet();
    }

    /// (2.4), (2.5), (2.12).
    void backward() const {
        const std::size_t last = pass.layers.size() - 1;
        for (std::size_t i = last; i > pass.lowest_trainable; --i) {
            if (wide(i) || (i < last && wide(i + 1))) pass.context.meet();
            if (wide(i)) {
                backward_columns(i);
            } else {
                pass.backward_layer(i, rows);
            }
        }
    }

private:
    bool wide(std::size_t i) const { return is_wide(pass.parameters[i]); }
    Range batch() const { return {0, pass.context.batch}; }
    Range columns(std::size_t count) const {
        return pass.context.share.of(padded(count), kernels::kPad);
    }

    /// This thread's columns of the nodes of layer i and of the deltas before it, for all rows.
    void forward_columns(std::size_t i) const {
        Rows<T>& out = pass.output(i);
        dense_forward(pass.kernel, pass.weights(i), pass.activation(i), pass.inputs(i), batch(),
                      columns(pass.parameters[i].n), out.row(0), out.stride, pass.scratch);
    }
    void backward_columns(std::size_t i) const {
        dense_backward(pass.kernel, pass.weights(i), pass.work.deltas[i], batch(),
                       columns(pass.parameters[i].k), pass.activation(i - 1), pass.output(i - 1),
                       pass.work.deltas[i - 1], pass.scratch);
    }
};

}  // namespace fastmlp
