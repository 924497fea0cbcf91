/// The samples of networks side by side, one in each lane of a vector (lanes-inl.hpp).
#pragma once

#include "kernels/attributes.hpp"
#include "kernels/table.hpp"

namespace fastmlp::kernels {
namespace {

/// Samples whose rows are found together.
constexpr std::size_t kFound = 16;

/// out[c] = column c of a row of each lane; that of lane i is at rows[i * kFound]. Columns before
/// the last ones may be copied twice, as no row is read past its end.
template <class S>
FASTMLP_INLINE void gather_sample(const typename S::Scalar* const* rows, std::size_t cols,
                                  typename S::Scalar* out) {
    constexpr std::size_t kL = S::kLanes, kAtOnce = S::kColumns;
    if (cols < kAtOnce) {
        for (std::size_t c = 0; c < cols; ++c, out += kL) {
            FASTMLP_UNROLL
            for (std::size_t i = 0; i < kL; ++i) out[i] = rows[i * kFound][c];
        }
        return;
    }
    for (std::size_t c = 0; c < cols; c += kAtOnce) {
        const std::size_t first = c + kAtOnce <= cols ? c : cols - kAtOnce;
        FASTMLP_PIN_POINTER(rows);  // gcc would keep sixteen addresses in vector registers
        typename S::Reg v[kAtOnce];
        S::load_columns(rows, kFound, first, v);
        FASTMLP_UNROLL
        for (std::size_t j = 0; j < kAtOnce; ++j) S::store(out + (first + j) * kL, v[j]);
    }
}

/// Entry of the kernel table, see table.hpp. Rows are found lane by lane, whose data then stay in
/// registers.
template <class S>
void lane_gather(const LaneSource<typename S::Scalar>* sources, std::size_t first,
                 std::size_t count, std::size_t cols, typename S::Scalar* out,
                 std::size_t ldo) noexcept {
    constexpr std::size_t kL = S::kLanes;
    const typename S::Scalar* rows[kL][kFound];
    for (std::size_t b = 0; b < count; b += kFound) {
        const std::size_t some = count - b < kFound ? count - b : kFound;
        for (std::size_t i = 0; i < kL; ++i) {
            const auto source = sources[i];
            for (std::size_t r = 0; r < some; ++r) rows[i][r] = source.row(first + b + r);
        }
        for (std::size_t r = 0; r < some; ++r, out += ldo * kL) {
            gather_sample<S>(rows[0] + r, cols, out);
        }
    }
}

}  // namespace
}  // namespace fastmlp::kernels
