#include "fastmlp/networks.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "initial_parameters.hpp"
#include "threads/ieee_defaults.hpp"

namespace fastmlp {

template <class T>
Networks<T>::Networks(Network<T> first, std::size_t count)
    : first_(std::move(first)), count_(count),
      parameters_(std::make_shared<Buffer<T>>(checked_multiply(count, first_.layout().size()))) {
    constexpr std::size_t kDrawnAtOnce = 1024;
    const IeeeDefaults ieee;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kDrawnAtOnce == 0) look_for_interrupt();
        set_initial_parameters(first_.layout(), first_.layers(), seed(i),
                               parameters_->data() + i * size());
    }
}

template <class T>
Network<T> Networks<T>::at(std::size_t i, std::uint64_t seed) const {
    if (i >= count_) {
        throw std::invalid_argument("there is no network " + std::to_string(i) + " of " +
                                    std::to_string(count_));
    }
    return first_.sibling(std::make_shared<Buffer<T>>(parameters_, i * size(), size()), seed);
}

template class Networks<float>;
template class Networks<double>;

}  // namespace fastmlp
