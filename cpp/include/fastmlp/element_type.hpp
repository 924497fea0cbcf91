/// The types of array elements.
#pragma once

#include <cstddef>
#include <type_traits>

#include "fastmlp/cpp20.hpp"

namespace fastmlp {

/// In the byte order of the machine. A bool is a byte, true if not 0; kF16 is IEEE binary16, for
/// features but not in files.
enum class ElementType { kBool, kU8, kI8, kU16, kI16, kU32, kI32, kF32, kU64, kI64, kF64, kF16 };

inline constexpr std::size_t kElementTypes = 12;

/// The size of one element in bytes.
constexpr std::size_t element_size(ElementType type) {
    constexpr unsigned char kSizes[kElementTypes] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 2};
    return kSizes[static_cast<std::size_t>(type)];
}

/// The type of elements of the C++ type S.
template <class S>
constexpr ElementType element_type() {
    static_assert(std::is_arithmetic_v<S> && sizeof(S) <= 8, "not a type of elements");
    if (std::is_same_v<S, bool>) return ElementType::kBool;
    if (std::is_floating_point_v<S>) return sizeof(S) == 4 ? ElementType::kF32 : ElementType::kF64;
    constexpr bool kSigned = std::is_signed_v<S>;
    switch (sizeof(S)) {
        case 1: return kSigned ? ElementType::kI8 : ElementType::kU8;
        case 2: return kSigned ? ElementType::kI16 : ElementType::kU16;
        case 4: return kSigned ? ElementType::kI32 : ElementType::kU32;
        default: return kSigned ? ElementType::kI64 : ElementType::kU64;
    }
}

}  // namespace fastmlp
