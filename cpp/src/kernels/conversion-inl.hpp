/// Rows of other types read as T, sixteen elements at a time. The conversions are the compiler's
/// own, of whole vectors: it knows the instructions of every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

/// Elements that are converted at once.
inline constexpr std::size_t kBatch = 16;

template <class Element>
struct Elements {
    typedef Element Vector __attribute__((vector_size(kBatch * sizeof(Element))));
};
template <class Element>
using ElementVector = typename Elements<Element>::Vector;

template <class To, class From>
FASTMLP_INLINE void convert_vector(const From& from, ElementVector<To>& to) {
    to = __builtin_convertvector(from, ElementVector<To>);
}

/// How elements as they are stored become numbers, and those T. gcc widens bytes well only by
/// steps of two.
template <class Number>
struct Plain {
    using Stored = Number;

    template <class T>
    static FASTMLP_INLINE void convert(const ElementVector<Stored>& from, ElementVector<T>& to) {
        if constexpr (sizeof(Stored) == 1) {
            ElementVector<std::int16_t> words;
            ElementVector<std::int32_t> integers;
            convert_vector<std::int16_t>(from, words);
            convert_vector<std::int32_t>(words, integers);
            convert_vector<T>(integers, to);
        } else {
            convert_vector<T>(from, to);
        }
    }
};

struct Bool {
    using Stored = std::uint8_t;

    template <class T>
    static FASTMLP_INLINE void convert(const ElementVector<Stored>& from, ElementVector<T>& to) {
        const ElementVector<std::int8_t> ones = (from != 0) & 1;
        Plain<std::int8_t>::convert<T>(ones, to);
    }
};

/// IEEE binary16. Its exponent, read as float32's, is 2^112 too small; the product is exact, also
/// where subnormal numbers become normal.
struct Half {
    using Stored = std::uint16_t;

    template <class T>
    static FASTMLP_INLINE void convert(const ElementVector<Stored>& from, ElementVector<T>& to) {
        using Words = ElementVector<std::uint32_t>;
        Words bits;
        convert_vector<std::uint32_t>(from, bits);
        const Words sign = (bits & 0x8000u) << 16, rest = (bits & 0x7fffu) << 13;
        const Words special = (Words)(rest >= 0x7c00u << 13) & 0x7f800000u;  // infinity and NaN
        const ElementVector<float> scaled = (ElementVector<float>)rest * 0x1p112f;
        convert_vector<T>((ElementVector<float>)((Words)scaled | special | sign), to);
    }
};

/// `count` elements of at most kBatch, `step` bytes apart.
template <class Source, class T>
FASTMLP_INLINE void convert_batch(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                                  T* out) {
    using Stored = typename Source::Stored;
    ElementVector<Stored> elements{};
    if (step == sizeof(Stored) && count == kBatch) {
        __builtin_memcpy(&elements, from, sizeof elements);
    } else {
        Stored gathered[kBatch] = {};
        for (std::size_t k = 0; k < count; ++k, from += step) {
            __builtin_memcpy(gathered + k, from, sizeof(Stored));
        }
        __builtin_memcpy(&elements, gathered, sizeof elements);
    }
    ElementVector<T> numbers;
    Source::template convert<T>(elements, numbers);
    if (count == kBatch) {
        __builtin_memcpy(out, &numbers, sizeof numbers);
    } else {
        for (std::size_t k = 0; k < count; ++k) out[k] = numbers[k];
    }
}

/// The last batch overlaps with the one before it.
template <class Source, class T>
FASTMLP_INLINE void convert_elements(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                                     T* out) {
    if (count < kBatch) return convert_batch<Source>(from, step, count, out);
    const auto convert_at = [=](std::size_t k) FASTMLP_INLINE_LAMBDA {
        convert_batch<Source>(from + static_cast<std::ptrdiff_t>(k) * step, step, kBatch, out + k);
    };
    for (std::size_t k = 0; k + kBatch < count; k += kBatch) convert_at(k);
    convert_at(count - kBatch);
}

/// See table.hpp.
template <class S, class Source>
void convert(const std::byte* from, std::ptrdiff_t step, std::size_t count,
             const typename S::Scalar* scales, const typename S::Scalar* offsets,
             typename S::Scalar* out) noexcept {
    constexpr auto kStep = static_cast<std::ptrdiff_t>(sizeof(typename Source::Stored));
    if (step == kStep) {
        convert_elements<Source>(from, kStep, count, out);
    } else {
        convert_elements<Source>(from, step, count, out);
    }
    if (scales == nullptr) return;
    std::size_t k = 0;
    for (; count - k >= S::kLanes; k += S::kLanes) {
        S::store(out + k, S::fma(S::load(out + k), S::load(scales + k), S::load(offsets + k)));
    }
    const std::size_t n = count - k;
    if (n == 0) return;
    S::store_partial(out + k,
                     S::fma(S::load_partial(out + k, n), S::load_partial(scales + k, n),
                            S::load_partial(offsets + k, n)),
                     n);
}

}  // namespace
}  // namespace fastmlp::kernels
