/// Prediction by an ensemble: the mean of its networks, and how far they are apart.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <variant>
#include <vector>

#include "fastmlp/predictor.hpp"
#include "fastmlp/serialize.hpp"

namespace fastmlp {

/// What `load_ensemble` read, prepared for repeated calls from one thread, with the bits of
/// Python's `Ensemble.predict`. As of `Predictor`, nothing is allocated after construction.
template <class T>
class EnsemblePredictor {
public:
    /// Throws std::invalid_argument for no networks, or such of another type than T or of other
    /// numbers of features or outputs than the first.
    explicit EnsemblePredictor(std::span<const AnyNetwork> networks) {
        for (const AnyNetwork& network : networks) {
            const Network<T>* const member = std::get_if<Network<T>>(&network);
            if (member == nullptr) {
                throw std::invalid_argument("the networks of the ensemble are of another type");
            }
            members_.emplace_back(*member);
            const Predictor<T>&first = members_.front(), &last = members_.back();
            if (last.features() != first.features() || last.outputs() != first.outputs()) {
                throw std::invalid_argument(
                    "the networks of the ensemble have other numbers of features or outputs");
            }
        }
        if (members_.empty()) throw std::invalid_argument("the ensemble has no networks");
        outputs_.resize(members_.size() * outputs());
    }

    std::size_t size() const { return members_.size(); }
    std::size_t features() const { return members_.front().features(); }
    std::size_t outputs() const { return members_.front().outputs(); }

    /// The mean of the outputs of one row x (features,), summed in double in the order of the
    /// networks, into `mean` (outputs,); unless `deviation` is empty, their standard deviation,
    /// divided by the number of networks, into it (outputs,). Throws std::invalid_argument for
    /// wrong shapes, before writing anything.
    void predict_row(std::span<const T> x, std::span<double> mean,
                     std::span<double> deviation = {}) {
        const std::size_t n = outputs(), count = size();
        if (mean.size() != n || (!deviation.empty() && deviation.size() != n)) {
            throw std::invalid_argument(
                "the mean and the deviation must have an element for each "
                "output");
        }
        for (std::size_t i = 0; i < count; ++i) {
            members_[i].predict_row(x, std::span<T>(outputs_).subspan(i * n, n));
        }
        for (std::size_t j = 0; j < n; ++j) {
            mean[j] = sum(j, [](double output) { return output; }) / static_cast<double>(count);
            if (deviation.empty()) continue;
            const double squares = sum(j, [center = mean[j]](double output) {
                return (output - center) * (output - center);
            });
            deviation[j] = std::sqrt(squares / static_cast<double>(count));
        }
    }

private:
    /// The sum of `of(output j)` over the networks, in order.
    template <class Of>
    double sum(std::size_t j, Of of) const {
        double total = of(static_cast<double>(outputs_[j]));
        for (std::size_t i = 1; i < members_.size(); ++i) {
            total += of(static_cast<double>(outputs_[i * outputs() + j]));
        }
        return total;
    }

    std::vector<Predictor<T>> members_;
    std::vector<T> outputs_;  ///< of each network
};

}  // namespace fastmlp
