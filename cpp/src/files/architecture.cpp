#include "files/architecture.hpp"

#include <limits>
#include <set>
#include <stdexcept>

#include "files/json.hpp"

namespace fastmlp::files {
namespace {

/// The members of a JSON object, all of which must come, once, in any order.
class Members {
public:
    Members(JsonReader& json, std::set<std::string, std::less<>> names)
        : json_(json), missing_(std::move(names)) {}

    template <class Read>
    void read(Read read_member) {
        json_.object([&](const std::string& name) {
            const auto found = missing_.find(name);
            if (found == missing_.end()) json_.fail("'" + name + "' is unknown or comes twice");
            missing_.erase(found);
            read_member(name);
        });
        if (!missing_.empty()) json_.fail("misses '" + *missing_.begin() + "'");
    }

private:
    JsonReader& json_;
    std::set<std::string, std::less<>> missing_;
};

template <class Integer>
Integer integer(JsonReader& json) {
    const std::size_t start = json.position();
    const std::uint64_t value = json.integer();
    if (value > std::numeric_limits<Integer>::max()) JsonReader::fail_at(start, "is too large");
    return static_cast<Integer>(value);
}

std::string layer_json(const Layer& layer) {
    return std::string("{\"nodes\":") + std::to_string(layer.nodes) +
           ",\"activation\":" + json_string(name_of(layer.activation)) +
           ",\"normalization\":" + json_string(name_of(layer.normalization)) +
           ",\"dropout\":" + json_number(layer.dropout) + "}";
}

Layer read_layer(JsonReader& json) {
    Layer layer{};
    Members(json, {"nodes", "activation", "normalization", "dropout"})
        .read([&](const std::string& name) {
            if (name == "nodes") layer.nodes = integer<std::size_t>(json);
            if (name == "activation") layer.activation = activation_from_name(json.string());
            if (name == "normalization") {
                layer.normalization = normalization_from_name(json.string());
            }
            if (name == "dropout") layer.dropout = json.number();
        });
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
    return loss;
}

ElementType read_dtype(JsonReader& json) {
    const std::string name = json.string();
    if (name == "float32") return ElementType::kF32;
    if (name == "float64") return ElementType::kF64;
    throw std::invalid_argument("unknown dtype '" + name + "'; allowed: float32, float64");
}

}  // namespace

std::string to_json(const Architecture& of) {
    std::string layers;
    for (const Layer& layer : of.layers) {
        if (!layers.empty()) layers += ',';
        layers += layer_json(layer);
    }
    return std::string("{\"features\":") + std::to_string(of.features) + ",\"layers\":[" + layers +
           "],\"loss\":" + loss_json(of.loss) + ",\"dtype\":\"" +
           (of.dtype == ElementType::kF64 ? "float64" : "float32") +
           "\",\"seed\":" + std::to_string(of.seed) + ",\"epoch\":" + std::to_string(of.epoch) +
           "}";
}

Architecture architecture_from_json(std::string_view text) {
    JsonReader json(text);
    Architecture result;
    Members(json, {"features", "layers", "loss", "dtype", "seed", "epoch"})
        .read([&](const std::string& name) {
            if (name == "features") result.features = integer<std::size_t>(json);
            if (name == "layers") json.array([&] { result.layers.push_back(read_layer(json)); });
            if (name == "loss") result.loss = read_loss(json);
            if (name == "dtype") result.dtype = read_dtype(json);
            if (name == "seed") result.seed = json.integer();
            if (name == "epoch") result.epoch = integer<std::uint32_t>(json);
        });
    if (!json.at_end()) json.fail("expected the end");
    return result;
}

}  // namespace fastmlp::files
