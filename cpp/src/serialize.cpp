/// Over 400 lines, as what is written and what is read stand side by side.
#include "fastmlp/serialize.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

#include "checks/checks.hpp"
#include "checks/finite.hpp"
#include "files/architecture.hpp"
#include "files/format.hpp"
#include "model_tensors.hpp"

namespace fastmlp {
namespace {

using files::Architecture;
using files::EnsembleGroup;

template <class T>
constexpr ElementType kElementType = sizeof(T) == 4 ? ElementType::kF32 : ElementType::kF64;

constexpr const char* kTableInputs = "table_inputs";
constexpr const char* kTableReason = "table_reason";

/// An error message about the first element that is not finite, or of a variance below 0; empty if
/// there is none, or if all are allowed.
template <class T>
std::string problem_of(const Part& part, const T* elements, bool allow_nonfinite) {
    if (allow_nonfinite) return "";
    const std::size_t finite = count_finite(elements, part.size);
    if (finite < part.size) return "element " + std::to_string(finite) + " is not finite";
    if (!part.is_variance()) return "";
    const T* const end = elements + part.size;
    const T* const negative = std::find_if(elements, end, [](T variance) { return variance < 0; });
    if (negative == end) return "";
    return "element " + std::to_string(negative - elements) + " is a variance below 0";
}

// --- Writing ---

template <class T>
Architecture architecture_of(const Network<T>& network) {
    return {network.features(),
            network.layers(),
            network.loss(),
            kElementType<T>,
            network.seed(),
            network.epoch(),
            network.input_scaling() != nullptr,
            network.output_scaling() != nullptr,
            !network.names().features.empty(),
            !network.names().classes.empty(),
            network.heads(),
            network.loss_weights() != nullptr};
}

template <class T>
void check_numbers(const Part& part, const Network<T>& network, const SaveOptions& options) {
    const std::string problem = problem_of(part, part.in(network), options.allow_nonfinite);
    if (problem.empty()) return;
    throw std::invalid_argument(part.name + ": " + problem +
                                "; with allow_nonfinite it is saved, and loaded, as it is");
}

void add_names(OwningArchive& into, const std::string& prefix, const Names& names) {
    if (!names.features.empty()) into.add_texts(prefix + "feature_names", names.features);
    if (!names.classes.empty()) into.add_texts(prefix + "class_names", names.classes);
}

/// Throws std::invalid_argument for a scaling that training would refuse.
template <class T>
void check_scaling(const Network<T>& network, bool allow_nonfinite) {
    check_scaling_of_heads(network);
    const auto& scaling = network.output_scaling();
    if (scaling && !allow_nonfinite) {
        check_output_scales<T>({scaling->data(), network.outputs()});
    }
}

/// Ensemble members `networks`, which differ in their numbers only.
template <class T>
void add_group(OwningArchive& into, const std::string& prefix,
               const std::vector<const Network<T>*>& networks, const SaveOptions& options) {
    const std::size_t members = networks.size();
    for (const Network<T>* const network : networks) {
        check_scaling(*network, options.allow_nonfinite);
    }
    for (const Part& part : parts_of(architecture_of(*networks[0]), networks[0]->layout())) {
        std::vector<std::size_t> shape = part.shape;
        shape.insert(shape.begin(), members);
        const auto all = into.add<T>(prefix + part.name, kElementType<T>, std::move(shape),
                                     checked_multiply(members, part.size));
        for (std::size_t m = 0; m < members; ++m) {
            look_for_interrupt();
            check_numbers(part, *networks[m], options);
            std::copy_n(part.in(*networks[m]), part.size, all.data() + m * part.size);
        }
    }
    add_names(into, prefix, networks[0]->names());
    const auto seeds =
        into.add<std::uint64_t>(prefix + "seeds", ElementType::kU64, {members}, members);
    const auto epochs =
        into.add<std::uint32_t>(prefix + "epochs", ElementType::kU32, {members}, members);
    for (std::size_t m = 0; m < members; ++m) {
        seeds[m] = networks[m]->seed();
        epochs[m] = networks[m]->epoch();
    }
}

const Names& names_of(const AnyNetworkPointer& any) {
    return std::visit([](const auto* network) -> const Names& { return network->names(); }, any);
}

/// Everything that the members of one group share, as text.
std::string shared_description(const AnyNetworkPointer& any) {
    Architecture architecture =
        std::visit([](const auto* network) { return architecture_of(*network); }, any);
    return files::describe({EnsembleGroup{0, std::move(architecture)}});
}

/// How many of `networks`, from the first on, form a group.
std::size_t group_size(std::span<const AnyNetworkPointer> networks) {
    const std::string shared = shared_description(networks[0]);
    std::size_t size = 1;
    while (size < networks.size() && shared_description(networks[size]) == shared &&
           names_of(networks[size]) == names_of(networks[0])) {
        ++size;
    }
    return size;
}

// --- Reading ---

/// Calls `read`; its errors about JSON or names are reported as errors of the metadata `key`.
template <class Read>
auto read_json(const Complaint& complaint, const std::string& key, Read read) {
    try {
        return read();
    } catch (const files::JsonError& error) {
        complaint.metadata(key,
                           error.problem + " (character " + std::to_string(error.position) + ")");
    } catch (const std::invalid_argument& error) {
        complaint.metadata(key, error.what());
    }
}

/// A file with columns that need preparation is refused unless the caller can prepare them.
void check_table(const Archive& archive, bool allowed, const Complaint& complaint) {
    if (!archive.metadata.contains(files::kTableKey)) return;
    const auto inputs = archive.metadata.find(kTableInputs);
    if (inputs == archive.metadata.end()) complaint.metadata(kTableInputs, "is missing");
    if (inputs->second != "numbers" && inputs->second != "columns") {
        complaint.metadata(kTableInputs, "must be numbers or columns");
    }
    if (allowed || inputs->second == "numbers") return;
    const auto reason = archive.metadata.find(kTableReason);
    complaint.metadata(files::kTableKey,
                       "the columns of this table must be prepared for its network, which "
                       "TabularModel of C++ and fastmlp_tabular_load of C do if all are numbers" +
                           (reason == archive.metadata.end() ? "" : ": " + reason->second));
}

/// The key of the metadata that describe the networks; no other may be present.
std::string description_key(const Archive& archive, const Complaint& complaint) {
    if (archive.metadata.contains("checkpoint")) {  // only Python reads them
        complaint.metadata("checkpoint",
                           "the file is a checkpoint, read it with fastmlp.load_checkpoint");
    }
    std::string key;
    for (const auto& [name, text] : archive.metadata) {
        const bool describes = name == files::kArchitectureKey || name == files::kNetworkKey ||
                               name == files::kEnsembleKey;
        const bool of_table =
            archive.metadata.contains(files::kTableKey) &&
            (name == files::kTableKey || name == kTableInputs || name == kTableReason);
        if (describes && key.empty()) {
            key = name;
        } else if (!of_table) {
            complaint.metadata(name, "is no part of a model");
        }
    }
    if (key.empty()) complaint.metadata(files::kArchitectureKey, "is missing");
    return key;
}

Layout make_layout(const Architecture& architecture, const std::string& key,
                   const Complaint& complaint) {
    try {
        return Layout(architecture.features, architecture.layers);
    } catch (const std::invalid_argument& error) {
        complaint.metadata(key, error.what());
    } catch (const std::bad_alloc&) {
        complaint.metadata(key, "the layers are larger than any memory");
    }
}

/// Networks of one architecture in a file: a model, or a group of an ensemble. All tensors are
/// checked before any network is made.
class Group {
public:
    /// `prefix`: of the names of an ensemble group's tensors; null for a model.
    Group(std::string key, const std::string* prefix, EnsembleGroup what, TensorsByName& tensors,
          const Complaint& complaint)
        : key_(std::move(key)), members_(what.members), network_(std::move(what.network)),
          complaint_(complaint),
          parts_(parts_of(network_, make_layout(network_, key_, complaint))) {
        const std::string before = prefix ? *prefix : "";
        for (const Part& part : parts_) {
            std::vector<std::size_t> shape = part.shape;
            if (prefix) shape.insert(shape.begin(), members_);
            tensors_.push_back(&tensors.take(before + part.name, network_.dtype, shape));
        }
        if (network_.has_feature_names) {
            names_.features = tensors.take_texts(before + "feature_names", network_.features);
        }
        if (network_.has_class_names) {
            const Layer output = network_.layers.back();
            names_.classes = tensors.take_texts(before + "class_names", class_count(output));
        }
        if (prefix == nullptr) return;
        seeds_ = tensors.take_vector<std::uint64_t>(before + "seeds", ElementType::kU64, members_);
        epochs_ =
            tensors.take_vector<std::uint32_t>(before + "epochs", ElementType::kU32, members_);
    }

    void build(const LoadOptions& options, std::vector<AnyNetwork>& into) const {
        for (std::size_t m = 0; m < members_; ++m) {
            look_for_interrupt();
            if (network_.dtype == ElementType::kF32) {
                into.emplace_back(member<float>(m, options));
            } else {
                into.emplace_back(member<double>(m, options));
            }
        }
    }

private:
    template <class T>
    Network<T> member(std::size_t m, const LoadOptions& options) const {
        Network<T> network = make_network<T>(seeds_.empty() ? network_.seed : seeds_[m]);
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            const Part& part = parts_[i];
            T* const target = part.in(network);
            const std::size_t bytes = part.size * sizeof(T);
            look_for_interrupt();
            if (bytes > 0) std::memcpy(target, tensors_[i]->bytes.data() + m * bytes, bytes);
            const std::string problem = problem_of(part, target, options.allow_nonfinite);
            if (!problem.empty()) complaint_.tensor(tensors_[i]->name, problem);
        }
        try {
            check_scaling(network, options.allow_nonfinite);
        } catch (const std::invalid_argument& error) {
            complaint_.metadata(key_, error.what());
        }
        network.set_epoch(epochs_.empty() ? network_.epoch : epochs_[m]);
        return network;
    }

    template <class T>
    Network<T> make_network(std::uint64_t seed) const {
        try {
            Network<T> network =
                network_.heads.empty()
                    ? Network<T>(network_.features, network_.layers, network_.loss, seed)
                    : Network<T>(network_.features, network_.layers, network_.heads, seed);
            network.set_names(names_);
            const std::vector<T> zeros(std::max(network_.features, network.outputs()));
            const std::span<const T> inputs(zeros.data(), network_.features);
            const std::span<const T> outputs(zeros.data(), network.outputs());
            if (network_.has_input_scaling) network.set_input_scaling(inputs, inputs);
            const std::vector<T> ones(network.outputs(), T(1));
            if (network_.has_output_scaling) network.set_output_scaling(ones, outputs);
            if (network_.has_loss_weights) network.set_loss_weights(ones);
            return network;
        } catch (const std::invalid_argument& error) {
            complaint_.metadata(key_, error.what());
        }
    }

    std::string key_;
    std::size_t members_;
    Architecture network_;
    const Complaint& complaint_;
    std::vector<Part> parts_;
    std::vector<const Tensor*> tensors_;
    Names names_;
    std::vector<std::uint64_t> seeds_;  ///< of an ensemble's members
    std::vector<std::uint32_t> epochs_;
};

std::string prefix_of_group(std::size_t i) {
    return "members." + std::to_string(i) + ".";
}

std::vector<AnyNetwork> read_networks(const Archive& archive, const std::string& file,
                                      const LoadOptions& options, bool allow_ensemble) {
    const Complaint complaint(file);
    check_table(archive, options.allow_table, complaint);
    const std::string key = description_key(archive, complaint);
    const std::string& text = archive.metadata.at(key);
    const bool is_ensemble = key == files::kEnsembleKey;
    if (is_ensemble && !allow_ensemble) {
        complaint.metadata(key,
                           "there are several networks in this file, not one: load_ensemble "
                           "of C++ reads them");
    }
    TensorsByName tensors(archive, complaint);
    if (archive.metadata.contains(files::kTableKey)) tensors.leave_out("table.");
    const std::vector<EnsembleGroup> described = read_json(complaint, key, [&] {
        if (is_ensemble) return files::read_ensemble(text);
        return std::vector{
            EnsembleGroup{1, files::read_architecture(text, key == files::kArchitectureKey)}};
    });
    std::vector<Group> groups;
    for (std::size_t i = 0; i < described.size(); ++i) {
        const std::string prefix = prefix_of_group(i);
        groups.emplace_back(key, is_ensemble ? &prefix : nullptr, described[i], tensors, complaint);
    }
    tensors.expect_no_more();
    std::vector<AnyNetwork> networks;
    for (const Group& group : groups) group.build(options, networks);
    return networks;
}

}  // namespace

template <class T>
Archive to_archive(const Network<T>& network, const SaveOptions& options) {
    check_scaling(network, options.allow_nonfinite);
    OwningArchive result;
    const Architecture architecture = architecture_of(network);
    const files::Description description = files::describe(architecture);
    result.archive.metadata[description.key] = description.json;
    for (Part& part : parts_of(architecture, network.layout())) {
        check_numbers(part, network, options);
        const auto bytes = std::as_bytes(std::span(part.in(network), part.size));
        result.archive.tensors.push_back(
            {std::move(part.name), kElementType<T>, std::move(part.shape), bytes});
    }
    add_names(result, "", network.names());
    return std::move(result).take();
}

Archive ensemble_to_archive(std::span<const AnyNetworkPointer> networks,
                            const SaveOptions& options) {
    if (networks.empty()) throw std::invalid_argument("an ensemble must have members");
    OwningArchive result;
    std::vector<EnsembleGroup> groups;
    while (!networks.empty()) {
        const auto members = networks.first(group_size(networks));
        const std::string prefix = prefix_of_group(groups.size());
        std::visit(
            [&]<class T>(const Network<T>* first) {
                groups.push_back({members.size(), architecture_of(*first)});
                std::vector<const Network<T>*> group;
                for (const auto& any : members) group.push_back(std::get<const Network<T>*>(any));
                add_group(result, prefix, group, options);
            },
            members[0]);
        networks = networks.subspan(members.size());
    }
    result.archive.metadata[files::kEnsembleKey] = files::describe(groups);
    return std::move(result).take();
}

AnyNetwork from_archive(const Archive& archive, const std::string& file,
                        const LoadOptions& options) {
    return std::move(read_networks(archive, file, options, false)[0]);
}

std::vector<AnyNetwork> ensemble_from_archive(const Archive& archive, const std::string& file,
                                              const LoadOptions& options) {
    return read_networks(archive, file, options, true);
}

template <class T>
void save(const Network<T>& network, const std::filesystem::path& path,
          const SaveOptions& options) {
    write_archive(path, to_archive(network, options));
}

void save_ensemble(std::span<const AnyNetworkPointer> networks, const std::filesystem::path& path,
                   const SaveOptions& options) {
    write_archive(path, ensemble_to_archive(networks, options));
}

AnyNetwork load_any(const std::filesystem::path& path, const LoadOptions& options) {
    return from_archive(read_archive(path), path.string(), options);
}

std::vector<AnyNetwork> load_ensemble(const std::filesystem::path& path,
                                      const LoadOptions& options) {
    return ensemble_from_archive(read_archive(path), path.string(), options);
}

template <class T>
Network<T> from_archive(const Archive& archive, const std::string& file,
                        const LoadOptions& options) {
    AnyNetwork network = from_archive(archive, file, options);
    if (Network<T>* const wanted = std::get_if<Network<T>>(&network)) return std::move(*wanted);
    throw FormatError(
        file, "metadata 'architecture'", files::kLengthBytes,
        sizeof(T) == 4 ? "a network of double, not float" : "a network of float, not double");
}

template <class T>
Network<T> load(const std::filesystem::path& path, const LoadOptions& options) {
    return from_archive<T>(read_archive(path), path.string(), options);
}

template void save(const Network<float>&, const std::filesystem::path&, const SaveOptions&);
template void save(const Network<double>&, const std::filesystem::path&, const SaveOptions&);
template Network<float> load(const std::filesystem::path&, const LoadOptions&);
template Network<double> load(const std::filesystem::path&, const LoadOptions&);
template Network<float> from_archive(const Archive&, const std::string&, const LoadOptions&);
template Network<double> from_archive(const Archive&, const std::string&, const LoadOptions&);
template Archive to_archive(const Network<float>&, const SaveOptions&);
template Archive to_archive(const Network<double>&, const SaveOptions&);

}  // namespace fastmlp
