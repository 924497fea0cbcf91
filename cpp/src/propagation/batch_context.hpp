/// What a layer needs to know that looks beyond the rows it is given.
#pragma once

#include <cstddef>
#include <cstdint>

#include "threads/share.hpp"
#include "threads/thread_pool.hpp"

namespace fastmlp {

struct BatchContext {
    std::size_t batch = 0;     ///< rows of the whole batch that count
    bool training = false;     ///< statistics of the batch, dropout; else as in prediction
    std::uint32_t epoch = 0;   ///< with the next, what dropout masks are drawn by:
    std::size_t position = 0;  ///< samples of the epoch before this batch,
    const std::uint32_t* places = nullptr;  ///< and of the batch before each row; null: 0, 1, ...
    Share share{};                          ///< this thread's part of the columns,
    ThreadTeam* team = nullptr;  ///< of the threads that each have some rows; null for one thread

    /// Waits until the other rows are as far as these.
    void meet() const {
        if (team != nullptr) team->barrier(static_cast<int>(share.rank));
    }
};

}  // namespace fastmlp
