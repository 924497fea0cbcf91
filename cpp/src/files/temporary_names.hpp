/// What a file is called until it is whole: `.name.pid.random.tmp`, in the folder it will stay in.
#pragma once

#include <string>
#include <string_view>

namespace fastmlp::files {

/// ".name.": what the temporaries of `name` begin with; cut where a character begins, so that with
/// what follows it is no longer than names may be.
std::string temporary_prefix(const std::string& name);

/// "pid.random.tmp"
std::string temporary_ending(int process);

/// The process that wrote the temporary `name`; 0 where it is none of `prefix`.
int writer_of(std::string_view name, std::string_view prefix);

}  // namespace fastmlp::files
