/// The network as of the last epoch end: what a diverging training is rolled back to, and what
/// other threads read while it runs.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fastmlp/network.hpp"
#include "threads/forks.hpp"
#include "threads/parts.hpp"

namespace fastmlp {

/// Between `begin` and `end` a thread trains the network, and only that thread may call `save` and
/// `restore`; `read` is for all others.
template <class T>
class EpochEnd final : public ForkAware {
public:
    EpochEnd() { enlist(); }
    ~EpochEnd() { delist(); }

    /// The start of a training counts as an epoch end. Unless `eager`, nothing is saved before the
    /// first `read`. Trainings nest: one of `train_many` runs inside the call that waits for it.
    void begin(Network<T>& network, bool eager, const Parts& parts = {});
    /// The parameters are those of an epoch end. After the last one of a training nothing goes back
    /// to it, so it is saved only if other threads read.
    void save(bool is_last = false, const Parts& parts = {});
    /// From now on every epoch end is saved, even before the first `read`.
    void expect_readers();
    /// Restores the network's buffers from the last save.
    void restore();
    void end() noexcept;

    /// The last saved network; waits up to this long for one, then returns null.
    std::shared_ptr<const Network<T>> read(const Network<T>& network,
                                           std::chrono::milliseconds patience);

private:
    void before_fork() noexcept override { mutex_.lock(); }
    void after_fork_in_parent() noexcept override { mutex_.unlock(); }
    void after_fork_in_child() noexcept override;

    /// What a training changes, and the place of each in `saved_`.
    enum Part { kParameters, kStatistics, kFirst, kSecond, kAverage, kAverageStatistics, kParts };
    /// Those that the network has; null: the others.
    std::array<Buffer<T>*, kParts> buffers() const;
    void forget() noexcept;

    std::mutex mutex_;
    Condition changed_;
    Network<T>* network_ = nullptr;          ///< being trained
    std::vector<std::thread::id> trainers_;  ///< innermost last
    bool eager_ = false, wanted_ = false;    ///< wanted: `read` was called
    bool is_saved_ = false;
    std::array<Buffer<T>, kParts> saved_;  ///< empty where the network has none
    Optimizer::Kind optimizer_{};
    double decay_ = 0;  ///< of the moving average
    std::uint64_t steps_ = 0, averaged_ = 0;
    std::uint32_t epoch_ = 0;
    std::shared_ptr<const Network<T>> copy_;  ///< of `saved_`, made by `read`
};

extern template class EpochEnd<float>;
extern template class EpochEnd<double>;

}  // namespace fastmlp
