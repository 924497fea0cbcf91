#include "checks/checks.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace fastmlp {
namespace {

void check_columns(std::size_t features, std::size_t given) {
    if (given != features) {
        throw std::invalid_argument("x has " + std::to_string(given) +
                                    " features, the network takes " + std::to_string(features));
    }
}

}  // namespace

template <class T>
void check_out(std::size_t outputs, std::size_t rows, const MatrixView<T>& out) {
    if (out.rows != rows || out.cols != outputs) {
        throw std::invalid_argument("out must have one row per row of x and one column per output");
    }
}

template <class T>
void check_features(std::size_t features, const MatrixView<const T>& x) {
    check_columns(features, x.cols);
}

template <class T>
void check_features(std::size_t features, const Features<T>& x) {
    check_columns(features, x.cols);
    if (x.is_sparse) check_rows(x.sparse);
}

template <class T>
void check_shapes(std::size_t features, std::size_t outputs, const MatrixView<const T>& x,
                  const MatrixView<T>& out) {
    check_features(features, x);
    check_out(outputs, x.rows, out);
}

template <class T>
void check_targets(const Network<T>& network, const Targets<T>& y, std::size_t rows) {
    if (y.rows != rows) {
        throw std::invalid_argument("x has " + std::to_string(rows) + " rows, y has " +
                                    std::to_string(y.rows));
    }
    if ((network.loss().kind == Loss::kCustom) != (y.custom != nullptr)) {
        throw std::invalid_argument("a custom loss and a function for it go together");
    }
    if (y.custom) return;
    if (!y.labels) {
        if (y.values.cols != network.outputs()) {
            throw std::invalid_argument("y has " + std::to_string(y.values.cols) +
                                        " columns, the network has " +
                                        std::to_string(network.outputs()) + " outputs");
        }
        return;
    }
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

#define FASTMLP_INSTANTIATE(T)                                                       \
    template void check_out(std::size_t, std::size_t, const MatrixView<T>&);         \
    template void check_features(std::size_t, const MatrixView<const T>&);           \
    template void check_features(std::size_t, const Features<T>&);                   \
    template void check_shapes(std::size_t, std::size_t, const MatrixView<const T>&, \
                               const MatrixView<T>&);                                \
    template void check_targets(const Network<T>&, const Targets<T>&, std::size_t);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)

}  // namespace fastmlp
