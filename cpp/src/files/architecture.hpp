/// The architecture of a network, everything but its numbers, as JSON in a model file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fastmlp/archive.hpp"
#include "fastmlp/layer.hpp"

namespace fastmlp::files {

struct Architecture {
    std::size_t features = 0;
    std::vector<Layer> layers;
    Loss loss = Loss::kMeanSquaredError;  ///< kHeads if there are heads
    ElementType dtype = ElementType::kF32;
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0;
    // From version 2 on: the tensors besides those of the layers.
    bool has_input_scaling = false, has_output_scaling = false;
    bool has_feature_names = false, has_class_names = false;
    std::vector<Head> heads{};
    bool has_loss_weights = false;
};

/// Members of one architecture, which differ in their numbers, seeds and epochs only.
struct EnsembleGroup {
    std::size_t members = 0;
    Architecture network;
};

/// The metadata that describe a network. The key depends on the required version of the format.
struct Description {
    const char* key;
    std::string json;
};
Description describe(const Architecture& architecture);
std::string describe(const std::vector<EnsembleGroup>& ensemble);

constexpr const char* kArchitectureKey = "architecture";  ///< of version 1

/// All throw JsonError, or std::invalid_argument for an unknown name.
Architecture read_architecture(std::string_view json, bool is_version_1);
std::vector<EnsembleGroup> read_ensemble(std::string_view json);

}  // namespace fastmlp::files
