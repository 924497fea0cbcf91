#include "fastmlp/networks.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "checks/checks.hpp"
#include "initial_parameters.hpp"
#include "kernels/dispatch.hpp"
#include "lanes/arrays.hpp"
#include "propagation/activation.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {
namespace {

/// Rows of x through as many networks as a vector has lanes.
template <class T>
class LanePrediction {
public:
    static constexpr std::size_t kRows = 32;

    explicit LanePrediction(const Network<T>& network)
        : network_(network), kernel_(kernels::active_table<T>()),
          parameters_(network.layout(), width()), x_(kRows, network.features(), width()) {
        for (const Layer& layer : network.layers()) {
            nodes_.emplace_back(kRows, layer.nodes, width());
        }
    }

    std::size_t width() const { return kernel_.in_lanes.lanes; }

    /// The parameters of some networks in their lanes; the others repeat the first one.
    void take(const T* parameters, std::span<const std::size_t> places) {
        const std::size_t size = network_.layout().size();
        for (std::size_t l = 0; l < width(); ++l) {
            parameters_.load(l, parameters + places[l < places.size() ? l : 0] * size);
        }
    }

    /// Rows `row` to `row` + kRows - 1 of x, of the first `count` lanes.
    void predict(MatrixView<const T> x, std::size_t row, std::size_t count, T* out) {
        const std::size_t rows = std::min(kRows, x.rows - row), n = network_.outputs();
        for (std::size_t b = 0; b < rows; ++b) {
            T* const to = x_.values.data() + b * x_.stride * width();
            for (std::size_t k = 0; k < x.cols; ++k) {
                std::fill_n(to + k * width(), width(), x.row(row + b)[k]);
            }
        }
        forward(rows);
        const LaneRows<T>& last = nodes_.back();
        for (std::size_t l = 0; l < count; ++l) {
            for (std::size_t b = 0; b < rows; ++b) {
                T* const to = out + (l * x.rows + row + b) * n;
                const T* from = last.values.data() + b * last.stride * width() + l;
                for (std::size_t j = 0; j < n; ++j) to[j] = from[j * width()];
            }
        }
    }

private:
    void forward(std::size_t rows) {
        const LaneRows<T>* from = &x_;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            const LaneLayer<T>& layer = parameters_[i];
            T* const z = nodes_[i].values.data();
            const Activation activation = network_.layers()[i].activation;
            const bool relu = activation == Activation::kRelu;
            kernel_.in_lanes.forward(from->values.data(), from->stride, rows, layer.k, layer.w,
                                     layer.ldw, layer.bias, layer.n, relu, z, nodes_[i].stride);
            from = &nodes_[i];
            if (relu) continue;
            activate(kernel_, activation, z, 0, z, 0, 1, rows * nodes_[i].stride * width());
        }
    }

    const Network<T>& network_;
    const kernels::KernelTable<T>& kernel_;
    LaneParameters<T> parameters_;
    LaneRows<T> x_;
    std::vector<LaneRows<T>> nodes_;
};

void check_place(std::size_t i, std::size_t count) {
    if (i < count) return;
    throw std::invalid_argument("there is no network " + std::to_string(i) + " of " +
                                std::to_string(count));
}

}  // namespace

template <class T>
Networks<T>::Networks(Network<T> first, std::size_t count)
    : first_(std::move(first)), count_(count),
      parameters_(std::make_shared<Buffer<T>>(checked_multiply(count, first_.layout().size()))) {
    constexpr std::size_t kDrawnAtOnce = 1024;
    if (count > 0 && seed(count - 1) < seed(0)) {
        throw std::invalid_argument("the seeds of " + std::to_string(count) + " networks from " +
                                    std::to_string(seed(0)) + " on must be below 2^64");
    }
    const IeeeDefaults ieee;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kDrawnAtOnce == 0) look_for_interrupt();
        set_initial_parameters(first_.layout(), first_.layers(), seed(i),
                               parameters_->data() + i * size());
    }
}

template <class T>
Network<T> Networks<T>::at(std::size_t i, std::uint64_t seed) const {
    check_place(i, count_);
    return first_.sibling(std::make_shared<Buffer<T>>(parameters_, i * size(), size()), seed);
}

template <class T>
bool Networks<T>::predicts_together() const {
    constexpr std::size_t kWidest = 64;
    const auto plain = [](const Layer& layer) {
        return layer.normalization == Normalization::kNone && layer.nodes <= kWidest &&
               layer.input_normalization == Normalization::kNone &&
               layer.activation != Activation::kSoftmax;
    };
    return kernels::active_table<T>().in_lanes.lanes > 1 && first_.heads().empty() &&
           !first_.input_scaling() && !first_.output_scaling() &&
           std::all_of(first_.layers().begin(), first_.layers().end(), plain);
}

template <class T>
void Networks<T>::predict(MatrixView<const T> x, std::span<const std::size_t> places,
                          T* out) const {
    check_features(features(), x);
    if (!predicts_together()) {
        throw std::invalid_argument("these layers are not predicted side by side");
    }
    for (const std::size_t i : places) check_place(i, count_);
    const IeeeDefaults ieee;
    LanePrediction<T> lanes(first_);
    const std::size_t outputs = x.rows * first_.outputs();
    for (std::size_t i = 0; i < places.size(); i += lanes.width()) {
        const auto some = places.subspan(i, std::min(lanes.width(), places.size() - i));
        lanes.take(parameters_->data(), some);
        for (std::size_t row = 0; row < x.rows; row += LanePrediction<T>::kRows) {
            lanes.predict(x, row, some.size(), out + i * outputs);
        }
    }
}

template class Networks<float>;
template class Networks<double>;

}  // namespace fastmlp
