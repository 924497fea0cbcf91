/// What a network is, apart from its numbers, as the JSON in a model file.
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
    Loss loss = Loss::kMeanSquaredError;
    ElementType dtype = ElementType::kF32;
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0;
};

std::string to_json(const Architecture& architecture);
/// Throws JsonError, or std::invalid_argument for a name that is unknown.
Architecture architecture_from_json(std::string_view json);

}  // namespace fastmlp::files
