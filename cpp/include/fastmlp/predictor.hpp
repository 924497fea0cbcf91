/// Low-latency prediction: a network prepared for repeated calls from one thread.
#pragma once

#include <memory>
#include <span>

#include "fastmlp/export.h"
#include "fastmlp/network.hpp"

namespace fastmlp {

/// A copy of a network's parameters in the layout for inference, with preallocated work space.
///
/// After construction nothing is allocated, and no thread is started or waited for. The outputs
/// have the bits of `Network::predict`. A predictor is a snapshot: later changes of the network
/// have no effect before `refresh`, so one thread may predict while another trains. A predictor may
/// be used by one thread at a time; concurrent threads need one each.
template <class T>
class FASTMLP_API Predictor {
public:
    explicit Predictor(const Network<T>& network);
    ~Predictor();
    Predictor(Predictor&&) noexcept;
    Predictor& operator=(Predictor&&) noexcept;

    std::size_t features() const;
    std::size_t outputs() const;

    /// Copies the current parameters of `network`, which no other thread may train meanwhile.
    /// Throws std::invalid_argument if its layers are not those of the first network.
    void refresh(const Network<T>& network);

    /// Outputs of one row x (features,) into `out` (outputs,). x is not searched for numbers that
    /// are not finite: the outputs of such a row may be NaN.
    void predict_row(std::span<const T> x, std::span<T> out);
    /// Outputs of x (B, features) into `out` (B, outputs), any B.
    /// Both throw std::invalid_argument for wrong shapes, before writing anything.
    void predict(MatrixView<const T> x, MatrixView<T> out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

extern template class Predictor<float>;
extern template class Predictor<double>;

}  // namespace fastmlp
