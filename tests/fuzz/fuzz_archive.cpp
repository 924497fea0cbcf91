// Any bytes as a model's file: refused with a FormatError, or a network that predicts, and that is
// the same when it is saved again. For libFuzzer; CONTRIBUTING.md has the command.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fastmlp/serialize.hpp"
#include "fastmlp/tabular_model.hpp"
#include "signed_file.hpp"

namespace {

using namespace fastmlp;

template <class T>
void use(const Network<T>& network) {
    std::vector<T> x(network.features(), T(1)), out(network.outputs());
    network.predict({x.data(), 1, x.size(), x.size()}, {out.data(), 1, out.size(), out.size()}, 1);
    const LoadOptions anything{true};
    const auto again = std::get<Network<T>>(from_archive(to_archive(network), "again", anything));
    const std::size_t bytes = network.parameters()->size() * sizeof(T);
    if (std::memcmp(again.parameters()->data(), network.parameters()->data(), bytes) != 0) abort();
}

void use(const TabularModel& model) {
    const std::size_t columns = model.columns().size(), outputs = model.outputs();
    std::vector<double> x(columns, NAN), out(outputs);
    model.predict({x.data(), 1, columns, columns}, {out.data(), 1, outputs, outputs}, 1);
}

void load(std::span<const std::byte> bytes) {
    try {
        const Archive archive = parse_archive(bytes);
        const LoadOptions options{.allow_table = true};
        for (const AnyNetwork& any : ensemble_from_archive(archive, "fuzz", options)) {
            std::visit([](const auto& network) { use(network); }, any);
        }
        if (archive.metadata.contains("table")) use(TabularModel::from_archive(archive, "fuzz"));
    } catch (const FormatError&) {
        return;  // as it should be
    }
}

/// A model of version 1, and an ensemble with names.
std::vector<Archive> make_archives() {
    static Network<float> network(2, {{3, Activation::kRelu}, {2, Activation::kSoftmax}},
                                  Loss::kCrossEntropy, 7);
    Network<float> named = network.copy();
    named.set_names({{"a", "b"}, {"no", "yes"}});
    return {to_archive(network),
            ensemble_to_archive(std::vector<AnyNetworkPointer>{&named, &named, &network})};
}

/// The lines of `text` in the places of the description and of the tensors' fields of a file whose
/// checksums are right.
void load_signed(const std::string& text) {
    static const std::vector<Archive> archives = make_archives();
    check::SignedFile file(archives[text.size() % archives.size()]);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < file.part_count() && begin < text.size(); ++i) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (end > begin) file.part(i) = text.substr(begin, end - begin);
        begin = end + 1;
    }
    const std::string bytes = file.bytes();
    load(check::bytes_of(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bool header = size >= 8 && data[7] == 0;  // the top byte of a length that may be one
    if (header) {
        load(std::as_bytes(std::span(data, size)));
    } else {
        try {
            load_signed(std::string(data, data + size));
        } catch (const std::invalid_argument&) {
            return 0;  // an architecture that no text can hold: not UTF-8
        }
    }
    return 0;
}
