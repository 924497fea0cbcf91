/// What the opaque pointers of the C interface point to: a network, or a predictor, of either type,
/// or the model of a table.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "fastmlp.h"
#include "fastmlp/fastmlp.hpp"

namespace fastmlp::c {

template <class T>
struct Model {
    explicit Model(Network<T>&& its_network) : network(std::move(its_network)) {}

    Network<T> network;
    std::optional<TrainStep<T>> step;  ///< of `network`, from the first batch on
};

template <class T>
constexpr const char* kRefusesType =
    sizeof(T) == 4 ? " computes in double: call the function with _f64"
                   : " computes in float: call the function without _f64";

/// The alternative of the type T of a handle that is not null.
template <class T, template <class> class Held, class Handle>
auto& held(Handle* handle, const char* name) {
    if (handle == nullptr) throw std::invalid_argument(std::string(name) + " is null");
    auto* const found = std::get_if<Held<T>>(&handle->any);
    if (found == nullptr) throw std::invalid_argument(name + std::string(kRefusesType<T>));
    return *found;
}

template <class T, class Handle>
auto& model(Handle* handle, const char* name = "network") {
    return held<T, Model>(handle, name);
}

/// Calls f(network) with the network of either type.
template <class Handle, class F>
decltype(auto) with_network(Handle* handle, F f) {
    if (handle == nullptr) throw std::invalid_argument("network is null");
    return std::visit([&](auto& any) -> decltype(auto) { return f(any.network); }, handle->any);
}

}  // namespace fastmlp::c

struct fastmlp_network {
    template <class T>
    explicit fastmlp_network(fastmlp::Network<T>&& network)
        : any(std::in_place_type<fastmlp::c::Model<T>>, std::move(network)) {}

    std::variant<fastmlp::c::Model<float>, fastmlp::c::Model<double>> any;
};

struct fastmlp_tabular_model {
    fastmlp::TabularModel model;
};

struct fastmlp_predictor {
    template <class T>
    explicit fastmlp_predictor(fastmlp::Predictor<T>&& predictor) : any(std::move(predictor)) {}

    std::variant<fastmlp::Predictor<float>, fastmlp::Predictor<double>> any;
};
