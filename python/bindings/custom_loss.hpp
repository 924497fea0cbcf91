/// A loss computed in Python: called once per batch, by the thread that released the GIL.
#pragma once

#include <algorithm>

#include "arrays.hpp"
#include "gil.hpp"

namespace fastmlp::bindings {

/// `function(outputs, samples, gradients, losses)` fills the last two. The arrays are owned by
/// Python and reused for all batches: one that is kept shows a later batch, but never freed memory.
template <class T>
class PythonLoss {
public:
    PythonLoss(py::object function, std::size_t rows, std::size_t outputs)
        : function_(std::move(function)), outputs_({rows, outputs}), gradients_({rows, outputs}),
          losses_(static_cast<py::ssize_t>(rows)), samples_(static_cast<py::ssize_t>(rows)) {}

    void operator()(Unlocked& unlocked, const LossBatch<T>& batch) {
        const Unlocked::Locked gil(unlocked);
        const std::size_t rows = batch.nodes.rows, n = batch.nodes.cols;
        for (std::size_t b = 0; b < rows; ++b) {
            std::copy_n(batch.nodes.row(b), n, outputs_.mutable_data() + b * n);
        }
        std::copy_n(batch.samples, rows, samples_.mutable_data());
        const py::slice first(0, static_cast<py::ssize_t>(rows), 1);
        call_python(function_, outputs_[first], samples_[first], gradients_[first], losses_[first]);
        for (std::size_t b = 0; b < rows; ++b) {
            std::copy_n(gradients_.data() + b * n, n, batch.gradients.row(b));
        }
        std::copy_n(losses_.data(), rows, batch.losses);
    }

private:
    py::object function_;
    py::array_t<T> outputs_, gradients_, losses_;
    py::array_t<std::uint32_t> samples_;
};

/// Targets of `rows` rows: labels, values, or a function in place of a loss. The arrays are held by
/// the caller's frame.
template <class T>
struct BorrowedTargets {
    BorrowedTargets(const py::object& y, py::handle sample_weight, std::size_t rows,
                    std::size_t outputs)
        : weights(sample_weight.is_none() ? py::array()
                                          : require_ready<T>(sample_weight, 1, "sample_weight")),
          is_custom(PyCallable_Check(y.ptr()) != 0), loss(y, is_custom ? rows : 0, outputs),
          targets(is_custom ? with_weights(Targets<T>::of_function(ask, rows), weights)
                            : borrow_targets<T>(y, weights)) {}
    BorrowedTargets(const BorrowedTargets&) = delete;
    BorrowedTargets& operator=(const BorrowedTargets&) = delete;

    /// From now on a function is called by the thread that released the GIL.
    void release(Unlocked& unlocked) {
        ask = [this, &unlocked](const LossBatch<T>& batch) { loss(unlocked, batch); };
    }

    py::array weights;
    bool is_custom;
    PythonLoss<T> loss;
    CustomLoss<T> ask;
    Targets<T> targets;
};

}  // namespace fastmlp::bindings
