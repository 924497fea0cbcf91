/// Forward and backward passes on several threads, for layers with many weights.
///
/// In a split by rows every thread reads all weights, and transposes all of them in the backward
/// pass. A wide layer is therefore split by its outputs, so that each weight is read by one core
/// only, with a barrier before and after; on many threads by groups of rows too (`block_of`). Other
/// layers are split by rows, as in the plain step. Of the outputs of a wide layer, a thread that
/// has finished its own takes portions of those of slower threads (`threads/portions.hpp`).
/// `step_path.hpp` decides when.
#pragma once

#include <utility>

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
class StepByColumns {
public:
    /// `rows`: this thread's part of the batch. `portions`: unless they are null, renewed.
    StepByColumns(const Propagation<T>& pass, Range rows, Portions* portions)
        : pass_(pass), rows_(rows), portions_(portions) {}

    void forward() { forward_in_order(*this); }
    void backward() { backward_in_order(*this, pass_.lowest_trainable); }

    std::size_t layers() const { return pass_.layers.size(); }
    bool wide(std::size_t i) const { return is_wide((*pass_.running.layout)[i]); }
    void meet() const { pass_.context.meet(); }
    void forward_rows(std::size_t i) const { pass_.forward_layer(i, rows_); }
    void backward_rows(std::size_t i) const { pass_.backward_layer(i, rows_); }

    /// This thread's part of the nodes of layer i, and of the deltas before it.
    void forward_columns(std::size_t i) {
        columns(pass_.parameters[i].n,
                [&](const OutputBlock& block) { pass_.forward_block(i, block); });
    }
    void backward_columns(std::size_t i) {
        columns(pass_.parameters[i].k,
                [&](const OutputBlock& block) { pass_.backward_block(i, block); });
    }

private:
    /// Calls f for this thread's part of `count` values of each row, and for what others have not
    /// begun of theirs.
    template <class F>
    void columns(std::size_t count, F f) {
        const Share share = pass_.context.share;
        if (portions_ == nullptr) return f(block_of(share, pass_.context.batch, padded(count)));
        const std::size_t begin = std::exchange(taken_, taken_ + Halves::kCount);
        for (std::size_t i = 0; i < share.size; ++i) {
            const Share owner{(share.rank + i) % share.size, share.size};
            const OutputBlock all = block_of(owner, pass_.context.batch, padded(count));
            portions_->take(owner.rank, {begin, taken_}, [&](std::size_t k) {
                f({all.rows, Halves::of(all.columns, k - begin, kernels::kPanel)});
            });
        }
    }

    const Propagation<T>& pass_;
    Range rows_;
    Portions* portions_;
    std::size_t taken_ = 0;  ///< portions of each thread
};

}  // namespace fastmlp
