/// Sums over the samples of a batch, some of which other processes have.
#pragma once

#include <cstddef>

namespace fastmlp {

template <class T>
class BatchSums {
public:
    BatchSums() = default;
    BatchSums(const BatchSums&) = delete;
    BatchSums& operator=(const BatchSums&) = delete;
    virtual ~BatchSums() = default;

    /// Replaces `count` sums over the `rows` samples of this process by those over all samples.
    /// Called by one thread.
    virtual void add(T* sums, std::size_t count, std::size_t rows) = 0;

    /// The number of samples of all processes, known after `add`.
    virtual std::size_t batch() const = 0;
};

}  // namespace fastmlp
