#include "tables/number_encoders.hpp"

#include <algorithm>
#include <cmath>

namespace fastmlp::tables {
namespace {

/// How far from 0 a standardized number may be.
constexpr double kLimit = 1e6;

/// Writes the pieces of a number: 1 below the piece that has it, 0 above, and in it the share of
/// the way from its lower edge to its upper one.
void encode_pieces(double number, const std::vector<double>& edges, float* out) {
    const std::size_t pieces = edges.size() - 1;
    const auto above = std::upper_bound(edges.begin() + 1, edges.end(), number);
    const auto piece = static_cast<std::size_t>(above - edges.begin()) - 1;
    std::fill_n(out, pieces, 0.0F);
    std::fill_n(out, piece, 1.0F);
    if (piece == pieces) return;
    const double risen = (number - edges[piece]) / (edges[piece + 1] - edges[piece]);
    out[piece] = static_cast<float>(risen < 0 ? 0.0 : risen);
}

}  // namespace

void NumberMeans::encode(double number, float* out) const {
    const auto place = std::lower_bound(values.begin(), values.end(), number);
    std::size_t row = static_cast<std::size_t>(place - values.begin());
    if (place == values.end() || *place != number) row = values.size() + 1;
    if (std::isnan(number)) row = values.size();
    std::copy_n(means.data() + row * targets, targets, out);
}

void Number::encode(double number, float* out) const {
    const bool is_missing = std::isnan(number);
    const double filled = is_missing ? median : number;
    *out++ = static_cast<float>(std::clamp((filled - mean) / deviation, -kLimit, kLimit));
    if (!edges.empty()) encode_pieces(filled, edges, out);
    out += pieces();
    if (missing) *out++ = is_missing ? 1.0F : 0.0F;
    if (means) means->encode(number, out);
}

double RawNumber::encode(double number) const {
    return std::clamp(std::isnan(number) ? median : number, least, most);
}

}  // namespace fastmlp::tables
