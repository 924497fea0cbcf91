/// `Network`: its state, the three steps, copies and scaling.
///
/// Over 400 lines, as the public class has many small members and each is a few lines here.
#include "fastmlp/network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "checks/checks.hpp"
#include "checks/same_function.hpp"
#include "files/json.hpp"
#include "initial_parameters.hpp"
#include "kernels/dispatch.hpp"
#include "propagation/norm.hpp"
#include "propagation/propagate.hpp"
#include "propagation/samples.hpp"
#include "propagation/scaling.hpp"
#include "propagation/stepwise.hpp"
#include "threads/ieee_defaults.hpp"
#include "threads/share_out.hpp"
#include "training/epoch_end.hpp"
#include "training/step_rules.hpp"

namespace fastmlp {
namespace {

void check_rate_factor(double factor) {
    if (factor > 0 && std::isfinite(factor)) return;
    throw std::invalid_argument("rate_factor must be above 0 and finite");
}

template <class T>
bool is_finite_in(double number) {
    return std::isfinite(static_cast<T>(number));
}

template <class T>
bool fits(const std::shared_ptr<Buffer<T>>& buffer, std::size_t size) {
    return buffer == nullptr || buffer->size() == size;
}

template <class T>
void check_activation(Activation activation) {
    const bool has_slope = activation == Activation::kLeakyRelu;
    if (!has_slope && activation != Activation::kElu) {
        if (activation.parameter == 0) return;
        throw std::invalid_argument(std::string(name_of(activation)) + " has no parameter");
    }
    if (!(activation.parameter >= 0 && is_finite_in<T>(activation.parameter))) {
        throw std::invalid_argument(std::string(has_slope ? "negative_slope" : "alpha") +
                                    " must be at least 0, and finite in the type of the network");
    }
}

template <class T>
void check_normalization(Normalization normalization) {
    const Normalization usual = normalization.kind;
    if (!(static_cast<T>(normalization.epsilon) > 0 && is_finite_in<T>(normalization.epsilon))) {
        throw std::invalid_argument(
            "epsilon must be above 0 and finite in the type of the network");
    }
    if (!(normalization.momentum >= 0 && normalization.momentum <= 1)) {
        throw std::invalid_argument("momentum must be in [0, 1]");
    }
    if (usual == Normalization::kNone && normalization != usual) {
        throw std::invalid_argument("epsilon, momentum and after_activation need a normalization");
    }
    if (usual == Normalization::kLayer && normalization.momentum != usual.momentum) {
        throw std::invalid_argument("momentum is of batch normalization only");
    }
}

template <class T>
void check_layers(const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        check_activation<T>(layer.activation);
        check_normalization<T>(layer.normalization);
        check_normalization<T>(layer.input_normalization);
        if (layer.input_normalization.after_activation) {
            throw std::invalid_argument("input_normalization comes before any activation");
        }
        if (&layer != &layers.front() && layer.input_normalization != Normalization::kNone) {
            throw std::invalid_argument("input_normalization is of the first layer only");
        }
    }
}

void check_regularization(const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        if (!(layer.dropout >= 0 && layer.dropout < 1)) {
            throw std::invalid_argument("dropout must be at least 0 and below 1");
        }
        check_rate_factor(layer.rate_factor);
    }
    if (layers.back().normalization != Normalization::kNone || layers.back().dropout != 0) {
        throw std::invalid_argument("the output layer takes no normalization and no dropout");
    }
}

void check_output(Loss loss, Activation activation) {
    if (!fits(loss, activation)) {
        throw std::invalid_argument("the loss " + std::string(name_of(loss.kind)) +
                                    " does not go with the output activation " +
                                    std::string(name_of(activation)));
    }
    const double parameter = loss.parameter;
    const std::string name = "the parameter of the loss " + std::string(name_of(loss.kind));
    const auto check = [&](bool holds, const char* range) {
        require(holds, name.c_str(), range, parameter);
    };
    switch (loss.kind) {
        case Loss::kCrossEntropy: return check(parameter >= 0 && parameter <= 1, "from 0 to 1");
        case Loss::kHuber:
            return check(parameter > 0 && std::isfinite(parameter), "above 0 and finite");
        case Loss::kQuantile: return check(parameter > 0 && parameter < 1, "between 0 and 1");
        default: return check(parameter == 0, "0, as there is none");
    }
}

void check_loss(Loss loss, const std::vector<Layer>& layers) {
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
        if (layers[i].activation == Activation::kSoftmax) {
            throw std::invalid_argument("softmax stands at the output layer only");
        }
    }
    check_output(loss, layers.back().activation);
}

/// Below which T holds every whole number, as labels of heads are values of type T.
template <class T>
constexpr double kMostLabels = sizeof(T) == 4 ? 0x1p24 : 0x1p53;

/// Whose nodes are those of `output`.
template <class T>
void check_heads(const std::vector<Head>& heads, const Layer& output) {
    std::set<std::string_view> names;
    for (const Head& head : heads) {
        const auto refuse = [&](const char* problem) {
            throw std::invalid_argument("head '" + head.name + "': " + problem);
        };
        if (head.name.empty() || files::valid_utf8_length(head.name) != head.name.size()) {
            throw std::invalid_argument("names of heads must be UTF-8 without NUL, not empty");
        }
        if (!names.insert(head.name).second) refuse("the name comes twice");
        if (head.name.starts_with("validation")) refuse("no name may begin with 'validation'");
        if (head.nodes == 0 || head.nodes > output.nodes) {
            refuse("must have at least one node, and no more than the last layer");
        }
        if (head.activation == Activation::kSoftmax && head.nodes == 1) {
            refuse("softmax needs at least two nodes");
        }
        if (static_cast<double>(head.nodes) > kMostLabels<T>) refuse("has too many nodes");
        if (head.loss.kind == Loss::kCustom) refuse("a custom loss cannot be that of a head");
        if (!(static_cast<T>(head.weight) > 0 && is_finite_in<T>(head.weight))) {
            refuse("its weight must be above 0 and finite in the type of the network");
        }
        check_activation<T>(head.activation);
        check_output(head.loss, head.activation);
    }
    if (heads.empty()) throw std::invalid_argument("there must be at least one head");
    if (output.nodes != target_count(heads, false) || output.activation != Activation::kIdentity) {
        throw std::invalid_argument(
            "the last layer must be identity with as many nodes as the heads together");
    }
}

/// Computes the nodes of the rows `work.places` of `work.x`, gathered one after another. With
/// `averages`, the running averages are updated, too.
template <class T>
void forward_counting(const Network<T>& network, Workspace<T>& work, bool averages, int n_threads) {
    work.batch = work.context.batch = work.places.size();
    work.context.places = work.places.data();
    work.has_deltas = false;
    if (work.batch == 0) return;
    const Features<T>& x = *work.x;
    work.input.expect(x, work.batch);
    work.input.take_all(
        kernels::active_table<T>(), x, {0, work.batch},
        [&](std::size_t b) { return work.places[b]; }, 0);
    const int threads = threads_for_passes(network.layout(), work.batch, 1, n_threads);
    on_team(network, work, threads, [&](const Propagation<T>& pass) {
        StepwisePass<T>{pass}.forward();
        pass.outputs(pass.context.rows());
        pass.context.meet();
        if (averages) pass.move_averages();
    });
}

/// The number of worthwhile threads for an update of `elements` elements.
int update_threads(std::size_t elements, int n_threads) {
    constexpr double kFlopsPerElement = 10;
    return threads_worth(kFlopsPerElement * static_cast<double>(elements), elements, kCallCost,
                         n_threads);
}

/// The norm of the gradients of all trainable layers; each thread adds its share of the squares.
template <class T>
double norm_of_gradients(const Network<T>& network, SumOfSquares<T>& squares, Share share,
                         ThreadTeam* team) {
    const Layout& layout = network.layout();
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (!network.layers()[i].trainable) continue;
        squares.add(i, natural_view(layout, i, network.gradients()->data()), share);
    }
    if (team) team->barrier(static_cast<int>(share.rank));
    return std::sqrt(squares.total());
}

/// One thread's share of a step with the stored gradients.
template <class T>
void apply_stored(Network<T>& network, const Optimizer& optimizer, const StepFacts& facts,
                  Share share) {
    const Layout& layout = network.layout();
    const OptimizerState<T>& state = network.optimizer_state();
    const StepRules<T> rules = step_rules<T>(optimizer, facts);
    std::vector<StepRules<T>> room = room_for_layer_rules<T>(network.layers());
    const GradientUse<T> use{T(1), &rules,
                             layer_rules(optimizer, facts, {}, network.layers(), room)};
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        if (!network.layers()[i].trainable) continue;
        UpdateTarget<T> target{natural_view(layout, i, network.parameters()->data())};
        if (state.first) target.first_moment = natural_view(layout, i, state.first->data());
        if (state.second) target.second_moment = natural_view(layout, i, state.second->data());
        apply_gradients(kernels::active_table<T>(), target,
                        natural_view(layout, i, network.gradients()->data()), use.of_layer(i),
                        share);
    }
}

/// Throws unless the loss is a mean over the outputs.
void check_weighs_outputs(Loss loss) {
    switch (loss.kind) {
        case Loss::kCrossEntropy:
            throw std::invalid_argument(
                "loss_weights cannot be of cross_entropy, whose outputs have one loss together: "
                "weigh the samples of a class instead");
        case Loss::kCustom:
            throw std::invalid_argument(
                "loss_weights cannot be of a custom loss, which weighs its outputs itself");
        case Loss::kHeads:
            throw std::invalid_argument(
                "loss_weights cannot be of heads, each of which has a weight");
        default: return;
    }
}

template <class T>
MatrixView<const T> view_of(Rows<T>& rows, std::size_t count) {
    return {rows.row(0), count, rows.cols, rows.stride};
}

/// Writes into an existing buffer, so that views of it stay valid.
template <class T>
void set_scaling(std::shared_ptr<Buffer<T>>& buffer, std::size_t columns, std::span<const T> scales,
                 std::span<const T> offsets, const std::vector<Head>& heads = {}) {
    if (scales.empty() && offsets.empty()) return buffer.reset();
    if (scales.size() != columns || offsets.size() != columns) {
        throw std::invalid_argument("there must be a scale and an offset for each of " +
                                    std::to_string(columns) + " columns");
    }
    const auto finite = [](T number) { return std::isfinite(number); };
    if (!std::all_of(scales.begin(), scales.end(), finite) ||
        !std::all_of(offsets.begin(), offsets.end(), finite)) {
        throw std::invalid_argument("scales and offsets must be finite");
    }
    check_scaling_of_heads(heads, scales, offsets);
    if (!buffer) buffer = std::make_shared<Buffer<T>>(checked_multiply(2, columns));
    std::copy(scales.begin(), scales.end(), buffer->data());
    std::copy(offsets.begin(), offsets.end(), buffer->data() + columns);
}

template <class T>
std::shared_ptr<Buffer<T>> copy_of(const std::shared_ptr<Buffer<T>>& buffer) {
    if (!buffer) return nullptr;
    auto copy = std::make_shared<Buffer<T>>(buffer->size());
    std::copy_n(buffer->data(), buffer->size(), copy->data());
    return copy;
}

}  // namespace

template <class T>
Network<T>::Network(std::size_t features, std::vector<Layer> layers, Loss loss, std::uint64_t seed)
    : features_(features), layers_(std::move(layers)), layout_(features, layers_), loss_(loss),
      seed_(seed), epoch_end_(std::make_unique<EpochEnd<T>>()) {
    check_layers<T>(layers_);
    check_regularization(layers_);
    check_loss(loss, layers_);
    initialize();
}

template <class T>
Network<T>::Network(std::size_t features, std::vector<Layer> layers, std::vector<Head> heads,
                    std::uint64_t seed)
    : features_(features), layers_(std::move(layers)), layout_(features, layers_),
      loss_(Loss::kHeads), heads_(std::move(heads)), seed_(seed),
      epoch_end_(std::make_unique<EpochEnd<T>>()) {
    check_layers<T>(layers_);
    check_regularization(layers_);
    check_loss(default_loss(layers_.back().activation), layers_);
    check_heads<T>(heads_, layers_.back());
    initialize();
}

template <class T>
void Network<T>::initialize() {
    parameters_ = std::make_shared<Buffer<T>>(layout_.size());
    gradients_ = std::make_shared<Buffer<T>>(layout_.size());
    statistics_ = std::make_shared<Buffer<T>>(layout_.statistics_size());
    const IeeeDefaults ieee;
    set_initial_parameters(layout_, layers_, seed_, parameters_->data());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const LayerLayout& at = layout_[i];
        for (const Parameter& variances : {at.running_variances, at.input_running_variances}) {
            std::fill_n(statistics_->data() + variances.offset, variances.size(), T(1));
        }
    }
}

template <class T>
Network<T>::~Network() = default;

template <class T>
Network<T>::Network(Network&&) noexcept = default;

template <class T>
Network<T>& Network<T>::operator=(Network&&) noexcept = default;

template <class T>
void Network<T>::set_trainable(std::size_t layer, bool trainable) {
    layout_.check_layer(layer);
    layers_[layer].trainable = trainable;
}

template <class T>
void Network<T>::set_rate_factor(std::size_t layer, double factor) {
    check_rate_factor(factor);
    layout_.check_layer(layer);
    layers_[layer].rate_factor = factor;
}

template <class T>
void Network<T>::set_epoch(std::uint32_t epoch) {
    epoch_ = epoch;
    position_ = 0;
}

template <class T>
void Network<T>::set_position(std::size_t samples) {
    position_ = samples;
}

template <class T>
void Network<T>::forward(MatrixView<const T> x, bool training, const T* weights, int n_threads) {
    forward_rows(x, training, weights, n_threads);
}

template <class T>
void Network<T>::forward(const RawView<T>& x, bool training, const T* weights, int n_threads) {
    forward_rows(x, training, weights, n_threads);
}

template <class T>
void Network<T>::forward_rows(const Features<T>& x, bool training, const T* weights,
                              int n_threads) {
    const Features<T> features = checked_features(*this, x);
    const std::size_t position = position_;
    try {
        propagate(features, training, weights, n_threads);
    } catch (...) {  // interrupted, or out of memory: discard the forward pass
        workspace_.reset();
        position_ = position;
        throw;
    }
}

template <class T>
void Network<T>::propagate(const Features<T>& x, bool training, const T* weights, int n_threads) {
    const IeeeDefaults ieee;
    // If a view still uses the workspace, a new one is made, so that the old nodes do not change.
    if (!workspace_ || workspace_->capacity < x.rows || workspace_.use_count() > 1) {
        auto fresh = std::make_shared<Workspace<T>>(layout_, layers_, x.rows);
        const ForkGuard whole;
        workspace_.swap(fresh);
    }
    Workspace<T>& work = *workspace_;
    work.x = x;
    work.context = {.training = training, .epoch = epoch_, .position = position_};
    if (training) position_ += x.rows;
    work.places = counting_rows(weights, x.rows);
    forward_counting(*this, work, training, n_threads);
}

template <class T>
double Network<T>::backward(const Targets<T>& y, int n_threads) {
    if (!workspace_ || !workspace_->x || workspace_->x->rows == 0) {
        throw std::logic_error("backward needs a forward before it");
    }
    Workspace<T>& work = *workspace_;
    check_step_targets(*this, y, work.x->rows);
    const IeeeDefaults ieee;
    const std::vector<std::uint32_t> places = counting_rows(y.weights, work.x->rows);
    if (places != work.places) {
        work.places = places;
        try {
            forward_counting(*this, work, false, n_threads);
        } catch (...) {  // interrupted: discard the forward pass
            workspace_.reset();
            throw;
        }
    }
    work.has_deltas = false;
    if (work.batch == 0) {
        std::fill_n(gradients_->data(), layout_.size(), T(0));
        return 0;
    }
    const Buffer<T>* const scaling = heads_.empty() ? output_scaling_.get() : nullptr;
    work.scaled.expect(ColumnScaling<T>(scaling), work.capacity, outputs());
    for (std::size_t b = 0; b < work.batch; ++b) take_target(y, work.places[b], b, work);
    const double weight = weight_sum(y, work);
    std::atomic<bool> begun{false};  // whether some gradients were written
    try {
        PackedParameters<T> gradients(layout_, gradients_->data());
        std::vector<UpdateTarget<T>> targets;
        for (std::size_t i = 0; i < layers_.size(); ++i) targets.push_back({gradients[i]});
        const GradientUse<T> use{static_cast<T>(weight > 0 ? 1 / weight : 0)};
        const int threads = threads_for_passes(layout_, work.batch, 2, n_threads);
        on_team(*this, work, threads, [&](const Propagation<T>& pass) {
            StepwisePass<T>{pass}.backward(y);
            pass.context.meet();
            begun = true;
            pass.gradients(targets, use);
        });
        store_gradients(*this, gradients);
    } catch (...) {  // interrupted: no gradients rather than some of them
        if (begun) std::fill(gradients_->begin(), gradients_->end(), T(0));
        throw;
    }
    work.has_deltas = true;
    work.features_known = false;
    return weighted_mean(add_losses(0.0, work), weight);
}

template <class T>
MatrixView<const T> Network<T>::nodes(std::size_t i) const {
    if (!workspace_ || !workspace_->x) throw std::logic_error("nodes need a forward before them");
    layout_.check_layer(i);
    return view_of(workspace_->nodes[i], workspace_->batch);
}

template <class T>
MatrixView<const T> Network<T>::deltas(std::size_t i) const {
    if (!workspace_ || !workspace_->has_deltas) {
        throw std::logic_error("deltas need a backward before them, and no update since");
    }
    layout_.check_layer(i);
    return view_of(workspace_->deltas[i], workspace_->batch);
}

template <class T>
MatrixView<const T> Network<T>::feature_gradients() {
    if (!workspace_ || !workspace_->has_deltas) {
        throw std::logic_error("feature_gradients needs a backward before it, and no update since");
    }
    Workspace<T>& work = *workspace_;
    if (!work.features) work.features.emplace(work.capacity, features_);
    if (!work.features_known) {
        const IeeeDefaults ieee;
        const ColumnScaling<T> scaling(input_scaling_.get());
        on_team(*this, work, threads_for_passes(layout_, work.batch, 1, 0),
                [&](const Propagation<T>& pass) {
                    const Range rows = pass.context.rows();
                    pass.feature_gradients(rows, *work.features);
                    if (scaling) multiply_columns(*work.features, rows, scaling.scales);
                });
        work.features_known = true;
    }
    return view_of(*work.features, work.batch);
}

/// To be called after a change of the parameters, to which the deltas then no longer belong.
template <class T>
void Network<T>::changed() {
    if (workspace_) workspace_->has_deltas = false;
}

template <class T>
void Network<T>::update(double learning_rate, int n_threads) {
    require(learning_rate >= 0 && is_finite_in<T>(learning_rate), "learning_rate",
            "at least 0 and finite", learning_rate);
    check_trainable(*this);
    const IeeeDefaults ieee;
    const auto& kernel = kernels::active_table<T>();
    Interrupts interrupts;
    together(update_threads(layout_.size(), n_threads), interrupts,
             [&](Share share, ThreadTeam*, Poll*) {
                 for (std::size_t i = 0; i < layers_.size(); ++i) {
                     if (!layers_[i].trainable) continue;
                     kernels::UpdateRule<T> rule;
                     rule.rate = static_cast<T>(learning_rate * layers_[i].rate_factor);
                     const Range mine = share.of(layout_[i].size(), kernels::kPad);
                     const std::size_t first = layout_[i].offset() + mine.first;
                     kernel.update(rule, 1, mine.size(), gradients_->data() + first, 0,
                                   parameters_->data() + first, nullptr, nullptr, 0);
                 }
             });
    changed();
}

template <class T>
void Network<T>::update(const Optimizer& optimizer, int n_threads) {
    check_step_optimizer(optimizer);
    check_trainable(*this);
    prepare_optimizer(optimizer);
    const IeeeDefaults ieee;
    const StepFacts facts{optimizer.learning_rate, optimizer_state_.steps + 1};
    std::optional<SumOfSquares<T>> squares;
    if (optimizer.clip_norm < Optimizer::kUnlimited) squares.emplace(layout_, true);
    Interrupts interrupts;
    together(update_threads(layout_.size(), n_threads), interrupts,
             [&](Share share, ThreadTeam* team, Poll*) {
                 StepFacts own = facts;
                 if (squares) own.norm = norm_of_gradients(*this, *squares, share, team);
                 apply_stored(*this, optimizer, own, share);
             });
    ++optimizer_state_.steps;
    changed();
}

template <class T>
bool Network<T>::has_state_for(const Optimizer& optimizer) const {
    const OptimizerState<T>& state = optimizer_state_;
    return state.kind == optimizer.kind && !!state.first == optimizer.has_first() &&
           !!state.second == optimizer.has_second();
}

template <class T>
void Network<T>::prepare_optimizer(const Optimizer& optimizer) {
    if (has_state_for(optimizer)) return;
    OptimizerState<T> fresh;
    fresh.kind = optimizer.kind;
    if (optimizer.has_first()) fresh.first = std::make_shared<Buffer<T>>(layout_.size());
    if (optimizer.has_second()) fresh.second = std::make_shared<Buffer<T>>(layout_.size());
    set_optimizer_state(std::move(fresh));
}

template <class T>
void Network<T>::set_optimizer_state(OptimizerState<T> state) {
    if (!fits(state.first, layout_.size()) || !fits(state.second, layout_.size())) {
        throw std::invalid_argument("the state of the optimizer is of other layers");
    }
    const ForkGuard whole;
    std::swap(optimizer_state_, state);
}

template <class T>
void Network<T>::set_moving_average(MovingAverage<T> average) {
    if (!fits(average.parameters, layout_.size()) ||
        !fits(average.statistics, layout_.statistics_size()) ||
        (average.parameters == nullptr) != (average.statistics == nullptr)) {
        throw std::invalid_argument("the average is of other layers");
    }
    const ForkGuard whole;
    std::swap(average_, average);
}

template <class T>
void Network<T>::prepare_moving_average(double decay) {
    if (average_.parameters && average_.decay == decay) return;
    MovingAverage<T> fresh;
    fresh.decay = decay;
    fresh.parameters = std::make_shared<Buffer<T>>(layout_.size());
    fresh.statistics = std::make_shared<Buffer<T>>(layout_.statistics_size());
    set_moving_average(std::move(fresh));
}

template <class T>
void Network<T>::soft_update(const Network& source, double tau) {
    require(tau >= 0 && tau <= 1, "tau", "from 0 to 1", tau);
    if (&source == this) return;
    check_same_function(*this, source);
    const IeeeDefaults ieee;
    const auto& kernel = kernels::active_table<T>();
    kernel.approach(static_cast<T>(tau), layout_.size(), source.parameters_->data(),
                    parameters_->data());
    kernel.approach(static_cast<T>(tau), layout_.statistics_size(), source.statistics_->data(),
                    statistics_->data());
    changed();
}

template <class T>
void Network<T>::assign(const Network& other) {
    if (!layout_.matches(other.layout_)) {
        throw std::invalid_argument("the networks have different layers");
    }
    // Existing buffers are written, so that views of them stay valid.
    const auto copy = [](const std::shared_ptr<Buffer<T>>& from,
                         const std::shared_ptr<Buffer<T>>& into) {
        if (!from) return from;
        auto to = into ? into : std::make_shared<Buffer<T>>(from->size());
        std::copy_n(from->data(), from->size(), to->data());
        return to;
    };
    const OptimizerState<T>& state = other.optimizer_state_;
    OptimizerState<T> fresh{state.kind, copy(state.first, optimizer_state_.first),
                            copy(state.second, optimizer_state_.second), state.steps};
    MovingAverage<T> average{
        other.average_.decay, copy(other.average_.parameters, average_.parameters),
        copy(other.average_.statistics, average_.statistics), other.average_.steps};
    std::copy_n(other.parameters_->data(), layout_.size(), parameters_->data());
    std::copy_n(other.statistics_->data(), layout_.statistics_size(), statistics_->data());
    set_optimizer_state(std::move(fresh));
    set_moving_average(std::move(average));
    input_scaling_ = copy(other.input_scaling_, input_scaling_);
    output_scaling_ = copy(other.output_scaling_, output_scaling_);
    loss_weights_ = copy(other.loss_weights_, loss_weights_);
    seed_ = other.seed_;
    epoch_ = other.epoch_;
    position_ = other.position_;
    changed();
}

template <class T>
void Network<T>::set_input_scaling(std::span<const T> scales, std::span<const T> offsets) {
    set_scaling(input_scaling_, features_, scales, offsets);
}

template <class T>
void Network<T>::set_output_scaling(std::span<const T> scales, std::span<const T> offsets) {
    if (!scales.empty() && layers_.back().activation != Activation::kIdentity) {
        throw std::invalid_argument("only outputs of identity can be scaled");
    }
    check_output_scales(scales);
    set_scaling(output_scaling_, outputs(), scales, offsets, heads_);
}

template <class T>
void Network<T>::set_loss_weights(std::span<const T> weights) {
    if (weights.empty()) return loss_weights_.reset();
    check_weighs_outputs(loss_);
    if (weights.size() != outputs()) {
        throw std::invalid_argument("there must be " + std::to_string(outputs()) +
                                    " loss_weights, one for each output, got " +
                                    std::to_string(weights.size()));
    }
    check_loss_weights(weights);
    if (!loss_weights_) loss_weights_ = std::make_shared<Buffer<T>>(outputs());
    std::copy(weights.begin(), weights.end(), loss_weights_->data());
}

template <class T>
Network<T> Network<T>::copy(bool with_optimizer) const {
    Network result(Like{*this});
    result.names_ = names_;
    result.copy_column_settings(*this);
    std::copy_n(parameters_->data(), layout_.size(), result.parameters_->data());
    std::copy_n(statistics_->data(), layout_.statistics_size(), result.statistics_->data());
    if (!with_optimizer) return result;
    const OptimizerState<T>& state = optimizer_state_;
    result.optimizer_state_ = {state.kind, copy_of(state.first), copy_of(state.second),
                               state.steps};
    result.average_ = {average_.decay, copy_of(average_.parameters), copy_of(average_.statistics),
                       average_.steps};
    return result;
}

template <class T>
Network<T> Network<T>::sibling(std::shared_ptr<Buffer<T>> parameters, std::uint64_t seed) const {
    if (parameters == nullptr || parameters->size() != layout_.size()) {
        throw std::invalid_argument("the parameters are of other layers");
    }
    Network result(Like{*this}, std::move(parameters));
    result.seed_ = seed;
    result.names_ = names_;
    result.copy_column_settings(*this);
    std::copy_n(statistics_->data(), layout_.statistics_size(), result.statistics_->data());
    return result;
}

template <class T>
Network<T> Network<T>::averaged() const {
    if (!average_.parameters) {
        throw std::invalid_argument("there is no moving average: training with ema keeps one");
    }
    Network result = copy();
    std::copy_n(average_.parameters->data(), layout_.size(), result.parameters_->data());
    std::copy_n(average_.statistics->data(), layout_.statistics_size(), result.statistics_->data());
    return result;
}

template <class T>
Network<T>::Network(Like other)
    : Network(other, std::make_shared<Buffer<T>>(other.network.layout_.size())) {}

template <class T>
Network<T>::Network(Like other, std::shared_ptr<Buffer<T>> parameters)
    : features_(other.network.features_), layers_(other.network.layers_),
      layout_(other.network.layout_), loss_(other.network.loss_), heads_(other.network.heads_),
      seed_(other.network.seed_), epoch_(other.network.epoch_), position_(other.network.position_),
      parameters_(std::move(parameters)), gradients_(std::make_shared<Buffer<T>>(layout_.size())),
      statistics_(std::make_shared<Buffer<T>>(layout_.statistics_size())),
      epoch_end_(std::make_unique<EpochEnd<T>>()) {}

template <class T>
void Network<T>::copy_column_settings(const Network& other) {
    input_scaling_ = copy_of(other.input_scaling_);
    output_scaling_ = copy_of(other.output_scaling_);
    loss_weights_ = copy_of(other.loss_weights_);
}

template <class T>
std::shared_ptr<const Network<T>> Network<T>::last_epoch_end(
    std::chrono::milliseconds patience) const {
    return epoch_end_->read(*this, patience);
}

template class Network<float>;
template class Network<double>;

}  // namespace fastmlp
