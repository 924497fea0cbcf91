/// Converts rows of other types to T, sixteen elements at a time, with the compiler's conversions
/// of whole vectors, which it maps to every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

/// Elements per conversion.
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

/// Converts stored elements to numbers, and these to T. gcc widens bytes efficiently only in steps
/// of two.
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

/// IEEE binary16. Shifted into float32's fields, the value is too small by a factor of 2^112; the
/// product that corrects it is exact, also for subnormal numbers.
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

/// The first `count` <= kBatch elements, `step` bytes apart; the others are 0.
template <class Stored>
FASTMLP_INLINE void gather_batch(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                                 ElementVector<Stored>& elements) {
    if (step == sizeof(Stored) && count == kBatch) {
        __builtin_memcpy(&elements, from, sizeof elements);
    } else {
        Stored gathered[kBatch] = {};
        for (std::size_t k = 0; k < count; ++k, from += step) {
            __builtin_memcpy(gathered + k, from, sizeof(Stored));
        }
        __builtin_memcpy(&elements, gathered, sizeof elements);
    }
}

template <class T>
FASTMLP_INLINE void store_batch(const ElementVector<T>& numbers, std::size_t count, T* out) {
    if (count == kBatch) {
        __builtin_memcpy(out, &numbers, sizeof numbers);
    } else {
        for (std::size_t k = 0; k < count; ++k) out[k] = numbers[k];
    }
}

/// Elements as T.
template <class Source, class T>
struct Converted {
    FASTMLP_INLINE void batch(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                              std::size_t at) const {
        ElementVector<typename Source::Stored> elements{};
        gather_batch<typename Source::Stored>(from, step, count, elements);
        ElementVector<T> numbers;
        Source::template convert<T>(elements, numbers);
        store_batch<T>(numbers, count, out + at);
    }

    T* out;
};

/// Elements that float cannot represent exactly, times a scale plus an offset: computed in double,
/// rounded once.
template <class Source>
struct Scaled {
    FASTMLP_INLINE void batch(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                              std::size_t at) const {
        ElementVector<typename Source::Stored> elements{};
        gather_batch<typename Source::Stored>(from, step, count, elements);
        ElementVector<double> numbers;
        Source::template convert<double>(elements, numbers);
        ElementVector<float> scale{}, offset{}, scaled;
        constexpr auto kStep = static_cast<std::ptrdiff_t>(sizeof(float));
        gather_batch<float>(reinterpret_cast<const std::byte*>(scales + at), kStep, count, scale);
        gather_batch<float>(reinterpret_cast<const std::byte*>(offsets + at), kStep, count, offset);
        for (std::size_t k = 0; k < kBatch; ++k) {
            const auto factor = static_cast<double>(scale[k]);
            scaled[k] = static_cast<float>(
                __builtin_fma(numbers[k], factor, static_cast<double>(offset[k])));
        }
        store_batch<float>(scaled, count, out + at);
    }

    const float* scales;
    const float* offsets;
    float* out;
};

/// `count` elements in batches; the last one overlaps the one before it.
template <class Stored, class Reader>
FASTMLP_INLINE void read_elements(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                                  const Reader& reader) {
    constexpr auto kNextTo = static_cast<std::ptrdiff_t>(sizeof(Stored));
    const auto read = [=](std::ptrdiff_t apart) FASTMLP_INLINE_LAMBDA {
        if (count < kBatch) return reader.batch(from, apart, count, 0);
        const auto at = [=](std::size_t k) FASTMLP_INLINE_LAMBDA {
            reader.batch(from + static_cast<std::ptrdiff_t>(k) * apart, apart, kBatch, k);
        };
        for (std::size_t k = 0; k + kBatch < count; k += kBatch) at(k);
        at(count - kBatch);
    };
    step == kNextTo ? read(kNextTo) : read(step);
}

/// Whether float represents every value of the type exactly.
template <class Stored>
inline constexpr bool kFitsFloat = sizeof(Stored) < sizeof(float);
template <>
inline constexpr bool kFitsFloat<float> = true;

template <class A, class B>
inline constexpr bool kSame = false;
template <class A>
inline constexpr bool kSame<A, A> = true;

/// out = fma(from, scale, offset); `out` may be `from`.
template <class S>
FASTMLP_INLINE void scale_columns(const typename S::Scalar* from, std::size_t count,
                                  const typename S::Scalar* scales,
                                  const typename S::Scalar* offsets, typename S::Scalar* out) {
    std::size_t k = 0;
    for (; count - k >= S::kLanes; k += S::kLanes) {
        S::store(out + k, S::fma(S::load(from + k), S::load(scales + k), S::load(offsets + k)));
    }
    const std::size_t n = count - k;
    if (n == 0) return;
    S::store_partial(out + k,
                     S::fma(S::load_partial(from + k, n), S::load_partial(scales + k, n),
                            S::load_partial(offsets + k, n)),
                     n);
}

/// `scale_rows` of kRows rows.
template <class S, std::size_t kRows>
FASTMLP_INLINE void scale_group(const typename S::Scalar* const* from, std::size_t count,
                                const typename S::Scalar* scales, const typename S::Scalar* offsets,
                                typename S::Scalar* out, std::size_t ldo) {
    std::size_t k = 0;
    for (; count - k >= S::kLanes; k += S::kLanes) {
        const auto scale = S::load(scales + k), offset = S::load(offsets + k);
        FASTMLP_UNROLL
        for (std::size_t b = 0; b < kRows; ++b) {
            S::store(out + b * ldo + k, S::fma(S::load(from[b] + k), scale, offset));
        }
    }
    const std::size_t n = count - k;
    if (n == 0) return;
    const auto scale = S::load_partial(scales + k, n), offset = S::load_partial(offsets + k, n);
    FASTMLP_UNROLL
    for (std::size_t b = 0; b < kRows; ++b) {
        S::store(out + b * ldo + k, S::fma(S::load_partial(from[b] + k, n), scale, offset));
    }
}

/// See table.hpp.
template <class S>
void scale_rows(const typename S::Scalar* const* from, std::size_t rows, std::size_t count,
                const typename S::Scalar* scales, const typename S::Scalar* offsets,
                typename S::Scalar* out, std::size_t ldo) noexcept {
    std::size_t b = 0;
    for (; rows - b >= 4; b += 4) {
        scale_group<S, 4>(from + b, count, scales, offsets, out + b * ldo, ldo);
    }
    for (; b < rows; ++b) scale_group<S, 1>(from + b, count, scales, offsets, out + b * ldo, ldo);
}

/// `convert` of rows that cannot be scaled where they are read. A function of its own, so that the
/// short rows of a network that scales its features do not pay for the room its vectors need.
template <class S, class Source>
FASTMLP_NOINLINE void convert_elements(const std::byte* from, std::ptrdiff_t step,
                                       std::size_t count, const typename S::Scalar* scales,
                                       const typename S::Scalar* offsets,
                                       typename S::Scalar* out) noexcept {
    using T = typename S::Scalar;
    using Stored = typename Source::Stored;
    if constexpr (sizeof(T) == sizeof(float) && !kFitsFloat<Stored>) {
        if (scales != nullptr) {
            return read_elements<Stored>(from, step, count, Scaled<Source>{scales, offsets, out});
        }
    }
    read_elements<Stored>(from, step, count, Converted<Source, T>{out});
    if (scales != nullptr) scale_columns<S>(out, count, scales, offsets, out);
}

/// See table.hpp.
template <class S, class Source>
void convert(const std::byte* from, std::ptrdiff_t step, std::size_t count,
             const typename S::Scalar* scales, const typename S::Scalar* offsets,
             typename S::Scalar* out) noexcept {
    using T = typename S::Scalar;
    if constexpr (kSame<typename Source::Stored, T>) {
        const bool aligned = reinterpret_cast<std::uintptr_t>(from) % alignof(T) == 0;
        if (scales != nullptr && step == sizeof(T) && aligned) {
            const auto* row = reinterpret_cast<const T*>(from);
            return scale_columns<S>(row, count, scales, offsets, out);
        }
    }
    convert_elements<S, Source>(from, step, count, scales, offsets, out);
}

}  // namespace
}  // namespace fastmlp::kernels
