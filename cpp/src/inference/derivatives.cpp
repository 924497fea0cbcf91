/// Derivatives with respect to the features: backward passes that go one layer further than those
/// of training, through the first weights.
#include <algorithm>
#include <stdexcept>

#include "checks/checks.hpp"
#include "fastmlp/network.hpp"
#include "propagation/cache_size.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/share_out.hpp"

namespace fastmlp {
namespace {

/// One thread's passes, as prediction computes: no dropout, running averages.
template <class T>
class Derivatives {
public:
    Derivatives(const Network<T>& network, const PackedParameters<T>& packed, std::size_t rows,
                Poll* poll)
        : work_(network.layout(), network.layers(), rows), pass_(network, packed, work_),
          gradients_(rows, network.features()), input_scaling_(network.input_scaling().get()) {
        pass_.poll = poll;
    }

    /// Nodes of `rows` samples of x from `first` on.
    void forward(const Features<T>& x, std::size_t first, std::size_t rows) {
        work_.batch = rows;
        work_.input.expect(x, rows);
        const auto sample_of = [&](std::size_t b) { return first + b; };
        work_.input.take_all(pass_.kernel, x, {0, rows}, sample_of, 0);
        pass_.forward({0, rows});
        pass_.outputs({0, rows});
    }

    /// The derivatives of each sample's loss, times its weight, into the rows of `out` from `first`
    /// on. Those of a sample of weight 0 are 0, whatever its nodes are.
    void of_losses(const Targets<T>& y, std::size_t first, MatrixView<T> out) {
        for (std::size_t b = 0; b < work_.batch; ++b) take_target(y, first + b, b, work_);
        pass_.output_delta(y, {0, work_.batch});
        if (pass_.output_scaling) to_units();
        pass_.backward({0, work_.batch});
        finish(work_.batch, first, out);
        for (std::size_t b = 0; y.weights && b < work_.batch; ++b) {
            if (y.weights[first + b] == 0) std::fill_n(out.row(first + b), out.cols, T(0));
        }
    }

    /// The derivatives of every output: N rows for each sample, from row N `first` on.
    void of_outputs(std::size_t first, MatrixView<T> out) {
        const std::size_t n = output().nodes, rows = work_.batch * n;
        repeat(work_.nodes.back(), rows);
        for (std::size_t i = 0; i < pass_.layers.size(); ++i) {
            if (pass_.traits[i].is_normalized) repeat_inverses(*work_.normalized[i], rows);
            repeat(pass_.z(i), rows);
        }
        if (pass_.normalizes_inputs) repeat_inverses(*work_.normalized_inputs, rows);
        output_deltas(rows);
        if (pass_.output_scaling) {
            multiply_columns(work_.deltas.back(), {0, rows}, pass_.output_scaling.scales);
        }
        pass_.backward({0, rows});
        finish(rows, n * first, out);
    }

private:
    const Layer& output() const { return pass_.layers.back(); }

    /// Repeats each row N times, for a backward pass for each output. Begins with the last row, so
    /// that no row is overwritten before it is read.
    void repeat(Rows<T>& values, std::size_t rows) {
        for (std::size_t r = rows; r-- > 0;) {
            std::copy_n(values.row(r / output().nodes), values.stride, values.row(r));
        }
    }
    void repeat_inverses(Normalized<T>& normalized, std::size_t rows) {
        repeat(normalized.x, rows);
        for (std::size_t r = rows; r-- > 0;) {
            normalized.inverses[r] = normalized.inverses[r / output().nodes];
        }
    }

    /// dh_n/dz for row r = N b + n: one line of the softmax's Jacobian, or h' at n alone.
    void output_deltas(std::size_t rows) {
        const std::size_t n = output().nodes;
        if (!pass_.heads.empty()) return output_deltas_of_heads(rows);
        const bool softmax = output().activation == Activation::kSoftmax;
        Rows<T>&delta = work_.deltas.back(), &nodes = work_.nodes.back();
        for (std::size_t r = 0; r < rows; ++r) {
            T* row = delta.row(r);
            const T* h = nodes.row(r);
            std::fill_n(row, delta.stride, T(0));
            for (std::size_t j = 0; softmax && j < n; ++j) row[j] = -(h[r % n] * h[j]);
            row[r % n] = softmax ? h[r % n] * (T(1) - h[r % n]) : T(1);
        }
        Rows<T>& from = keeps_z(output().activation) ? work_.z.back() : nodes;
        activate_backward(pass_.kernel, output().activation, from.row(0), from.stride, delta.row(0),
                          delta.stride, rows, n);
    }

    void output_deltas_of_heads(std::size_t rows) {
        Rows<T>& delta = work_.deltas.back();
        for (std::size_t r = 0; r < rows; ++r) {
            std::fill_n(delta.row(r), delta.stride, T(0));
            delta.row(r)[r % delta.cols] = 1;
        }
        pass_.pass_back_heads({0, rows});
    }

    /// The deltas of losses of what is scaled become those of losses of the outputs.
    void to_units() {
        Rows<T>& delta = work_.deltas.back();
        const auto multiply = [&](Loss loss, Range columns) {
            for (std::size_t b = 0; b < work_.batch; ++b) {
                for (std::size_t j = columns.first; j < columns.last; ++j) {
                    const T scale = pass_.output_scaling.scales[j];
                    for (int power = unit_power(loss); power > 0; --power) delta.row(b)[j] *= scale;
                }
            }
        };
        if (pass_.heads.empty()) return multiply(pass_.loss, {0, delta.cols});
        std::size_t first = 0;
        for (const Head& head : pass_.heads) {
            multiply(head.loss, {first, first + head.nodes});
            first += head.nodes;
        }
    }

    void finish(std::size_t rows, std::size_t first, MatrixView<T> out) {
        pass_.feature_gradients({0, rows}, gradients_);
        if (input_scaling_) multiply_columns(gradients_, {0, rows}, input_scaling_.scales);
        for (std::size_t r = 0; r < rows; ++r) {
            std::copy_n(gradients_.row(r), gradients_.cols, out.row(first + r));
        }
    }

    Workspace<T> work_;
    Propagation<T> pass_;
    Rows<T> gradients_;
    ColumnScaling<T> input_scaling_;
};

/// Calls f(derivatives, first, size) for blocks of samples whose passes have `rows_each` rows, on
/// as many threads as are worthwhile.
template <class T, class F>
void for_each_block(const Network<T>& network, std::size_t samples, std::size_t rows_each,
                    int n_threads, F f) {
    const IeeeDefaults ieee;
    PackedParameters<T> packed(network.layout(), network.parameters()->data());
    Interrupts interrupts;
    packed.load(interrupts.poll());
    const std::size_t size = std::max<std::size_t>(1, rows_in_cache() / rows_each);
    const double flops_each =
        4.0 * static_cast<double>(network.layout().size()) * static_cast<double>(rows_each);
    const auto work = [&](Range mine, Poll* poll) {
        if (mine.size() == 0) return;
        Derivatives<T> derivatives(network, packed, std::min(size, mine.size()) * rows_each, poll);
        for_each_block(mine, size, flops_each, poll,
                       [&](Range block) { f(derivatives, block.first, block.size()); });
    };
    share_out({samples, flops_each, 1}, n_threads, nullptr, interrupts, work);
}

template <class T>
void jacobian_rows(const Network<T>& network, const Features<T>& given, MatrixView<T> out,
                   int n_threads) {
    const Features<T> x = checked_features(network, given);
    check_out(checked_multiply(x.rows, network.outputs()), network.features(), out);
    for_each_block(network, x.rows, network.outputs(), n_threads,
                   [&](Derivatives<T>& derivatives, std::size_t first, std::size_t size) {
                       derivatives.forward(x, first, size);
                       derivatives.of_outputs(first, out);
                   });
}

template <class T>
void input_gradient_rows(const Network<T>& network, const Features<T>& given, const Targets<T>& y,
                         MatrixView<T> out, int n_threads) {
    const Features<T> x = checked_features(network, given);
    check_targets(network, y, x.rows);
    check_content(network, y);
    if (y.custom) throw std::invalid_argument("input_gradient does not support a custom loss");
    check_out(x.rows, network.features(), out);
    for_each_block(network, x.rows, 1, n_threads,
                   [&](Derivatives<T>& derivatives, std::size_t first, std::size_t size) {
                       derivatives.forward(x, first, size);
                       derivatives.of_losses(y, first, out);
                   });
}

}  // namespace

template <class T>
void Network<T>::jacobian(MatrixView<const T> x, MatrixView<T> out, int n_threads) const {
    jacobian_rows<T>(*this, x, out, n_threads);
}

template <class T>
void Network<T>::jacobian(const RawView<T>& x, MatrixView<T> out, int n_threads) const {
    jacobian_rows<T>(*this, x, out, n_threads);
}

template <class T>
void Network<T>::input_gradient(MatrixView<const T> x, const Targets<T>& y, MatrixView<T> out,
                                int n_threads) const {
    input_gradient_rows<T>(*this, x, y, out, n_threads);
}

template <class T>
void Network<T>::input_gradient(const RawView<T>& x, const Targets<T>& y, MatrixView<T> out,
                                int n_threads) const {
    input_gradient_rows<T>(*this, x, y, out, n_threads);
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
    template void Network<T>::jacobian(MatrixView<const T>, MatrixView<T>, int) const;            \
    template void Network<T>::jacobian(const RawView<T>&, MatrixView<T>, int) const;              \
    template void Network<T>::input_gradient(MatrixView<const T>, const Targets<T>&,              \
                                             MatrixView<T>, int) const;                           \
    template void Network<T>::input_gradient(const RawView<T>&, const Targets<T>&, MatrixView<T>, \
                                             int) const;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
