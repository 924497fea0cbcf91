/// Instruction sets.
#pragma once

#include <string>
#include <vector>

#include "fastmlp/cpp20.hpp"
#include "fastmlp/export.h"

namespace fastmlp {

/// Instruction sets this build has kernels for and this machine can run, best first; "scalar" is
/// always the last. The first is used unless the environment variable FASTMLP_ISA names another.
/// All of them give the same results, bit for bit.
FASTMLP_API std::vector<std::string> available_isas();

}  // namespace fastmlp
