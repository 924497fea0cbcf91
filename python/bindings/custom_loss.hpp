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

}  // namespace fastmlp::bindings
