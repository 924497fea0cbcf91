/// Predictions without delay: a network prepared for one thread that asks again and again.
#pragma once

#include <memory>
#include <span>

#include "fastmlp/export.h"
#include "fastmlp/network.hpp"

namespace fastmlp {

/// A copy of a network's parameters, arranged for inference, with the room that inference needs.
///
/// Nothing is allocated after construction, no thread is started or waited for, and the outputs
/// have the bits of `Network::predict`. The predictor is a snapshot: training the network, or
/// writing its parameters, does not reach it before `refresh`, so one thread may predict while
/// another trains. One thread at a time may use a predictor; threads that predict at once have one
/// each.
template <class T>
class FASTMLP_API Predictor {
public:
    explicit Predictor(const Network<T>& network);
    ~Predictor();
    Predictor(Predictor&&) noexcept;
    Predictor& operator=(Predictor&&) noexcept;

    std::size_t features() const;
    std::size_t outputs() const;

    /// Takes over the parameters `network` has now. Call it after training, where no other thread
    /// trains the network. std::invalid_argument if its layers are not those of the first network.
    void refresh(const Network<T>& network);

    /// Outputs of one row x (features,) into `out` (outputs,).
    void predict_row(std::span<const T> x, std::span<T> out);
    /// Outputs of x (B, features) into `out` (B, outputs), any B.
    /// Both throw std::invalid_argument for what does not fit, and then wrote nothing.
    void predict(MatrixView<const T> x, MatrixView<T> out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

extern template class Predictor<float>;
extern template class Predictor<double>;

}  // namespace fastmlp
