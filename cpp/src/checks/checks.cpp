#include "checks/checks.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "checks/allowed_targets.hpp"
#include "fastmlp/interruption.hpp"
#include "propagation/scaling.hpp"

namespace fastmlp {
namespace {

void check_columns(std::size_t features, std::size_t given) {
    if (given != features) {
        throw std::invalid_argument("x has " + std::to_string(given) +
                                    " features, the network takes " + std::to_string(features));
    }
}

/// Throws unless the rows of x are within its elements and their columns ascend and are in range.
template <class T>
void check_sparse_rows(const SparseView<T>& x) {
    constexpr std::size_t kRowsAtOnce = 1024;
    const auto refuse = [](const std::string& what) { throw std::invalid_argument("x " + what); };
    if (x.offsets[0] != 0 || static_cast<std::size_t>(x.offsets[x.rows]) != x.count) {
        refuse("has sparse rows that do not cover its elements");
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
        if (x.offsets[i] > x.offsets[i + 1]) refuse("has sparse rows of less than no elements");
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
        const SparseRow<T> row = x.row(i);
        if (i % kRowsAtOnce == 0) look_for_interrupt();
        std::int32_t least = 0;
        for (std::size_t j = 0; j < row.count; ++j) {
            if (row.columns[j] < least || static_cast<std::size_t>(row.columns[j]) >= x.cols) {
                refuse("has column " + std::to_string(row.columns[j]) + " in sparse row " +
                       std::to_string(i) + "; columns must ascend and be below " +
                       std::to_string(x.cols));
            }
            least = row.columns[j] + 1;
        }
    }
}

template <class T>
void check_rows(const Targets<T>& y, std::size_t rows) {
    if (y.rows == rows) return;
    throw std::invalid_argument("x has " + std::to_string(rows) + " rows, y has " +
                                std::to_string(y.rows));
}

/// Unless the labels in the rows of y are those of the heads of cross-entropy.
template <class T>
void check_labels_of_heads(const std::vector<Head>& heads, const Targets<T>& y) {
    std::size_t column = 0;
    for (const Head& head : heads) {
        for (std::size_t b = 0; head.targets(true) != head.nodes && b < y.rows; ++b) {
            const T label = y.values.row(b)[column];
            if (label >= 0 && label < static_cast<T>(head.nodes) && label == std::floor(label)) {
                continue;
            }
            throw std::invalid_argument("y contains label " + shortest(label) + " for head '" +
                                        head.name + "'; allowed: 0 to " +
                                        std::to_string(head.nodes - 1));
        }
        column += head.targets(true);
    }
}

/// Unless the factors of the losses of heads, after the numbers of all outputs, are at least 0.
template <class T>
void check_factors_of_heads(std::size_t outputs, const Targets<T>& y) {
    for (std::size_t b = 0; b < y.rows; ++b) {
        const T* const row = y.values.row(b);
        for (std::size_t j = outputs; j < y.values.cols; ++j) {
            if (row[j] >= 0 && row[j] <= std::numeric_limits<T>::max()) continue;
            throw std::invalid_argument("y has " + shortest(row[j]) +
                                        " as the factor of a head's loss, which must be finite "
                                        "and at least 0");
        }
    }
}

template <class T>
void check_values(const Network<T>& network, const Targets<T>& y) {
    check_stride("y", y.values);
    if (y.values.cols == network.outputs()) return;
    const std::vector<Head>& heads = network.heads();
    if (!y.is_gradient && !heads.empty()) {
        if (y.values.cols == target_count(heads, true)) return check_labels_of_heads(heads, y);
        if (y.values.cols == network.outputs() + heads.size()) {
            return check_factors_of_heads(network.outputs(), y);
        }
    }
    throw std::invalid_argument("y has " + std::to_string(y.values.cols) +
                                " columns, the network has " + std::to_string(network.outputs()) +
                                " outputs");
}

/// Throws at the first row that is not allowed, but for those for which `counts` is false.
/// Allocates nothing before.
template <class T, class Counts>
void check_rows_within(const char* name, const MatrixView<const T>& rows, const Allowed<T>& allowed,
                       Counts counts, const Head* head = nullptr) {
    const bool is_whole = rows.stride == rows.cols;
    if (is_whole && allowed.holds(rows.data, rows.rows * rows.cols)) return;
    for (std::size_t b = 0; b < rows.rows; ++b) {
        if (!counts(b) || allowed.holds(rows.row(b), rows.cols)) continue;
        throw std::invalid_argument(
            std::string(name) + (head ? " of the head '" + head->name + "'" : "") + " must be " +
            allowed.words + ", row " + std::to_string(b) + " is not");
    }
}

}  // namespace

template <class T>
void check_out(std::size_t rows, std::size_t cols, const MatrixView<T>& out) {
    if (out.rows == rows && out.cols == cols) return check_stride("out", out);
    throw std::invalid_argument("out must have " + std::to_string(rows) + " rows of " +
                                std::to_string(cols) + " columns, got " + std::to_string(out.rows) +
                                " of " + std::to_string(out.cols));
}

template <class T>
void check_features(std::size_t features, const MatrixView<const T>& x) {
    check_columns(features, x.cols);
    check_stride("x", x);
}

template <class T>
void check_features(std::size_t features, const Features<T>& x) {
    check_columns(features, x.cols);
    if (x.is_sparse) check_sparse_rows(x.sparse);
    if (!x.is_sparse && !x.is_raw) check_stride("x", x.dense);
}

template <class T>
Features<T> checked_features(const Network<T>& network, const Features<T>& x) {
    check_features(network.features(), x);
    const ColumnScaling<T> by(network.input_scaling().get());
    if (by && x.is_sparse &&
        std::any_of(by.offsets, by.offsets + x.cols, [](T offset) { return offset != 0; })) {
        throw std::invalid_argument("x is sparse, and the network adds offsets to its features");
    }
    if (x.is_sparse && normalizes_inputs(network.layers())) {
        throw std::invalid_argument("x is sparse, and the network has an input_normalization");
    }
    return as_read(network.layers(), scaled(x, by));
}

template <class T>
void check_shapes(std::size_t features, std::size_t outputs, const MatrixView<const T>& x,
                  const MatrixView<T>& out) {
    check_features(features, x);
    check_out(x.rows, outputs, out);
}

template <class T>
void check_scaling_of_heads(const std::vector<Head>& heads, std::span<const T> scales,
                            std::span<const T> offsets) {
    std::size_t first = 0;
    for (const Head& head : heads) {
        for (std::size_t j = first; j < first + head.nodes; ++j) {
            if (head.activation == Activation::kIdentity || (scales[j] == 1 && offsets[j] == 0)) {
                continue;
            }
            throw std::invalid_argument(
                "only outputs of identity can be scaled: those of the head '" + head.name +
                "' need a scale of 1 and an offset of 0");
        }
        first += head.nodes;
    }
}

template <class T>
void check_scaling_of_heads(const Network<T>& network) {
    const auto& scaling = network.output_scaling();
    if (!scaling) return;
    const std::span<const T> both(scaling->data(), scaling->size());
    check_scaling_of_heads(network.heads(), both.first(network.outputs()),
                           both.last(network.outputs()));
}

template <class T>
void check_output_scales(std::span<const T> scales) {
    const auto allowed = [](T scale) { return scale >= 0 && std::isfinite(scale); };
    if (std::all_of(scales.begin(), scales.end(), allowed)) return;
    throw std::invalid_argument("the scales of outputs must be at least 0 and finite");
}

template <class T>
void check_loss_weights(std::span<const T> weights) {
    const T most = std::sqrt(std::numeric_limits<T>::max());  // leaves room for the losses
    const auto allowed = [most](T weight) { return weight >= 0 && weight <= most; };
    if (!std::all_of(weights.begin(), weights.end(), allowed)) {
        throw std::invalid_argument(
            "loss_weights must be at least 0 and finite, "
            "and at most the root of the largest number");
    }
    if (std::all_of(weights.begin(), weights.end(), [](T weight) { return weight == 0; })) {
        throw std::invalid_argument("loss_weights are all 0; at least one must be above 0");
    }
}

template <class T>
void check_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows) {
    if (y.is_gradient) throw std::invalid_argument("a gradient goes with a single step only");
    check_rows(y, rows);
    if ((network.loss().kind == Loss::kCustom) != (y.custom != nullptr)) {
        throw std::invalid_argument("a custom loss and a function for it go together");
    }
    if (const auto& scaling = network.output_scaling()) {
        check_output_scales<T>({scaling->data(), network.outputs()});
    }
    check_scaling_of_heads(network);
    if (network.loss_weights()) check_loss_weights<T>(*network.loss_weights());
    if (y.custom) return;
    if (!y.labels) return check_values(network, y);
    if (network.loss().kind != Loss::kCrossEntropy) {
        throw std::invalid_argument("class labels go with cross-entropy only");
    }
    const auto bad = std::find_if(y.labels, y.labels + rows, [&](std::int32_t label) {
        return label < 0 || static_cast<std::size_t>(label) >= network.outputs();
    });
    if (bad != y.labels + rows) {
        throw std::invalid_argument("y contains label " + std::to_string(*bad) +
                                    "; allowed: 0 to " + std::to_string(network.outputs() - 1));
    }
}

template <class T>
void check_step_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows) {
    if (!y.is_gradient) return check_targets(network, y, rows);
    check_rows(y, rows);
    check_values(network, y);
    if (y.weights) throw std::invalid_argument("sample weights go with targets, not a gradient");
}

template <class T>
void check_sample_weights(const T* weights, std::size_t rows) {
    const Allowed<T> allowed{.least = 0, .words = "at least 0 and finite"};
    check_rows_within<T>("weights", {weights, rows, 1, 1}, allowed,
                         [](std::size_t) { return true; });
}

template <class T>
void check_allowed_values(const Network<T>& network, const Targets<T>& y) {
    if (y.custom || y.labels) return;  // labels are in range: `check_targets`
    const auto counts = [&](std::size_t b) { return !y.weights || y.weights[b] != 0; };
    const std::vector<Head>& heads = network.heads();
    if (y.rows == 0) return;
    if (heads.empty()) {
        return check_rows_within("y", y.values, allowed_by<T>(network.loss()), counts);
    }
    const bool has_factors = y.values.cols == network.outputs() + heads.size();
    const bool labelled = !has_factors && y.values.cols != network.outputs();
    std::size_t column = 0;
    for (std::size_t i = 0; i < heads.size(); ++i) {
        const std::size_t columns = heads[i].targets(labelled);
        const auto of_head = [&](std::size_t b) {
            return counts(b) && !(has_factors && y.values.row(b)[network.outputs() + i] == 0);
        };
        check_rows_within<T>(
            "y", {y.values.data + column, y.rows, columns, y.values.stride},
            columns == heads[i].nodes ? allowed_by<T>(heads[i].loss) : Allowed<T>{}, of_head,
            &heads[i]);
        column += columns;
    }
}

template <class T>
void check_content(const Network<T>& network, const Targets<T>& y) {
    if (y.weights) check_sample_weights(y.weights, y.rows);
    check_allowed_values(network, y);
}

template <class T>
void check_trainable(const Network<T>& network) {
    const std::vector<Layer>& layers = network.layers();
    if (std::none_of(layers.begin(), layers.end(),
                     [](const Layer& layer) { return layer.trainable; })) {
        throw std::invalid_argument("every layer is frozen: at least one must be trainable");
    }
}

#define FASTMLP_INSTANTIATE(T)                                                           \
    template void check_trainable(const Network<T>&);                                    \
    template void check_sample_weights(const T*, std::size_t);                           \
    template void check_allowed_values(const Network<T>&, const Targets<T>&);            \
    template void check_content(const Network<T>&, const Targets<T>&);                   \
    template void check_step_targets(const Network<T>&, const Targets<T>&, std::size_t); \
    template void check_loss_weights(std::span<const T>);                                \
    template void check_output_scales(std::span<const T>);                               \
    template void check_scaling_of_heads(const Network<T>&);                             \
    template void check_scaling_of_heads(const std::vector<Head>&, std::span<const T>,   \
                                         std::span<const T>);                            \
    template void check_out(std::size_t, std::size_t, const MatrixView<T>&);             \
    template void check_features(std::size_t, const MatrixView<const T>&);               \
    template void check_features(std::size_t, const Features<T>&);                       \
    template Features<T> checked_features(const Network<T>&, const Features<T>&);        \
    template void check_shapes(std::size_t, std::size_t, const MatrixView<const T>&,     \
                               const MatrixView<T>&);                                    \
    template void check_targets(const Network<T>&, const Targets<T>&, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
