/// The tensors of a model file: their names, their place in a network's buffers, and their lookup
/// in an archive.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp/archive.hpp"
#include "fastmlp/network.hpp"
#include "files/architecture.hpp"
#include "files/json.hpp"
#include "files/safetensors.hpp"

namespace fastmlp {

/// A tensor of the file, and its place in the network's buffers.
struct Part {
    enum Place { kParameters, kStatistics, kInputScaling, kOutputScaling, kLossWeights };

    std::string name;
    std::vector<std::size_t> shape;
    std::size_t offset, size;
    Place place;

    bool is_variance() const { return place == kStatistics && name.ends_with("variances"); }

    template <class T>
    T* in(const Network<T>& network) const {
        const std::shared_ptr<Buffer<T>>* const buffers[] = {
            &network.parameters(), &network.statistics(), &network.input_scaling(),
            &network.output_scaling(), &network.loss_weights()};
        return (*buffers[place])->data() + offset;
    }
};

/// Scales and offsets of `columns` columns, called `name`_scale and `name`_offset.
inline void add_scaling(std::vector<Part>& parts, const std::string& name, std::size_t columns,
                        Part::Place place) {
    parts.push_back({name + "_scale", {columns}, 0, columns, place});
    parts.push_back({name + "_offset", {columns}, columns, columns, place});
}

/// All that a network has learned, layer by layer, its scalings and the weights of its outputs.
inline std::vector<Part> parts_of(const files::Architecture& architecture, const Layout& layout) {
    std::vector<Part> parts;
    const auto add_vector = [&](const std::string& of, const Parameter& vector, Part::Place place) {
        if (vector.size() == 0) return;
        parts.push_back({of + vector.name, {vector.cols}, vector.offset, vector.size(), place});
    };
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        const std::string layer = "layers." + std::to_string(i) + ".";
        const LayerLayout& at = layout[i];
        parts.push_back({layer + at.weights.name,
                         {at.k, at.n},
                         at.weights.offset,
                         at.weights.size(),
                         Part::kParameters});
        for (const Parameter& vector : {at.biases, at.scales, at.shifts}) {
            add_vector(layer, vector, Part::kParameters);
        }
        for (const Parameter& vector : {at.running_means, at.running_variances}) {
            add_vector(layer, vector, Part::kStatistics);
        }
    }
    const LayerLayout& first = layout[0];
    for (const Parameter& vector : {first.input_scales, first.input_shifts}) {
        add_vector("input.", vector, Part::kParameters);
    }
    for (const Parameter& vector : {first.input_running_means, first.input_running_variances}) {
        add_vector("input.", vector, Part::kStatistics);
    }
    const std::size_t features = architecture.features, outputs = architecture.layers.back().nodes;
    if (architecture.has_input_scaling) add_scaling(parts, "input", features, Part::kInputScaling);
    if (architecture.has_output_scaling) {
        add_scaling(parts, "output", outputs, Part::kOutputScaling);
    }
    if (architecture.has_loss_weights) {
        parts.push_back({"loss_weights", {outputs}, 0, outputs, Part::kLossWeights});
    }
    return parts;
}

/// Throws errors about a file.
class Complaint {
public:
    explicit Complaint(const std::string& file) : file_(file) {}

    [[noreturn]] void tensor(const std::string& name, const std::string& problem) const {
        throw FormatError(file_, "tensor '" + name + "'", 0, problem);
    }
    [[noreturn]] void metadata(const std::string& key, const std::string& problem) const {
        throw FormatError(file_, "metadata '" + key + "'", files::kLengthBytes, problem);
    }

private:
    const std::string& file_;
};

/// An archive that owns the memory of tensors added with `add`.
class OwningArchive {
public:
    Archive archive;

    /// Adds a tensor and returns its elements, to be filled in.
    template <class E>
    std::span<E> add(std::string name, ElementType type, std::vector<std::size_t> shape,
                     std::size_t count) {
        auto memory = std::make_shared<std::vector<E>>(count);
        owned_->push_back(memory);
        archive.tensors.push_back(
            {std::move(name), type, std::move(shape), std::as_bytes(std::span(*memory))});
        return *memory;
    }

    void add_texts(const std::string& name, const std::vector<std::string>& texts) {
        std::string all;
        const auto ends =
            add<std::uint64_t>(name + ".ends", ElementType::kU64, {texts.size()}, texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            all += texts[i];
            ends[i] = all.size();
        }
        const auto text = add<char>(name + ".text", ElementType::kU8, {all.size()}, all.size());
        std::copy(all.begin(), all.end(), text.begin());
    }

    /// The archive, which keeps the added memory alive.
    Archive take() && {
        archive.memory = std::shared_ptr<std::byte[]>(owned_, nullptr);
        return std::move(archive);
    }

private:
    using Owned = std::vector<std::shared_ptr<const void>>;
    std::shared_ptr<Owned> owned_ = std::make_shared<Owned>();
};

/// The tensors of an archive, taken one by one: each must exist with the expected type and shape,
/// and none may be left over.
class TensorsByName {
public:
    TensorsByName(const Archive& archive, const Complaint& complaint) : complaint_(complaint) {
        for (const Tensor& tensor : archive.tensors) tensors_.emplace(tensor.name, &tensor);
    }

    const Tensor& take(const std::string& name, ElementType type,
                       const std::vector<std::size_t>& shape) {
        const Tensor& tensor = find(name);
        if (tensor.type != type || tensor.shape != shape) {
            complaint_.tensor(name, "the architecture needs " + std::string(element_name(type)) +
                                        " of shape " + files::shape_text(shape) + ", not " +
                                        std::string(element_name(tensor.type)) + " of " +
                                        files::shape_text(tensor.shape));
        }
        tensors_.erase(name);
        return tensor;
    }

    /// The elements of a vector.
    template <class E>
    std::vector<E> take_vector(const std::string& name, ElementType type, std::size_t count) {
        const Tensor& tensor = take(name, type, {count});
        std::vector<E> elements(count);
        if (count > 0) std::memcpy(elements.data(), tensor.bytes.data(), tensor.bytes.size());
        return elements;
    }

    std::vector<std::string> take_texts(const std::string& name, std::size_t count) {
        const auto ends = take_vector<std::uint64_t>(name + ".ends", ElementType::kU64, count);
        const std::string text_name = name + ".text";
        const std::size_t size = find(text_name).bytes.size();
        const auto text = take_vector<char>(text_name, ElementType::kU8, size);
        std::vector<std::string> texts;
        std::size_t begin = 0;
        for (const std::uint64_t end : ends) {
            if (end < begin || end > size) {
                complaint_.tensor(name + ".ends", "must ascend up to the end of the text");
            }
            const std::string_view one(text.data() + begin, static_cast<std::size_t>(end) - begin);
            if (files::valid_utf8_length(one) != one.size()) {
                complaint_.tensor(text_name, "must be UTF-8 without NUL");
            }
            texts.emplace_back(one);
            begin = static_cast<std::size_t>(end);
        }
        if (begin != size) complaint_.tensor(name + ".ends", "must end with the text");
        return texts;
    }

    /// Takes all whose name begins with `prefix`.
    void leave_out(std::string_view prefix) {
        std::erase_if(tensors_, [&](const auto& item) { return item.first.starts_with(prefix); });
    }

    void expect_no_more() const {
        if (tensors_.empty()) return;
        complaint_.tensor(std::string(tensors_.begin()->first), "is no part of the architecture");
    }

private:
    const Tensor& find(const std::string& name) const {
        const auto found = tensors_.find(name);
        if (found == tensors_.end()) complaint_.tensor(name, "is missing");
        return *found->second;
    }

    const Complaint& complaint_;
    std::map<std::string_view, const Tensor*> tensors_;
};

}  // namespace fastmlp
