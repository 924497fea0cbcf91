/// What a training returns to Python.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <vector>

#include "fastmlp/trainer.hpp"

namespace fastmlp::bindings {

namespace py = pybind11;

/// The reports of all epochs, as one object: those of a thousand networks are many.
struct EpochReports {
    std::vector<EpochReport> epochs;

    template <class Value>
    py::list each(Value EpochReport::* member) const {
        py::list values(epochs.size());
        for (std::size_t i = 0; i < epochs.size(); ++i) values[i] = py::cast(epochs[i].*member);
        return values;
    }
    const EpochReport& at(std::size_t i) const {
        if (i >= epochs.size()) throw py::index_error();
        return epochs[i];
    }
};

}  // namespace fastmlp::bindings
