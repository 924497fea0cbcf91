/// The C interface: model files, on disk and in memory.
#include <cstring>

#include "c_api/arguments.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"

using namespace fastmlp::c;

namespace {

constexpr const char* kMemory = "<memory>";

template <class T>
fastmlp_status load(const char* path, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        *network = new fastmlp_network(fastmlp::load<T>(given(path, "path")));
    });
}

template <class T>
fastmlp_status load_memory(const void* bytes, size_t size, fastmlp_network** network) {
    return guarded([&] {
        given(network, "network");
        check_count(size, 1, "size");
        const auto* const first = static_cast<const std::byte*>(given(bytes, "bytes"));
        const fastmlp::Archive archive = fastmlp::parse_archive({first, size}, kMemory);
        *network = new fastmlp_network(fastmlp::from_archive<T>(archive, kMemory));
    });
}

}  // namespace

fastmlp_status fastmlp_save(const fastmlp_network* network, const char* path) {
    return guarded([&] {
        with_network(network, [&](const auto& net) { fastmlp::save(net, given(path, "path")); });
    });
}

fastmlp_status fastmlp_load(const char* path, fastmlp_network** network) {
    return load<float>(path, network);
}

fastmlp_status fastmlp_load_f64(const char* path, fastmlp_network** network) {
    return load<double>(path, network);
}

fastmlp_status fastmlp_save_memory(const fastmlp_network* network, void* buffer, size_t capacity,
                                   size_t* size) {
    return guarded([&] {
        given(size, "size");
        const std::vector<std::byte> file = with_network(network, [](const auto& net) {
            return fastmlp::format_archive(fastmlp::to_archive(net));
        });
        *size = file.size();
        if (buffer == nullptr) return;
        if (capacity < file.size()) {
            throw std::invalid_argument("capacity is " + std::to_string(capacity) +
                                        ", the file has " + std::to_string(file.size()) + " bytes");
        }
        std::memcpy(buffer, file.data(), file.size());
    });
}

fastmlp_status fastmlp_load_memory(const void* bytes, size_t size, fastmlp_network** network) {
    return load_memory<float>(bytes, size, network);
}

fastmlp_status fastmlp_load_memory_f64(const void* bytes, size_t size, fastmlp_network** network) {
    return load_memory<double>(bytes, size, network);
}
