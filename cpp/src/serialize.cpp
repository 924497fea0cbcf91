#include "fastmlp/serialize.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <stdexcept>
#include <utility>

#include "checks/finite.hpp"
#include "files/architecture.hpp"
#include "files/json.hpp"
#include "files/safetensors.hpp"

namespace fastmlp {
namespace {

constexpr const char* kArchitecture = "architecture";

template <class T>
constexpr ElementType kElementType = sizeof(T) == 4 ? ElementType::kF32 : ElementType::kF64;

/// A tensor of the file, and where it lies in the network.
struct Part {
    std::string name;
    std::vector<std::size_t> shape;
    std::size_t offset, size;
    bool statistic;  ///< in the buffer of running averages, not in that of the parameters

    template <class T>
    T* in(const Network<T>& network) const {
        return (statistic ? network.statistics() : network.parameters())->data() + offset;
    }
};

/// All that a network has learned, layer by layer.
std::vector<Part> parts_of(const Layout& layout) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < layout.layer_count(); ++i) {
        const std::string layer = "layers." + std::to_string(i) + ".";
        const LayerLayout& at = layout[i];
        parts.push_back(
            {layer + at.weights.name, {at.k, at.n}, at.weights.offset, at.weights.size(), false});
        const auto add_vector = [&](const Parameter& vector, bool statistic) {
            if (vector.size() == 0) return;
            parts.push_back(
                {layer + vector.name, {vector.cols}, vector.offset, vector.size(), statistic});
        };
        for (const Parameter& vector : {at.biases, at.scales, at.shifts}) {
            add_vector(vector, false);
        }
        for (const Parameter& vector : {at.running_means, at.running_variances}) {
            add_vector(vector, true);
        }
    }
    return parts;
}

/// What is wrong with the first element of the part that is not finite; empty if all are.
template <class T>
std::string not_finite(const Part& part, const Network<T>& network) {
    const std::size_t finite = count_finite(part.in(network), part.size);
    return finite == part.size ? "" : "element " + std::to_string(finite) + " is not finite";
}

/// What is wrong with a file, said with its name.
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

files::Architecture read_architecture(const Archive& archive, const Complaint& complaint) {
    const auto text = archive.metadata.find(kArchitecture);
    if (text == archive.metadata.end()) complaint.metadata(kArchitecture, "is missing");
    try {
        return files::architecture_from_json(text->second);
    } catch (const files::JsonError& error) {
        complaint.metadata(kArchitecture,
                           error.problem + " (character " + std::to_string(error.position) + ")");
    } catch (const std::invalid_argument& error) {
        complaint.metadata(kArchitecture, error.what());
    }
}

Layout make_layout(const files::Architecture& architecture, const Complaint& complaint) {
    try {
        return Layout(architecture.features, architecture.layers);
    } catch (const std::invalid_argument& error) {
        complaint.metadata(kArchitecture, error.what());
    } catch (const std::bad_alloc&) {
        complaint.metadata(kArchitecture, "the layers are larger than any memory");
    }
}

/// The tensors of `parts`, each there and of its type and shape, and none but them.
std::vector<const Tensor*> find_tensors(const Archive& archive, const std::vector<Part>& parts,
                                        ElementType type, const Complaint& complaint) {
    std::map<std::string_view, const Tensor*> by_name;
    for (const Tensor& tensor : archive.tensors) by_name.emplace(tensor.name, &tensor);
    std::vector<const Tensor*> tensors;
    for (const Part& part : parts) {
        const auto found = by_name.find(part.name);
        if (found == by_name.end()) complaint.tensor(part.name, "is missing");
        const Tensor& tensor = *found->second;
        if (tensor.type != type || tensor.shape != part.shape) {
            complaint.tensor(part.name, "the architecture needs " +
                                            std::string(element_name(type)) + " of shape " +
                                            files::shape_text(part.shape) + ", not " +
                                            std::string(element_name(tensor.type)) + " of " +
                                            files::shape_text(tensor.shape));
        }
        tensors.push_back(&tensor);
        by_name.erase(found);
    }
    if (!by_name.empty()) {
        complaint.tensor(std::string(by_name.begin()->first), "is no part of the architecture");
    }
    return tensors;
}

template <class T>
void copy_parts(const std::vector<Part>& parts, const std::vector<const Tensor*>& tensors,
                bool allow_nonfinite, const Complaint& complaint, const Network<T>& network) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Part& part = parts[i];
        T* const target = part.in(network);
        look_for_interrupt();
        std::memcpy(target, tensors[i]->bytes.data(), tensors[i]->bytes.size());
        if (allow_nonfinite) continue;
        const std::string problem = not_finite(part, network);
        if (!problem.empty()) complaint.tensor(part.name, problem);
    }
}

template <class T>
Network<T> make_network(const files::Architecture& architecture, const Complaint& complaint) {
    try {
        return Network<T>(architecture.features, architecture.layers, architecture.loss,
                          architecture.seed);
    } catch (const std::invalid_argument& error) {
        complaint.metadata(kArchitecture, error.what());
    }
}

template <class T>
Network<T> build(const Archive& archive, const files::Architecture& architecture,
                 const LoadOptions& options, const Complaint& complaint) {
    // The file holds every element the network will need, so it cannot ask for more than it is.
    const std::vector<Part> parts = parts_of(make_layout(architecture, complaint));
    const std::vector<const Tensor*> tensors =
        find_tensors(archive, parts, kElementType<T>, complaint);
    Network<T> network = make_network<T>(architecture, complaint);
    copy_parts(parts, tensors, options.allow_nonfinite, complaint, network);
    network.set_epoch(architecture.epoch);
    return network;
}

}  // namespace

template <class T>
Archive to_archive(const Network<T>& network, const SaveOptions& options) {
    Archive archive;
    archive.metadata[kArchitecture] =
        files::to_json({network.features(), network.layers(), network.loss(), kElementType<T>,
                        network.seed(), network.epoch()});
    for (Part& part : parts_of(network.layout())) {
        const std::string problem = options.allow_nonfinite ? "" : not_finite(part, network);
        if (!problem.empty()) {
            throw std::invalid_argument(part.name + ": " + problem +
                                        "; with allow_nonfinite it is saved, and loaded, as it is");
        }
        const auto bytes = std::as_bytes(std::span(part.in(network), part.size));
        archive.tensors.push_back(
            {std::move(part.name), kElementType<T>, std::move(part.shape), bytes});
    }
    return archive;
}

AnyNetwork from_archive(const Archive& archive, const std::string& file,
                        const LoadOptions& options) {
    const Complaint complaint(file);
    const files::Architecture architecture = read_architecture(archive, complaint);
    for (const auto& [key, text] : archive.metadata) {
        if (key != kArchitecture) complaint.metadata(key, "is no part of a model");
    }
    if (architecture.dtype == ElementType::kF32) {
        return build<float>(archive, architecture, options, complaint);
    }
    return build<double>(archive, architecture, options, complaint);
}

template <class T>
void save(const Network<T>& network, const std::filesystem::path& path,
          const SaveOptions& options) {
    write_archive(path, to_archive(network, options));
}

AnyNetwork load_any(const std::filesystem::path& path, const LoadOptions& options) {
    return from_archive(read_archive(path), path.string(), options);
}

template <class T>
Network<T> load(const std::filesystem::path& path, const LoadOptions& options) {
    AnyNetwork network = load_any(path, options);
    if (Network<T>* const wanted = std::get_if<Network<T>>(&network)) return std::move(*wanted);
    throw FormatError(
        path.string(), "metadata 'architecture'", files::kLengthBytes,
        sizeof(T) == 4 ? "a network of double, not float" : "a network of float, not double");
}

template void save(const Network<float>&, const std::filesystem::path&, const SaveOptions&);
template void save(const Network<double>&, const std::filesystem::path&, const SaveOptions&);
template Network<float> load(const std::filesystem::path&, const LoadOptions&);
template Network<double> load(const std::filesystem::path&, const LoadOptions&);
template Archive to_archive(const Network<float>&, const SaveOptions&);
template Archive to_archive(const Network<double>&, const SaveOptions&);

}  // namespace fastmlp
