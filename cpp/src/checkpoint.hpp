#pragma once

#include <algorithm>

#include "fastmlp/buffer.hpp"
#include "kernels/table.hpp"

namespace fastmlp {

/// The last finite epoch end, to return to.
template <class T>
class Checkpoint {
public:
    explicit Checkpoint(Buffer<T>& parameters)
        : parameters_(parameters), saved_(parameters.size()) {
        std::copy_n(parameters_.data(), saved_.size(), saved_.data());
    }
    /// Whether they are finite, and then saved.
    bool save_if_finite(const kernels::KernelTable<T>& kernel) {
        if (kernel.count_finite(parameters_.data(), saved_.size()) != saved_.size()) return false;
        std::copy_n(parameters_.data(), saved_.size(), saved_.data());
        return true;
    }
    void restore() { std::copy_n(saved_.data(), saved_.size(), parameters_.data()); }

private:
    Buffer<T>& parameters_;
    Buffer<T> saved_;
};

}  // namespace fastmlp
