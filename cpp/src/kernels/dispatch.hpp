/// The choice of the kernels' instruction set.
#pragma once

#include <string_view>

#include "kernels/table.hpp"

namespace fastmlp::kernels {

/// The instruction set in use: the best available one, or the one that the environment variable
/// FASTMLP_ISA names. Chosen at the first call and kept; every call is thread-safe.
/// Throws std::invalid_argument, naming what is available, if FASTMLP_ISA names anything else.
const Isa& active_isa();

/// An available instruction set by name; throws std::invalid_argument if there is none.
const Isa& find_isa(std::string_view name);

template <class T>
const KernelTable<T>& table_of(const Isa& isa) noexcept;
template <>
inline const KernelTable<float>& table_of(const Isa& isa) noexcept {
    return *isa.f32;
}
template <>
inline const KernelTable<double>& table_of(const Isa& isa) noexcept {
    return *isa.f64;
}

/// The kernels in use for element type T.
template <class T>
const KernelTable<T>& active_table() {
    return table_of<T>(active_isa());
}

/// The kernels of one instruction set, for tests; throws as find_isa does.
template <class T>
const KernelTable<T>& kernel_table(std::string_view isa_name) {
    return table_of<T>(find_isa(isa_name));
}

}  // namespace fastmlp::kernels
