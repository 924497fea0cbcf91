#include "fastmlp/hessian_product.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "checks/checks.hpp"
#include "propagation/blocks_of_batch.hpp"
#include "propagation/stepwise.hpp"
#include "propagation/tangent.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {
namespace {

/// Rows between two looks for an interrupt.
constexpr std::size_t kPieceRows = 256;
/// Arrays of the size of the nodes: nodes and deltas, their tangents, and those of z.
constexpr std::size_t kArrays = 5;
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
        check_content(network_, y);
        check_differentiable(network_);
        check_size("v", direction_.size(), v.size());
        check_size("out", product_.size(), out.size());
        const IeeeDefaults ieee;
        take_trainable(v);
        std::fill(product_.begin(), product_.end(), T(0));
        if (x.rows > 0) multiply({x, y}, n_threads);
        std::copy(product_.begin(), product_.end(), out.begin());
    }

private:
    /// Room for the rows that are propagated together.
    void prepare(const Samples<T>& samples, int threads) {
        const std::vector<Layer>& layers = network_.layers();
        const std::size_t rows =
            rows_of_block<T>(layers, network_.layout(), samples.count(), threads, kArrays);
        if (!work_ || work_->capacity < rows) {
            tangents_.reset();
            work_.emplace(network_.layout(), layers, rows);
            tangents_.emplace(network_.layout(), rows);
        }
        work_->input.expect(samples.x, work_->capacity);
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

    void multiply(const Samples<T>& samples, int n_threads) {
        const Layout& layout = network_.layout();
        const std::size_t rows = samples.count();
        const int threads = threads_for_passes(layout, rows, kProducts, n_threads);
        prepare(samples, threads);
        PackedParameters<T> direction(layout, direction_.data()), product(layout, product_.data());
        direction.load();
        std::vector<UpdateTarget<T>> whole;
        for (std::size_t i = 0; i < product.size(); ++i) whole.push_back({product[i]});
        std::optional<GradientSums<T>> direct, through;
        if (rows > work_->capacity) {
            direct.emplace(network_, whole);
            through.emplace(network_, whole);
        }
        on_team(network_, *work_, threads, [&](const Propagation<T>& pass) {
            BlockPass<T> part(pass);
            const TangentPass<T> tangent{part, direction, *tangents_};
            if (!part.begin(samples, 0, rows, pass.context)) return;
            for (part.gather(samples, 0);; part.gather(samples, 0)) {
                propagate(tangent, samples.y, part.rows);
                part.context.meet();
                if (part.is_last()) break;
                part.add_losses_of_block(samples.y);
                const bool is_first = part.is_first();
                tangent.gradients(direct->of_block(is_first), through->of_block(is_first), T(1),
                                  false);
                part.context.meet();
            }
            const auto scale = static_cast<T>(1 / part.weight(samples.y));
            const bool is_whole = part.is_first();
            tangent.gradients(is_whole ? whole : direct->of_last(),
                              is_whole ? whole : through->of_last(), scale, true);
        });
        product.store();
    }

    /// One thread's rows of a block, forward and back.
    void propagate(const TangentPass<T>& tangent, const Targets<T>& y, Range of_thread) const {
        const Propagation<T>& pass = tangent.pass;
        const double flops_each = 2.0 * kProducts * static_cast<double>(product_.size());
        for_each_block(of_thread, kPieceRows, flops_each, pass.poll, [&](Range rows) {
            pass.forward(rows);
            if (holds_activation(pass.loss)) pass.outputs(rows);
            tangent.forward(rows);
            tangent.output_delta(y, rows);
            tangent.backward(rows);
        });
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
