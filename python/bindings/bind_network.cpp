/// The network: views of its memory and the paper's three steps. No arithmetic here.
///
/// Over 400 lines, as every member of the class is bound in one place.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <variant>

#include "bindings.hpp"
#include "custom_loss.hpp"
#include "epoch_reports.hpp"
#include "propagation/workspace.hpp"

namespace fastmlp::bindings {
namespace {

/// An activation by its name, or with its parameter if that is not the default.
using ActivationValue = std::variant<std::string, std::pair<std::string, double>>;
/// A normalization as its name, or with its epsilon, momentum and whether it follows the
/// activation.
using NormalizationValue = std::variant<std::string, std::tuple<std::string, double, double, bool>>;
/// Nodes, activation, normalization and dropout; and a loss with its parameter.
using LayerTuple = std::tuple<std::size_t, ActivationValue, NormalizationValue, double>;
using LossTuple = std::pair<std::string, double>;
/// Name, nodes, activation, loss and weight.
using HeadTuple = std::tuple<std::string, std::size_t, ActivationValue, LossTuple, double>;

Activation parse_activation(const ActivationValue& value) {
    if (const auto* name = std::get_if<std::string>(&value)) return activation_from_name(*name);
    const auto& [name, parameter] = std::get<1>(value);
    return {activation_from_name(name).kind, parameter};
}

ActivationValue describe_activation(Activation activation) {
    const std::string name(name_of(activation));
    if (activation == Activation(activation.kind)) return name;
    return std::pair(name, activation.parameter);
}

Normalization parse_normalization(const NormalizationValue& value) {
    if (const auto* name = std::get_if<std::string>(&value)) return normalization_from_name(*name);
    const auto& [name, epsilon, momentum, after_activation] = std::get<1>(value);
    Normalization result = normalization_from_name(name);
    result.epsilon = epsilon;
    result.momentum = momentum;
    result.after_activation = after_activation;
    return result;
}

NormalizationValue describe_normalization(Normalization of) {
    const std::string name(name_of(of));
    if (of == Normalization(of.kind)) return name;
    return std::tuple(name, of.epsilon, of.momentum, of.after_activation);
}

std::vector<Layer> parse_layers(const std::vector<LayerTuple>& layers,
                                const NormalizationValue& of_inputs) {
    std::vector<Layer> result;
    for (const auto& [nodes, activation, normalization, dropout] : layers) {
        result.push_back(
            {nodes, parse_activation(activation), parse_normalization(normalization), dropout});
    }
    if (!result.empty()) result[0].input_normalization = parse_normalization(of_inputs);
    return result;
}

/// The layers as the constructor takes them.
template <class T>
std::vector<LayerTuple> describe_layers(const LockedNetwork<T>& model) {
    std::vector<LayerTuple> result;
    for (const Layer& layer : model.network.layers()) {
        result.emplace_back(layer.nodes, describe_activation(layer.activation),
                            describe_normalization(layer.normalization), layer.dropout);
    }
    return result;
}

/// The normalization of the features as the constructor takes it.
template <class T>
NormalizationValue describe_input_normalization(const LockedNetwork<T>& model) {
    return describe_normalization(model.network.layers()[0].input_normalization);
}

LossTuple describe_loss(Loss loss) {
    return {std::string(name_of(loss.kind)), loss.parameter};
}

Loss parse_loss(const LossTuple& loss) {
    return {loss_from_name(loss.first), loss.second};
}

/// The heads as the constructor takes them.
template <class T>
std::vector<HeadTuple> describe_heads(const LockedNetwork<T>& model) {
    std::vector<HeadTuple> result;
    for (const Head& head : model.network.heads()) {
        result.emplace_back(head.name, head.nodes, describe_activation(head.activation),
                            describe_loss(head.loss), head.weight);
    }
    return result;
}

std::vector<Head> parse_heads(const std::vector<HeadTuple>& heads) {
    std::vector<Head> result;
    for (const auto& [name, nodes, activation, loss, weight] : heads) {
        result.push_back({name, nodes, parse_activation(activation), parse_loss(loss), weight});
    }
    return result;
}

template <class T>
py::array lend_flat(const std::shared_ptr<Buffer<T>>& buffer) {
    return lend(buffer->data(), {buffer->size()}, {sizeof(T)}, buffer, true);
}

/// One part of a layer: a matrix, or a vector where there is one row.
template <class T>
py::array lend_part(const std::shared_ptr<Buffer<T>>& buffer, const Parameter& p, bool vector) {
    T* data = buffer->data() + p.offset;
    if (vector) return lend(data, {p.cols}, {sizeof(T)}, buffer, true);
    return lend(data, {p.rows, p.cols}, {p.cols * sizeof(T), sizeof(T)}, buffer, true);
}

void check_layer(std::size_t i, std::size_t count) {
    if (i >= count) throw py::index_error("no layer " + std::to_string(i));
}

template <class T>
py::array lend_rows(const std::shared_ptr<Workspace<T>>& work, Rows<T>& rows) {
    return lend(rows.row(0), {work->batch, rows.cols}, {rows.stride * sizeof(T), sizeof(T)}, work,
                false);
}

template <class T>
const std::shared_ptr<Workspace<T>>& require_workspace(const LockedNetwork<T>& model) {
    const auto& work = model.network.workspace();
    if (!work)
        throw std::runtime_error("the network has computed no batch yet: call forward first");
    return work;
}

/// Two networks are locked in the order of their addresses, so that two threads that move networks
/// towards each other cannot deadlock.
template <class T>
void soft_update(LockedNetwork<T>& model, const LockedNetwork<T>& source, double tau) {
    if (&model == &source) return;
    Unlocked unlocked;
    std::optional<Reading> reading;
    if (std::less<>{}(&source, &model)) reading.emplace(source, unlocked);
    const Writing writing(model, Access::kAssignment, unlocked);
    if (!reading) reading.emplace(source, unlocked);
    model.network.soft_update(source.network, tau);
}

/// nodes[0] is the borrowed batch itself, read-only, or what the first layer reads instead;
/// nodes[p] the output of layer p.
template <class T>
py::array nodes(const LockedNetwork<T>& model, std::size_t p) {
    const Reading reading(model);
    const auto& work = require_workspace(model);
    check_layer(p, work->nodes.size() + 1);
    if (p > 0) return lend_rows(work, work->nodes[p - 1]);
    if (work->x->raw.scales || work->normalized_inputs) {
        const MatrixView<T> read = work->input.read(work->batch, work->x->cols);
        return lend(read.data, {read.rows, read.cols}, {read.stride * sizeof(T), sizeof(T)}, work,
                    false);
    }
    py::array view = model.features.attr("view")();
    view.attr("flags").attr("writeable") = false;
    return view;
}

template <class T>
py::array deltas(const LockedNetwork<T>& model, std::size_t i) {
    const Reading reading(model);
    const auto& work = require_workspace(model);
    check_layer(i, work->deltas.size());
    return lend_rows(work, work->deltas[i]);
}

/// Those of the last backward, computed at the first call.
template <class T>
py::array feature_gradients(LockedNetwork<T>& model) {
    py::array gradients;
    Interruptible interruptible;
    const Writing writing(model, Access::kStep, interruptible.unlocked());
    model.network.feature_gradients();
    const Unlocked::Locked gil(interruptible.unlocked());
    const auto& work = model.network.workspace();
    gradients = lend_rows(work, *work->features);
    return gradients;
}

template <class T>
py::array forward(LockedNetwork<T>& model, py::handle x, bool training, int n_threads) {
    const BorrowedFeatures<T> features(x);
    py::array nodes;
    Interruptible interruptible;
    const Writing writing(model, Access::kStep, interruptible.unlocked());
    features.with_dense(
        [&](const auto& view) { model.network.forward(view, training, nullptr, n_threads); });
    const Unlocked::Locked gil(interruptible.unlocked());
    model.features =
        py::reinterpret_borrow<py::object>(x);  // with the workspace that points into it, or never
    const auto& work = model.network.workspace();
    nodes = lend_rows(work, work->nodes.back());
    return nodes;
}

/// `rows` are those of the batch to which y, or a gradient in its place, belongs.
template <class T>
double backward(LockedNetwork<T>& model, const py::object& y, py::handle sample_weight,
                std::size_t rows, bool is_gradient, int n_threads) {
    BorrowedTargets<T> given(y, sample_weight, rows, model.network.outputs());
    given.targets.is_gradient = is_gradient;
    Interruptible interruptible;
    given.release(interruptible.unlocked());
    const Writing writing(model, Access::kStep, interruptible.unlocked());
    const auto& work = model.network.workspace();
    if (work && work->x && work->x->rows != rows) {
        throw std::runtime_error("another thread has called forward meanwhile");
    }
    return model.network.backward(given.targets, n_threads);
}

template <class T>
void update(LockedNetwork<T>& model, double learning_rate, int n_threads) {
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    model.network.update(learning_rate, n_threads);
}

/// A `with` statement that holds a new `Held(model, arguments..., unlocked)`.
template <class Held, class T, class... Args>
Hold hold(LockedNetwork<T>& model, Args... arguments) {
    return {py::cast(model), [=, &model](Unlocked& unlocked) {
                return std::make_shared<Held>(model, arguments..., unlocked);
            }};
}

/// An independent copy of the network, in the state that `predict` uses.
template <class T>
std::unique_ptr<LockedNetwork<T>> snapshot(LockedNetwork<T>& model) {
    Unlocked unlocked;
    return std::make_unique<LockedNetwork<T>>(Predicting<T>(model, unlocked).network().copy());
}

/// A tuple of names, or None; made once, as every prediction reads it.
template <class T>
py::object lend_names(const LockedNetwork<T>& model, std::vector<std::string> Names::* which) {
    py::object& lent = which == &Names::features ? model.feature_names : model.class_names;
    if (lent) return lent;
    const std::vector<std::string>& names = model.network.names().*which;
    lent = names.empty() ? py::object(py::none()) : py::tuple(py::cast(names));
    return lent;
}

/// The scales or the offsets of all columns, a live view; None if nothing is scaled.
template <class T>
py::object lend_scaling(const std::shared_ptr<Buffer<T>>& both, bool offsets) {
    if (!both) return py::none();
    const std::size_t columns = both->size() / 2;
    return lend(both->data() + (offsets ? columns : 0), {columns}, {sizeof(T)}, both, true);
}

/// Both, or None and None.
template <class T>
void set_scaling(LockedNetwork<T>& model, bool of_outputs, const py::object& scales,
                 const py::object& offsets) {
    const auto values = [](const py::object& given, const char* name) {
        std::vector<T> result;
        if (given.is_none()) return result;
        const py::array ready = require_ready<T>(given, 1, name);
        const auto* data = static_cast<const T*>(ready.data());
        result.assign(data, data + ready.size());
        return result;
    };
    const std::vector<T> scale = values(scales, "scales"), offset = values(offsets, "offsets");
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    const Unlocked::Locked gil(unlocked);
    if (of_outputs) {
        model.network.set_output_scaling(scale, offset);
    } else {
        model.network.set_input_scaling(scale, offset);
    }
}

/// A weight for each output, a live view; None without.
template <class T>
py::object lend_loss_weights(const LockedNetwork<T>& model) {
    const auto& weights = model.network.loss_weights();
    return weights ? py::object(lend_flat(weights)) : py::none();
}

template <class T>
void set_loss_weights(LockedNetwork<T>& model, const py::object& given) {
    std::span<const T> weights;
    if (!given.is_none()) {
        const py::array ready = require_ready<T>(given, 1, "loss_weights");
        weights = {static_cast<const T*>(ready.data()), static_cast<std::size_t>(ready.size())};
    }
    Unlocked unlocked;
    const Writing writing(model, Access::kStep, unlocked);
    const Unlocked::Locked gil(unlocked);
    model.network.set_loss_weights(weights);
}

/// Names are read and written with the GIL held.
template <class T>
void set_names(LockedNetwork<T>& model, std::vector<std::string> Names::* which,
               std::optional<std::vector<std::string>> names) {
    Unlocked unlocked;
    const Writing writing(model, Access::kAssignment, unlocked);
    const Unlocked::Locked gil(unlocked);
    Names all = model.network.names();
    all.*which = std::move(names).value_or(std::vector<std::string>());
    model.network.set_names(std::move(all));
    model.feature_names = model.class_names = py::object();
}

template <class T>
void bind(py::module_& module, const char* name) {
    using M = LockedNetwork<T>;
    const auto part = [](auto buffer, Parameter LayerLayout::* place, bool vector = true) {
        return [=](const M& m, std::size_t i) {
            check_layer(i, m.network.layout().layer_count());
            return lend_part((m.network.*buffer)(), m.network.layout()[i].*place, vector);
        };
    };
    const auto of_inputs = [](auto buffer, Parameter LayerLayout::* place) {
        return [=](const M& m) {
            return lend_part((m.network.*buffer)(), m.network.layout()[0].*place, true);
        };
    };
    const auto get_names = [](std::vector<std::string> Names::* which) {
        return [=](const M& m) { return lend_names(m, which); };
    };
    const auto put_names = [](std::vector<std::string> Names::* which) {
        return [=](M& m, std::optional<std::vector<std::string>> names) {
            set_names(m, which, std::move(names));
        };
    };
    const auto get_of_layers = [](auto member) {
        return [member](const M& m) {
            py::list values;
            for (const Layer& layer : m.network.layers()) values.append(layer.*member);
            return values;
        };
    };
    const auto set_of_layers = []<class V>(void (Network<T>::*set)(std::size_t, V)) {
        return [set](M& m, const std::vector<V>& values) {
            Unlocked unlocked;
            const Writing writing(m, Access::kStep, unlocked);
            for (std::size_t i = 0; i < values.size(); ++i) (m.network.*set)(i, values[i]);
        };
    };
    py::class_<M>(module, name)
        .def(py::init([](std::size_t features, const std::vector<LayerTuple>& layers,
                         const LossTuple& loss, std::uint64_t seed,
                         const NormalizationValue& input_normalization,
                         const std::vector<HeadTuple>& heads) {
                 const Loss kind = parse_loss(loss);
                 std::vector<Layer> parsed = parse_layers(layers, input_normalization);
                 std::vector<Head> parsed_heads = parse_heads(heads);
                 const Interruptible interruptible;
                 if (heads.empty()) {
                     return std::make_unique<M>(features, std::move(parsed), kind, seed);
                 }
                 return std::make_unique<M>(
                     Network<T>(features, std::move(parsed), std::move(parsed_heads), seed));
             }),
             py::arg("features"), py::arg("layers"), py::arg("loss"), py::arg("seed"),
             py::arg("input_normalization") = "none", py::arg("heads") = std::vector<HeadTuple>())
        .def_property_readonly("seed", [](const M& m) { return m.network.seed(); })
        .def_property_readonly("features", [](const M& m) { return m.network.features(); })
        .def_property_readonly("layers", &describe_layers<T>)
        .def_property_readonly("input_normalization", &describe_input_normalization<T>)
        .def_property_readonly("loss", [](const M& m) { return describe_loss(m.network.loss()); })
        .def_property_readonly("heads", &describe_heads<T>)
        .def_property("feature_names", get_names(&Names::features), put_names(&Names::features))
        .def_property("class_names", get_names(&Names::classes), put_names(&Names::classes))
        .def_property("trainable", get_of_layers(&Layer::trainable),
                      set_of_layers(&Network<T>::set_trainable))
        .def_property("rate_factors", get_of_layers(&Layer::rate_factor),
                      set_of_layers(&Network<T>::set_rate_factor))
        .def_property_readonly(
            "input_scale",
            [](const M& m) { return lend_scaling(m.network.input_scaling(), false); })
        .def_property_readonly(
            "input_offset",
            [](const M& m) { return lend_scaling(m.network.input_scaling(), true); })
        .def_property_readonly(
            "output_scale",
            [](const M& m) { return lend_scaling(m.network.output_scaling(), false); })
        .def_property_readonly(
            "output_offset",
            [](const M& m) { return lend_scaling(m.network.output_scaling(), true); })
        .def(
            "set_input_scaling",
            [](M& m, const py::object& scale, const py::object& offset) {
                set_scaling(m, false, scale, offset);
            },
            py::arg("scale"), py::arg("offset"))
        .def(
            "set_output_scaling",
            [](M& m, const py::object& scale, const py::object& offset) {
                set_scaling(m, true, scale, offset);
            },
            py::arg("scale"), py::arg("offset"))
        .def_property("loss_weights", &lend_loss_weights<T>, &set_loss_weights<T>)
        .def(
            "can_train",
            [](const M& m, std::size_t epochs) {
                const std::vector<Layer>& layers = m.network.layers();
                const bool learns = std::any_of(layers.begin(), layers.end(),
                                                [](const Layer& layer) { return layer.trainable; });
                return learns &&
                       epochs <= std::numeric_limits<std::uint32_t>::max() - m.network.epoch();
            },
            py::arg("epochs"))
        .def_property_readonly("busy", [](const M& m) { return m.access.busy(); })
        .def("reading", [](M& m) { return hold<Reading>(m); })
        .def("assigning", [](M& m) { return hold<Writing>(m, Access::kAssignment); })
        .def("stepping", [](M& m) { return hold<Writing>(m, Access::kSeveralSteps); })
        .def("training", [](M& m) { return hold<Training<T>>(m, Access::kTrainingBySteps); })
        .def("expect_readers", [](M& m) { m.network.epoch_end().expect_readers(); })
        .def("end_epoch", [](M& m) { m.network.epoch_end().save(); })
        .def("snapshot", &snapshot<T>)
        .def_property(
            "epoch", [](const M& m) { return m.network.epoch(); },
            [](M& m, std::uint32_t epoch) { m.network.set_epoch(epoch); })
        .def_property(
            "position", [](const M& m) { return m.network.position(); },
            [](M& m, std::size_t samples) { m.network.set_position(samples); })
        .def_property_readonly("parameters",
                               [](const M& m) { return lend_flat(m.network.parameters()); })
        .def_property_readonly("gradients",
                               [](const M& m) { return lend_flat(m.network.gradients()); })
        .def_property_readonly("statistics",
                               [](const M& m) { return lend_flat(m.network.statistics()); })
        .def("weights", part(&Network<T>::parameters, &LayerLayout::weights, false), py::arg("i"))
        .def("biases", part(&Network<T>::parameters, &LayerLayout::biases), py::arg("i"))
        .def("scales", part(&Network<T>::parameters, &LayerLayout::scales), py::arg("i"))
        .def("shifts", part(&Network<T>::parameters, &LayerLayout::shifts), py::arg("i"))
        .def("weight_gradients", part(&Network<T>::gradients, &LayerLayout::weights, false),
             py::arg("i"))
        .def("bias_gradients", part(&Network<T>::gradients, &LayerLayout::biases), py::arg("i"))
        .def("scale_gradients", part(&Network<T>::gradients, &LayerLayout::scales), py::arg("i"))
        .def("shift_gradients", part(&Network<T>::gradients, &LayerLayout::shifts), py::arg("i"))
        .def("running_means", part(&Network<T>::statistics, &LayerLayout::running_means),
             py::arg("i"))
        .def("running_variances", part(&Network<T>::statistics, &LayerLayout::running_variances),
             py::arg("i"))
        .def("input_scales", of_inputs(&Network<T>::parameters, &LayerLayout::input_scales))
        .def("input_shifts", of_inputs(&Network<T>::parameters, &LayerLayout::input_shifts))
        .def("input_scale_gradients", of_inputs(&Network<T>::gradients, &LayerLayout::input_scales))
        .def("input_shift_gradients", of_inputs(&Network<T>::gradients, &LayerLayout::input_shifts))
        .def("input_running_means",
             of_inputs(&Network<T>::statistics, &LayerLayout::input_running_means))
        .def("input_running_variances",
             of_inputs(&Network<T>::statistics, &LayerLayout::input_running_variances))
        .def("nodes", &nodes<T>, py::arg("p"))
        .def("deltas", &deltas<T>, py::arg("i"))
        .def("feature_gradients", &feature_gradients<T>)
        .def("forward", &forward<T>, py::arg("X"), py::arg("training") = true,
             py::arg("n_threads") = 0)
        .def("backward", &backward<T>, py::arg("y"), py::arg("sample_weight"), py::arg("rows"),
             py::arg("is_gradient") = false, py::arg("n_threads") = 0)
        .def("update", &update<T>, py::arg("learning_rate"), py::arg("n_threads") = 0)
        .def("update_by", &update_by<T>, py::arg("optimizer"), py::arg("learning_rate"),
             py::arg("n_threads") = 0)
        .def("ready_samples", &ready_samples<T>, py::arg("X"), py::arg("y"))
        .def("try_train_on_batch", &try_train_on_batch<T>, py::arg("X"), py::arg("y"),
             py::arg("is_gradient"), py::arg("optimizer"), py::arg("learning_rate"))
        .def("train_on_batch", &train_on_batch<T>, py::arg("X"), py::arg("y"),
             py::arg("sample_weight"), py::arg("is_gradient"), py::arg("optimizer"),
             py::arg("learning_rate"), py::arg("n_threads") = 0)
        .def("steps_of", &steps_of<T>, py::arg("optimizer"))
        .def_property_readonly("steps",
                               [](const M& m) {
                                   const Reading reading(m);
                                   return m.network.optimizer_state().steps;
                               })
        .def_property_readonly("optimizer_state", &optimizer_state<T>)
        .def_property_readonly("moving_average", &moving_average<T>)
        .def("set_moving_average", &set_moving_average<T>, py::arg("decay"), py::arg("parameters"),
             py::arg("statistics"), py::arg("steps"))
        .def("set_optimizer_state", &set_optimizer_state<T>, py::arg("kind"), py::arg("first"),
             py::arg("second"), py::arg("steps"))
        .def("to_archive", &network_archive<T>)
        .def(
            "assign",
            [](M& m, const M& other) {
                Unlocked unlocked;
                const Writing writing(m, Access::kStep, unlocked);
                m.network.assign(other.network);
            },
            py::arg("other"))
        .def("soft_update", &soft_update<T>, py::arg("source"), py::arg("tau"))
        .def("predict", &predict<T>, py::arg("X"), py::arg("out") = py::none(),
             py::arg("n_threads") = 0)
        .def("save", &save_network<T>, py::arg("path"), py::arg("allow_nonfinite"))
        .def("evaluate", &evaluate<T>, py::arg("X"), py::arg("y"),
             py::arg("sample_weight") = py::none(), py::arg("n_threads") = 0)
        .def("jacobian", &jacobian<T>, py::arg("X"), py::arg("n_threads") = 0)
        .def("input_gradient", &input_gradient<T>, py::arg("X"), py::arg("y"),
             py::arg("n_threads") = 0)
        .def("objective", &objective<T>, py::arg("X"), py::arg("y"), py::arg("sample_weight"),
             py::arg("out") = py::none(), py::arg("n_threads") = 0)
        .def("hvp", &hvp<T>, py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("v"),
             py::arg("n_threads") = 0)
        .def("check_batches", &check_batches<T>, py::arg("rows"), py::arg("sample_weight"),
             py::arg("order"), py::arg("options"), py::arg("ranks") = std::vector<std::size_t>{})
        .def(
            "shared_bytes",
            [](const M& m, std::size_t ranks) { return shared_bytes(m.network, ranks); },
            py::arg("ranks"))
        .def("threads_for", &threads_for<T>, py::arg("batch_size"), py::arg("n_threads") = 0,
             py::arg("density") = 1.0)
        .def(
            "fit",
            [](M& m, py::handle x, const py::object& y, py::object sample_weight, py::object order,
               const TrainOptions& options, py::object learning_rate, py::object on_epoch,
               py::object on_step, bool is_step, Conventions* conventions,
               const RanksOrNone& ranks) {
                return EpochReports{fit(m, x, y, sample_weight, order, options,
                                        {learning_rate, on_epoch, on_step}, is_step, conventions,
                                        ranks)};
            },
            py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("order"),
            py::arg("options"), py::arg("learning_rate") = py::none(),
            py::arg("on_epoch") = py::none(), py::arg("on_step") = py::none(),
            py::arg("is_step") = false, py::arg("conventions") = nullptr,
            py::arg("ranks") = py::none())
        .def("fit_ready", &fit_ready<T>, py::arg("X"), py::arg("y"), py::arg("options"))
        .def(
            "fit_stream",
            [](M& m, const py::object& next_block, std::size_t rows, const py::object& loss,
               const TrainOptions& options, py::object learning_rate, py::object on_epoch,
               py::object on_step, const RanksOrNone& ranks) {
                return EpochReports{fit_stream(m, next_block, rows, loss, options,
                                               {learning_rate, on_epoch, on_step}, ranks)};
            },
            py::arg("next_block"), py::arg("rows"), py::arg("loss"), py::arg("options"),
            py::arg("learning_rate") = py::none(), py::arg("on_epoch") = py::none(),
            py::arg("on_step") = py::none(), py::arg("ranks") = py::none());
}

}  // namespace

void bind_holds(py::module_& module) {
    py::class_<Hold>(module, "Hold")
        .def("__enter__", &Hold::enter)
        .def("__exit__", [](Hold& hold, const py::args&) { hold.leave(); });
}

void bind_network(py::module_& module) {
    bind<float>(module, "Network32");
    bind<double>(module, "Network64");
}

}  // namespace fastmlp::bindings
