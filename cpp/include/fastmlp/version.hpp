/// The version. CMake and pyproject.toml read it from the line below.
#pragma once

namespace fastmlp {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace fastmlp
