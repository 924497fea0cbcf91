/// Steps of one row on one thread. The update of a wide layer is deferred and fused with the next
/// row's forward pass (`update_product`), that of a narrow layer with its backward pass
/// (`narrow_update`): one pass fewer over the weights than the plain step. `step_path.hpp` decides
/// when.
#pragma once

#include "propagation/propagate.hpp"

namespace fastmlp {

template <class T>
class StepOfOneRow {
public:
    /// `pass.work` needs room for two rows: this step's and the previous one's.
    StepOfOneRow(const Propagation<T>& pass, const std::vector<UpdateTarget<T>>& targets)
        : pass_(pass), targets_(targets) {
        for (const UpdateTarget<T>& target : targets) layers_.push_back(learned(target));
    }

    /// The row of `work.input`, `work.labels` or `work.targets` that the next step reads.
    std::size_t row() const { return row_; }

    /// That of the last step.
    std::size_t last_row() const { return 1 - row_; }

    /// The rules of the next steps. At most once a step: those of the deferred update are kept.
    void use(const StepRules<T>& rules) {
        StepRules<T>& other = now_ == &rules_[0] ? rules_[1] : rules_[0];
        other = rules;
        now_ = &other;
    }

    /// Returns the loss.
    T step(const Targets<T>& y) {
        const Range rows{row_, row_ + 1};
        const std::size_t last = pass_.layers.size() - 1;
        for (std::size_t i = 0; i <= last; ++i) forward(i, rows);
        pass_.output_delta(y, rows);
        for (std::size_t i = last; i > 0; --i) {
            if (waits(i)) {
                pass_.backward_layer(i, rows);
            } else {
                backward_and_update(i, row_);
            }
        }
        if (!waits(0)) update(0, rows, *now_);
        pending_ = now_;
        row_ = 1 - row_;
        return pass_.work.losses[rows.first];
    }

    /// Applies the deferred update: the weights are then those after the last step.
    void flush() {
        if (pending_ == nullptr) return;
        const Range rows{1 - row_, 2 - row_};
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) {
            if (waits(i)) update(i, rows, *pending_);
        }
        pending_ = nullptr;
    }

private:
    bool waits(std::size_t i) const { return !pass_.parameters[i].transposed; }

    void forward(std::size_t i, Range rows) {
        if (pending_ == nullptr || !waits(i)) return pass_.forward_layer(i, rows);
        const std::size_t now = rows.first, before = 1 - now;
        Rows<T>& z = pass_.z(i);
        const bool relu = pass_.activation(i) == Activation::kRelu;
        pass_.kernel.update_product(pending_->weights, pending_->others, layers_[i],
                                    pass_.inputs(i)[before], pass_.work.deltas[i].row(before),
                                    pass_.inputs(i)[now], z.row(now), relu);
        if (!relu) pass_.activate_rows(i, rows);
    }

    void backward_and_update(std::size_t i, std::size_t row) {
        const std::size_t k = pass_.parameters[i].k;
        const Activation previous = pass_.layers[i - 1].activation;
        Rows<T>& out = pass_.work.deltas[i - 1];
        const bool relu = previous == Activation::kRelu;
        pass_.kernel.narrow_update(now_->weights, now_->others, layers_[i],
                                   pass_.work.deltas[i].row(row),
                                   pass_.work.nodes[i - 1].pointers[row], k, out.row(row), relu);
        if (!relu) {
            Rows<T>& z = pass_.z(i - 1);
            activate_backward(pass_.kernel, previous, z.row(row), z.stride, out.row(row),
                              out.stride, 1, k);
        }
    }

    static kernels::LearnedLayer<T> learned(const UpdateTarget<T>& target) {
        const DenseView<T>&w = target.parameters, &u = target.first_moment,
              &s = target.second_moment;
        return {{w.w, u.w, s.w},
                {w.biases, u.biases, s.biases},
                w.transposed ? w.n : w.k,
                padded(w.transposed ? w.k : w.n),
                w.ldw};
    }

    void update(std::size_t i, Range rows, const StepRules<T>& rules) {
        dense_update<T>(pass_.kernel, targets_[i], pass_.inputs(i), pass_.work.deltas[i], rows,
                        {T(1), &rules}, {}, pass_.scratch);
    }

    const Propagation<T>& pass_;
    const std::vector<UpdateTarget<T>>& targets_;
    std::vector<kernels::LearnedLayer<T>> layers_;  ///< of those
    StepRules<T> rules_[2];
    const StepRules<T>* now_ = &rules_[0];
    const StepRules<T>* pending_ = nullptr;  ///< of the deferred update, if any
    std::size_t row_ = 0;
};

}  // namespace fastmlp
