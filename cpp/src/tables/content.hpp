/// What a `TabularModel` knows of its table, and how it is read from a file.
#pragma once

#include <string>
#include <vector>

#include "fastmlp/archive.hpp"
#include "fastmlp/network.hpp"
#include "fastmlp/tabular_model.hpp"
#include "tables/number_encoders.hpp"

namespace fastmlp {

struct TabularModel::Content {
    Task task = Task::kRegression;
    std::vector<std::string> columns{}, targets{}, classes{};
    /// Of a regression, for each target: predictions are outputs times the deviation plus the mean.
    std::vector<double> mean{}, deviation{};
    /// An encoder for each column; all are of the same kind, the other vector is empty.
    std::vector<tables::Number> numbers{};
    std::vector<tables::RawNumber> raw_numbers{};
    std::size_t width = 0;  ///< inputs of the networks
    std::vector<Network<float>> networks{};

    std::size_t outputs() const { return networks.front().outputs(); }
};

namespace tables {

/// Throws FormatError.
TabularModel::Content read_content(const Archive& archive, const std::string& file);

}  // namespace tables
}  // namespace fastmlp
