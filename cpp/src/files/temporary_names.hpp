/// Names of temporary files: `.name.pid.random.tmp`, in the folder of the final file.
#pragma once

#include <string>
#include <string_view>

namespace fastmlp::files {

/// ".name.", the prefix of the temporaries of `name`; truncated at a character boundary if the
/// temporary's name would be too long.
std::string temporary_prefix(const std::string& name);

/// "pid.random.tmp"
std::string temporary_ending(int process);

/// The PID of the process that wrote the temporary `name`; 0 if `name` is not one with `prefix`.
int writer_of(std::string_view name, std::string_view prefix);

}  // namespace fastmlp::files
