#include "files/architecture.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

#include "files/format.hpp"
#include "files/json.hpp"

namespace fastmlp::files {
namespace {

using Names = std::set<std::string, std::less<>>;

/// The members of a JSON object, in any order: each at most once, all of `required`.
class Members {
public:
    Members(JsonReader& json, Names required, Names optional = {})
        : json_(json), missing_(std::move(required)), optional_(std::move(optional)) {}

    template <class Read>
    void read(Read read_member) {
        json_.object([&](const std::string& name) {
            if (missing_.erase(name) + optional_.erase(name) == 0) {
                json_.fail("'" + name + "' is unknown or comes twice");
            }
            read_member(name);
        });
        if (!missing_.empty()) json_.fail("misses '" + *missing_.begin() + "'");
    }

private:
    JsonReader& json_;
    Names missing_, optional_;
};

/// The members that version 2 adds to an object. They are written only if they differ from the
/// default.
class NewMembers {
public:
    void add(const char* name, bool value, bool usual = false) {
        if (value != usual) add_text(name, value ? "true" : "false");
    }
    void add(const char* name, double value, double usual) {
        if (value != usual) add_text(name, json_number(value));
    }
    void add(const char* name, std::string_view value, std::string_view usual) {
        if (value != usual) add_text(name, json_string(value));
    }
    void add(const NewMembers& others) { text_ += others.text_; }
    void add_object(const char* name, const std::string& json) { add_text(name, json); }
    const std::string& text() const { return text_; }

private:
    void add_text(const char* name, const std::string& value) {
        text_ += std::string(",\"") + name + "\":" + value;
    }

    std::string text_;
};

template <class Integer>
Integer integer(JsonReader& json) {
    const std::size_t start = json.position();
    const std::uint64_t value = json.integer();
    if (value > std::numeric_limits<Integer>::max()) JsonReader::fail_at(start, "is too large");
    return static_cast<Integer>(value);
}

/// Whether the activation was added by version 2.
bool is_new(Activation activation) {
    switch (activation.kind) {
        case Activation::kSelu:
        case Activation::kMish:
        case Activation::kRelu6:
        case Activation::kHardswish: return true;
        default: return false;
    }
}

/// The members that version 2 adds to a layer and to a network.
Names new_names_of_layer() {
    return {"negative_slope",   "alpha",     "approximate", "epsilon", "momentum",
            "after_activation", "trainable", "rate_factor"};
}
NewMembers new_members(Normalization normalization) {
    const Normalization usual = normalization.kind;
    NewMembers result;
    result.add("epsilon", normalization.epsilon, usual.epsilon);
    result.add("momentum", normalization.momentum, usual.momentum);
    result.add("after_activation", normalization.after_activation);
    return result;
}
std::string normalization_json(Normalization normalization) {
    return "{\"normalization\":" + json_string(name_of(normalization)) +
           new_members(normalization).text() + "}";
}
void add_members(NewMembers& result, Activation activation) {
    const auto [kind, parameter] = activation;
    if (kind == Activation::kLeakyRelu) {
        result.add("negative_slope", parameter, Activation(kind).parameter);
    }
    if (kind == Activation::kElu) result.add("alpha", parameter, Activation(kind).parameter);
    result.add("approximate", std::string_view(kind == Activation::kGeluTanh ? "tanh" : "none"),
               "none");
}
NewMembers new_members(const Layer& layer) {
    NewMembers result;
    add_members(result, layer.activation);
    result.add(new_members(layer.normalization));
    result.add("trainable", layer.trainable, true);
    result.add("rate_factor", layer.rate_factor, 1);
    return result;
}
Names new_names_of_network() {
    return {"loss",           "heads",         "input_normalization", "input_scaling",
            "output_scaling", "feature_names", "class_names",         "loss_weights"};
}
NewMembers new_members(const Architecture& of) {
    NewMembers result;
    const Normalization of_inputs = of.layers[0].input_normalization;
    if (of_inputs != Normalization::kNone) {
        result.add_object("input_normalization", normalization_json(of_inputs));
    }
    result.add("input_scaling", of.has_input_scaling);
    result.add("output_scaling", of.has_output_scaling);
    result.add("feature_names", of.has_feature_names);
    result.add("class_names", of.has_class_names);
    result.add("loss_weights", of.has_loss_weights);
    return result;
}

/// The two forms of gelu have one name, and a member that says which.
Activation::Kind written_kind(Activation::Kind kind) {
    return kind == Activation::kGeluTanh ? Activation::kGelu : kind;
}

std::string layer_json(const Layer& layer) {
    return std::string("{\"nodes\":") + std::to_string(layer.nodes) +
           ",\"activation\":" + json_string(name_of(written_kind(layer.activation.kind))) +
           ",\"normalization\":" + json_string(name_of(layer.normalization)) +
           ",\"dropout\":" + json_number(layer.dropout) + new_members(layer).text() + "}";
}

/// The members of an activation, and with it of a layer, which come in any order.
struct ActivationMembers {
    Activation activation = Activation::kIdentity;
    std::optional<double> negative_slope, alpha;
    std::optional<std::string> approximate;
};
struct LayerMembers : ActivationMembers {
    Normalization normalization = Normalization::kNone;
    std::optional<double> epsilon, momentum;
    bool after_activation = false;
};

Activation read_activation(JsonReader& json, bool is_version_1) {
    const Activation activation = activation_from_name(json.string());
    if (is_version_1 && is_new(activation)) {
        json.fail("'" + std::string(name_of(activation)) + "' needs version 2");
    }
    if (activation == Activation::kGeluTanh) json.fail("'gelu_tanh' is written as 'gelu'");
    return activation;
}

void read_member(JsonReader& json, const std::string& name, bool is_version_1,
                 ActivationMembers& members) {
    if (name == "activation") members.activation = read_activation(json, is_version_1);
    if (name == "negative_slope") members.negative_slope = json.number();
    if (name == "alpha") members.alpha = json.number();
    if (name == "approximate") members.approximate = json.string();
}

/// The activation with its parameter.
Activation complete_activation(JsonReader& json, const ActivationMembers& members) {
    Activation result = members.activation;
    const auto take = [&](const char* name, const std::optional<double>& value,
                          Activation::Kind kind) {
        if (!value) return;
        if (result != kind) json.fail(std::string("'") + name + "' is of another activation");
        result.parameter = *value;
    };
    take("negative_slope", members.negative_slope, Activation::kLeakyRelu);
    take("alpha", members.alpha, Activation::kElu);
    if (!members.approximate) return result;
    if (result != Activation::kGelu) json.fail("'approximate' is of another activation");
    if (*members.approximate == "tanh") return Activation::kGeluTanh;
    if (*members.approximate != "none") json.fail("'approximate' is neither 'none' nor 'tanh'");
    return result;
}

/// The normalization with its numbers.
Normalization complete_normalization(JsonReader& json, const LayerMembers& members) {
    Normalization result = members.normalization;
    const bool has_any = members.epsilon || members.momentum || members.after_activation;
    if (result == Normalization::kNone && has_any) {
        json.fail("a member of a normalization in a layer without one");
    }
    if (result != Normalization::kBatch && members.momentum) {
        json.fail("'momentum' is of batch normalization only");
    }
    result.epsilon = members.epsilon.value_or(result.epsilon);
    result.momentum = members.momentum.value_or(result.momentum);
    result.after_activation = members.after_activation;
    return result;
}

/// That of the features: all but `after_activation`.
Normalization read_input_normalization(JsonReader& json) {
    LayerMembers members;
    Members(json, {"normalization"}, {"epsilon", "momentum"}).read([&](const std::string& name) {
        if (name == "normalization") members.normalization = normalization_from_name(json.string());
        if (name == "epsilon") members.epsilon = json.number();
        if (name == "momentum") members.momentum = json.number();
    });
    if (members.normalization == Normalization::kNone) {
        json.fail("'input_normalization' is left out where there is none");
    }
    return complete_normalization(json, members);
}

Layer read_layer(JsonReader& json, bool is_version_1) {
    Layer layer{0, Activation::kIdentity};
    LayerMembers members;
    Members(json, {"nodes", "activation", "normalization", "dropout"},
            is_version_1 ? Names{} : new_names_of_layer())
        .read([&](const std::string& name) {
            if (name == "nodes") layer.nodes = integer<std::size_t>(json);
            read_member(json, name, is_version_1, members);
            if (name == "normalization") {
                members.normalization = normalization_from_name(json.string());
            }
            if (name == "dropout") layer.dropout = json.number();
            if (name == "trainable") layer.trainable = json.boolean();
            if (name == "rate_factor") layer.rate_factor = json.number();
            if (name == "epsilon") members.epsilon = json.number();
            if (name == "momentum") members.momentum = json.number();
            if (name == "after_activation") members.after_activation = json.boolean();
        });
    layer.activation = complete_activation(json, members);
    layer.normalization = complete_normalization(json, members);
    return layer;
}

std::string loss_json(Loss loss) {
    return std::string("{\"kind\":") + json_string(name_of(loss.kind)) +
           ",\"parameter\":" + json_number(loss.parameter) + "}";
}

Loss read_loss(JsonReader& json) {
    Loss loss = Loss::kMeanSquaredError;
    Members(json, {"kind", "parameter"}).read([&](const std::string& name) {
        if (name == "kind") loss.kind = loss_from_name(json.string());
        if (name == "parameter") loss.parameter = json.number();
    });
    if (loss.kind == Loss::kHeads) json.fail("'heads' is no loss of its own");
    return loss;
}

std::string head_json(const Head& head) {
    NewMembers activation;
    add_members(activation, head.activation);
    return "{\"name\":" + json_string(head.name) + ",\"nodes\":" + std::to_string(head.nodes) +
           ",\"activation\":" + json_string(name_of(written_kind(head.activation.kind))) +
           ",\"loss\":" + loss_json(head.loss) + ",\"weight\":" + json_number(head.weight) +
           activation.text() + "}";
}

Head read_head(JsonReader& json) {
    Head head{"", 0, Activation::kIdentity, Loss::kMeanSquaredError};
    ActivationMembers members;
    Members(json, {"name", "nodes", "activation", "loss", "weight"},
            {"negative_slope", "alpha", "approximate"})
        .read([&](const std::string& name) {
            read_member(json, name, false, members);
            if (name == "name") head.name = json.string();
            if (name == "nodes") head.nodes = integer<std::size_t>(json);
            if (name == "loss") head.loss = read_loss(json);
            if (name == "weight") head.weight = json.number();
        });
    head.activation = complete_activation(json, members);
    return head;
}

/// The loss of a network, or its heads.
std::string losses_json(const Architecture& of) {
    if (of.heads.empty()) return "\"loss\":" + loss_json(of.loss);
    std::string heads;
    for (const Head& head : of.heads) heads += (heads.empty() ? "" : ",") + head_json(head);
    return "\"heads\":[" + heads + "]";
}

ElementType read_dtype(JsonReader& json) {
    const std::string name = json.string();
    if (name == "float32") return ElementType::kF32;
    if (name == "float64") return ElementType::kF64;
    throw std::invalid_argument("unknown dtype '" + name + "'; allowed: float32, float64");
}

/// What a network and the members of an ensemble have in common.
std::string shared_json(const Architecture& of) {
    std::string layers;
    for (const Layer& layer : of.layers) {
        if (!layers.empty()) layers += ',';
        layers += layer_json(layer);
    }
    return std::string("\"features\":") + std::to_string(of.features) + ",\"layers\":[" + layers +
           "]," + losses_json(of) + ",\"dtype\":\"" +
           (of.dtype == ElementType::kF64 ? "float64" : "float32") + "\"";
}

bool is_version_1(const Architecture& of) {
    const auto is_old = [](const Layer& layer) {
        return new_members(layer).text().empty() && !is_new(layer.activation);
    };
    return new_members(of).text().empty() && of.heads.empty() &&
           std::all_of(of.layers.begin(), of.layers.end(), is_old);
}

Architecture read_network(JsonReader& json, Names required, bool is_version_1) {
    Architecture result;
    Normalization of_inputs = Normalization::kNone;
    bool has_loss = false;
    if (is_version_1) required.insert("loss");
    Members(json, required, is_version_1 ? Names{} : new_names_of_network())
        .read([&](const std::string& name) {
            if (name == "input_normalization") of_inputs = read_input_normalization(json);
            if (name == "features") result.features = integer<std::size_t>(json);
            if (name == "layers") {
                json.array([&] { result.layers.push_back(read_layer(json, is_version_1)); });
            }
            if (name == "loss") {
                result.loss = read_loss(json);
                has_loss = true;
            }
            if (name == "heads") json.array([&] { result.heads.push_back(read_head(json)); });
            if (name == "dtype") result.dtype = read_dtype(json);
            if (name == "seed") result.seed = json.integer();
            if (name == "epoch") result.epoch = integer<std::uint32_t>(json);
            if (name == "input_scaling") result.has_input_scaling = json.boolean();
            if (name == "output_scaling") result.has_output_scaling = json.boolean();
            if (name == "feature_names") result.has_feature_names = json.boolean();
            if (name == "class_names") result.has_class_names = json.boolean();
            if (name == "loss_weights") result.has_loss_weights = json.boolean();
        });
    if (!result.layers.empty()) result.layers[0].input_normalization = of_inputs;
    if (has_loss == !result.heads.empty()) json.fail("has either 'loss' or 'heads'");
    if (!has_loss) result.loss = Loss::kHeads;
    return result;
}

EnsembleGroup read_group(JsonReader& json) {
    EnsembleGroup group;
    Members(json, {"members", "network"}).read([&](const std::string& name) {
        if (name == "members") group.members = integer<std::size_t>(json);
        if (name != "network") return;
        group.network = read_network(json, {"features", "layers", "dtype"}, false);
    });
    if (group.members == 0) json.fail("a group must have members");
    return group;
}

}  // namespace

Description describe(const Architecture& of) {
    return {is_version_1(of) ? kArchitectureKey : kNetworkKey,
            "{" + shared_json(of) + ",\"seed\":" + std::to_string(of.seed) +
                ",\"epoch\":" + std::to_string(of.epoch) + new_members(of).text() + "}"};
}

std::string describe(const std::vector<EnsembleGroup>& ensemble) {
    std::string groups;
    for (const EnsembleGroup& group : ensemble) {
        if (!groups.empty()) groups += ',';
        groups += "{\"members\":" + std::to_string(group.members) + ",\"network\":{" +
                  shared_json(group.network) + new_members(group.network).text() + "}}";
    }
    return "[" + groups + "]";
}

Architecture read_architecture(std::string_view text, bool is_version_1) {
    JsonReader json(text);
    Architecture result =
        read_network(json, {"features", "layers", "dtype", "seed", "epoch"}, is_version_1);
    if (!json.at_end()) json.fail("expected the end");
    return result;
}

std::vector<EnsembleGroup> read_ensemble(std::string_view text) {
    JsonReader json(text);
    std::vector<EnsembleGroup> groups;
    json.array([&] { groups.push_back(read_group(json)); });
    if (groups.empty()) json.fail("an ensemble must have members");
    if (!json.at_end()) json.fail("expected the end");
    return groups;
}

}  // namespace fastmlp::files
