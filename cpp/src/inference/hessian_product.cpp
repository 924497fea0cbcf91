#include "fastmlp/hessian_product.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "checks/checks.hpp"
#include "propagation/samples.hpp"
#include "propagation/stepwise.hpp"
#include "propagation/tangent.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {
namespace {

/// Rows that go through all layers together.
constexpr std::size_t kBlockRows = 256;
/// Products with all parameters: three forward, as a V, a' W and a W, three back, and two for the
/// gradients.
constexpr int kProducts = 8;

template <class T>
void check_differentiable(const Network<T>& network) {
    if (network.loss().kind == Loss::kCustom) {
        throw std::invalid_argument("a Hessian product does not support a custom loss");
    }
    for (const Layer& layer : network.layers()) {
        for (const Normalization of : {layer.normalization, layer.input_normalization}) {
            if (of == Normalization::kNone) continue;
            throw std::invalid_argument("a Hessian product does not support " +
                                        std::string(name_of(of)) + " normalization");
        }
    }
}

void check_size(const char* name, std::size_t size, std::size_t given) {
    if (given == size) return;
    throw std::invalid_argument(std::string(name) + " must have " + std::to_string(size) +
                                " elements, got " + std::to_string(given));
}

}  // namespace

template <class T>
class HessianProduct<T>::Impl {
public:
    explicit Impl(const Network<T>& network)
        : network_(network), direction_(network.layout().size()),
          product_(network.layout().size()) {}

    void compute(const Features<T>& given, const Targets<T>& y, std::span<const T> v,
                 std::span<T> out, int n_threads) {
        const Features<T> x = checked_features(network_, given);
        check_targets(network_, y, x.rows);
        check_differentiable(network_);
        check_size("v", direction_.size(), v.size());
        check_size("out", product_.size(), out.size());
        const IeeeDefaults ieee;
        take(x, y);
        take_trainable(v);
        std::fill(product_.begin(), product_.end(), T(0));
        if (work_->batch > 0) multiply(y, n_threads);
        std::copy(product_.begin(), product_.end(), out.begin());
    }

private:
    /// The rows that count, as the passes read them.
    void take(const Features<T>& x, const Targets<T>& y) {
        const std::vector<std::uint32_t> places = counting_rows(y.weights, x.rows);
        const std::size_t rows = places.size();
        if (!work_ || work_->capacity < rows) {
            tangents_.reset();
            work_.emplace(network_.layout(), network_.layers(), rows);
            tangents_.emplace(network_.layout(), rows);
        }
        Workspace<T>& work = *work_;
        work.batch = work.context.batch = rows;
        work.input.expect(x, rows);
        work.scaled.expect(ColumnScaling<T>(network_.output_scaling().get()), work.capacity,
                           network_.outputs());
        for (std::size_t b = 0; b < rows; ++b) {
            work.input.take(kernels::active_table<T>(), x, places[b], b);
            take_target(y, places[b], b, work);
        }
    }

    /// Nothing of the layers that are not trainable.
    void take_trainable(std::span<const T> v) {
        const Layout& layout = network_.layout();
        std::fill(direction_.begin(), direction_.end(), T(0));
        for (std::size_t i = 0; i < layout.layer_count(); ++i) {
            if (!network_.layers()[i].trainable) continue;
            const std::size_t first = layout[i].offset();
            std::copy_n(v.data() + first, layout[i].size(), direction_.data() + first);
        }
    }

    void multiply(const Targets<T>& y, int n_threads) {
        PackedParameters<T> direction(network_.layout(), direction_.data());
        PackedParameters<T> product(network_.layout(), product_.data());
        direction.load();
        std::vector<UpdateTarget<T>> targets;
        for (std::size_t i = 0; i < product.size(); ++i) targets.push_back({product[i]});
        const auto scale = static_cast<T>(1 / weight_sum(y, *work_));
        const double flops_each = 2.0 * kProducts * static_cast<double>(product_.size());
        on_team(network_, *work_, kProducts, n_threads, [&](const Propagation<T>& pass) {
            const TangentPass<T> tangent{pass, direction, *tangents_};
            for_each_block(pass.context.rows(), kBlockRows, flops_each, pass.poll, [&](Range rows) {
                pass.forward(rows);
                if (holds_activation(pass.loss)) pass.outputs(rows);
                tangent.forward(rows);
                tangent.output_delta(y, rows);
                tangent.backward(rows);
            });
            pass.context.meet();
            tangent.gradients(targets, scale);
        });
        product.store();
    }

    const Network<T>& network_;
    Buffer<T> direction_, product_;
    std::optional<Workspace<T>> work_;
    std::optional<Tangents<T>> tangents_;
};

template <class T>
HessianProduct<T>::HessianProduct(const Network<T>& network)
    : impl_(std::make_unique<Impl>(network)) {}
template <class T>
HessianProduct<T>::~HessianProduct() = default;
template <class T>
HessianProduct<T>::HessianProduct(HessianProduct&&) noexcept = default;
template <class T>
HessianProduct<T>& HessianProduct<T>::operator=(HessianProduct&&) noexcept = default;

template <class T>
void HessianProduct<T>::compute(MatrixView<const T> x, const Targets<T>& y, std::span<const T> v,
                                std::span<T> out, int n_threads) {
    impl_->compute(x, y, v, out, n_threads);
}

template <class T>
void HessianProduct<T>::compute(const RawView<T>& x, const Targets<T>& y, std::span<const T> v,
                                std::span<T> out, int n_threads) {
    impl_->compute(x, y, v, out, n_threads);
}

template class HessianProduct<float>;
template class HessianProduct<double>;

}  // namespace fastmlp
