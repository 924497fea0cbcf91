#include "fastmlp/tabular_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "checks/checks.hpp"
#include "tables/content.hpp"

namespace fastmlp {
namespace {

using Content = TabularModel::Content;

/// Rows are prepared in blocks of about this many elements.
constexpr std::size_t kBlockElements = std::size_t{1} << 18;

void encode_row(const Content& content, const double* x, float* out) {
    for (const tables::Number& number : content.numbers) {
        number.encode(std::isfinite(*x) ? *x : std::numeric_limits<double>::quiet_NaN(), out);
        out += number.width();
        ++x;
    }
}
void encode_row(const Content& content, const double* x, double* out) {
    for (const tables::RawNumber& number : content.raw_numbers) {
        *out++ = number.encode(std::isfinite(*x) ? *x : std::numeric_limits<double>::quiet_NaN());
        ++x;
    }
}

/// The networks' inputs of a block of rows and one network's outputs, reused for all blocks.
template <class Input>
class Blocks {
public:
    Blocks(const Content& content, std::size_t rows)
        : content_(content), rows_(std::clamp(kBlockElements / content.width, std::size_t{1},
                                              std::max(rows, std::size_t{1}))),
          inputs_(rows_ * content.width), outputs_(rows_ * content.outputs()) {}

    void predict(MatrixView<const double> x, MatrixView<double> out, int n_threads) {
        for (std::size_t start = 0; start < x.rows; start += rows_) {
            const std::size_t rows = std::min(rows_, x.rows - start);
            for (std::size_t i = 0; i < rows; ++i) {
                encode_row(content_, x.row(start + i), inputs_.data() + i * content_.width);
            }
            predict_block(rows, {out.row(start), rows, out.cols, out.stride}, n_threads);
        }
    }

private:
    /// The mean of the networks, summed in double in their order, in the units of the target.
    void predict_block(std::size_t rows, MatrixView<double> out, int n_threads) {
        const MatrixView<const Input> x{inputs_.data(), rows, content_.width, content_.width};
        const MatrixView<float> outputs{outputs_.data(), rows, out.cols, out.cols};
        bool is_first = true;
        for (const Network<float>& network : content_.networks) {
            network.predict(RawView<float>::of(x), outputs, n_threads);
            for (std::size_t i = 0; i < rows; ++i) {
                for (std::size_t j = 0; j < out.cols; ++j) {
                    const double output = static_cast<double>(outputs.row(i)[j]);
                    out.row(i)[j] = is_first ? output : out.row(i)[j] + output;
                }
            }
            is_first = false;
        }
        const auto count = static_cast<double>(content_.networks.size());
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < out.cols; ++j) {
                double& output = out.row(i)[j];
                output /= count;
                if (content_.mean.empty()) continue;
                output = output * content_.deviation[j] + content_.mean[j];
            }
        }
    }

    const Content& content_;
    std::size_t rows_;
    std::vector<Input> inputs_;
    std::vector<float> outputs_;
};

}  // namespace

TabularModel::TabularModel(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

TabularModel TabularModel::load(const std::filesystem::path& path) {
    return from_archive(read_archive(path), path.string());
}

TabularModel TabularModel::from_archive(const Archive& archive, const std::string& file) {
    return TabularModel(std::make_shared<const Content>(tables::read_content(archive, file)));
}

TabularModel::Task TabularModel::task() const {
    return content_->task;
}
const std::vector<std::string>& TabularModel::columns() const {
    return content_->columns;
}
const std::vector<std::string>& TabularModel::targets() const {
    return content_->targets;
}
const std::vector<std::string>& TabularModel::classes() const {
    return content_->classes;
}
std::size_t TabularModel::outputs() const {
    return content_->outputs();
}

void TabularModel::predict(MatrixView<const double> x, MatrixView<double> out,
                           int n_threads) const {
    if (x.cols != columns().size()) {
        throw std::invalid_argument("x must have a column for each of the table's " +
                                    std::to_string(columns().size()) + ", got " +
                                    std::to_string(x.cols));
    }
    if (out.rows != x.rows || out.cols != outputs()) {
        throw std::invalid_argument("out must have the rows of x and " + std::to_string(outputs()) +
                                    " columns");
    }
    check_stride("x", x);
    check_stride("out", out);
    if (content_->numbers.empty()) {
        Blocks<double>(*content_, x.rows).predict(x, out, n_threads);
    } else {
        Blocks<float>(*content_, x.rows).predict(x, out, n_threads);
    }
}

void TabularModel::classify(MatrixView<const double> x, std::span<std::size_t> classes,
                            int n_threads) const {
    if (task() != Task::kClassification) {
        throw std::invalid_argument("classify is for classes; the target of this model is '" +
                                    targets()[0] + "'");
    }
    if (classes.size() != x.rows) {
        throw std::invalid_argument("classes must have an element for each row of x");
    }
    const std::size_t n = outputs();
    std::vector<double> shares(x.rows * n);
    predict(x, {shares.data(), x.rows, n, n}, n_threads);
    for (std::size_t i = 0; i < x.rows; ++i) {
        const double* const row = shares.data() + i * n;
        classes[i] = static_cast<std::size_t>(std::max_element(row, row + n) - row);
    }
}

}  // namespace fastmlp
