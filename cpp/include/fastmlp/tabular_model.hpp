/// Models of tables whose columns are numbers, as Python's `TabularModel.save` wrote them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastmlp/archive.hpp"
#include "fastmlp/export.h"
#include "fastmlp/matrix.hpp"

namespace fastmlp {

/// From rows of a table of numbers to predictions in the units of the target, with the bits of
/// Python. Copies share the content, which never changes: all members are reentrant.
class FASTMLP_API TabularModel {
public:
    enum class Task {
        kClassification,  ///< an output for each class: its probability
        kRegression,      ///< an output for each target: a number in its units
        kLabels,          ///< an output for each target of yes and no: the probability of yes
    };
    struct Content;

    /// Reads a file, and never runs code from it.
    ///
    /// Throws FormatError for a file that is damaged, that holds networks without a table, or whose
    /// table has other columns than numbers: the message names one.
    /// std::filesystem::filesystem_error for errors of the system, std::bad_alloc.
    static TabularModel load(const std::filesystem::path& path);
    /// The same for a file in memory, see `parse_archive`; `file` is its name in errors.
    static TabularModel from_archive(const Archive& archive, const std::string& file);

    /// What the outputs are.
    Task task() const;
    /// The columns of a row, in order; others of the training have no influence.
    const std::vector<std::string>& columns() const;
    /// What is predicted: one name, or several for several numbers or labels.
    const std::vector<std::string>& targets() const;
    /// Of a classification, in the order of the outputs, as text; otherwise empty.
    const std::vector<std::string>& classes() const;
    /// One for each class of a classification, otherwise one for each target.
    std::size_t outputs() const;

    /// The outputs (rows, outputs) of rows x (rows, columns), whose missing numbers are NaN;
    /// infinite ones are taken as missing. At most `n_threads` threads (0: the limit). Throws
    /// std::invalid_argument for wrong shapes, before writing anything.
    void predict(MatrixView<const double> x, MatrixView<double> out, int n_threads = 0) const;
    /// The most probable class of each row (rows,), the first of equal ones. Throws
    /// std::invalid_argument also if the task is no classification.
    void classify(MatrixView<const double> x, std::span<std::size_t> classes,
                  int n_threads = 0) const;

private:
    explicit TabularModel(std::shared_ptr<const Content> content);

    std::shared_ptr<const Content> content_;
};

}  // namespace fastmlp
