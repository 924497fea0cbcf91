/// Checks of features, targets and results, made before work begins.
#pragma once

#include <charconv>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "fastmlp/network.hpp"
#include "propagation/features.hpp"

namespace fastmlp {

/// The shortest decimal number that is read as `number`, in any locale. The sign of a NaN means
/// nothing.
template <class T>
std::string shortest(T number) {
    if (number != number) return "nan";
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

/// Throws std::invalid_argument "<name> must be <range>, got <value>" unless the condition holds.
inline void require(bool holds, const char* name, const char* range, double value) {
    if (holds) return;
    throw std::invalid_argument(std::string(name) + " must be " + range + ", got " +
                                shortest(value));
}

/// Throws std::invalid_argument if rows overlap, as those of a view with a stride of 0 do.
template <class T>
void check_stride(const char* name, const MatrixView<T>& view) {
    if (view.rows <= 1 || view.stride >= view.cols) return;
    throw std::invalid_argument("the stride of " + std::string(name) + " must be at least its " +
                                std::to_string(view.cols) + " columns, got " +
                                std::to_string(view.stride));
}

/// Throws std::invalid_argument unless x has this number of features, in rows that do not overlap.
template <class T>
void check_features(std::size_t features, const MatrixView<const T>& x);
/// The same; of sparse rows the structure is checked, too.
template <class T>
void check_features(std::size_t features, const Features<T>& x);

/// The same for a network, and x as it reads them: scaled, if it scales its features, and copied,
/// if it normalises them. Sparse rows are refused if it adds offsets or normalises.
template <class T>
Features<T> checked_features(const Network<T>& network, const Features<T>& x);

/// Throws std::invalid_argument unless `out` has this shape, in rows that do not overlap.
template <class T>
void check_out(std::size_t rows, std::size_t cols, const MatrixView<T>& out);

/// Checks both: x has this number of features, and `out` has the shape of its outputs.
template <class T>
void check_shapes(std::size_t features, std::size_t outputs, const MatrixView<const T>& x,
                  const MatrixView<T>& out);

/// Throws std::invalid_argument unless y has `rows` rows of the kind that the loss takes, and
/// labels are in range.
template <class T>
void check_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows);

/// The same for a single step, where y may also be a gradient.
template <class T>
void check_step_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows);

/// Throws std::invalid_argument unless only heads of identity are scaled: of the outputs of others
/// the scale must be 1 and the offset 0. Both are those of all outputs.
template <class T>
void check_scaling_of_heads(const std::vector<Head>& heads, std::span<const T> scales,
                            std::span<const T> offsets);

/// The same of a network's own scaling, if it has one.
template <class T>
void check_scaling_of_heads(const Network<T>& network);

/// Throws std::invalid_argument unless they are at least 0 and finite.
template <class T>
void check_output_scales(std::span<const T> scales);

/// Throws std::invalid_argument unless they are finite, at least 0, and not all 0.
template <class T>
void check_loss_weights(std::span<const T> weights);

/// Throws std::invalid_argument with the row unless sample weights (rows,) are at least 0 and
/// finite.
template <class T>
void check_sample_weights(const T* weights, std::size_t rows);

/// Throws std::invalid_argument with the row unless values are such as the loss is made for, of y
/// that `check_targets` accepts. Rows of weight 0 may hold any.
template <class T>
void check_allowed_values(const Network<T>& network, const Targets<T>& y);

/// The same, and unless sample weights are at least 0 and finite. Not for trainings by the
/// conventions of others.
template <class T>
void check_content(const Network<T>& network, const Targets<T>& y);

/// Throws std::invalid_argument if every layer is frozen, as training would change nothing.
template <class T>
void check_trainable(const Network<T>& network);

}  // namespace fastmlp
