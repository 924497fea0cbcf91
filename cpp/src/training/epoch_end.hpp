/// What a network was at the last epoch end of a training: the way back where it diverges, and what
/// other threads read meanwhile.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fastmlp/network.hpp"
#include "threads/forks.hpp"

namespace fastmlp {

/// Between `begin` and `end` a thread trains the network, and only that thread may call `save` and
/// `restore`; `read` is for all others.
template <class T>
class EpochEnd final : public ForkAware {
public:
    EpochEnd() { enlist(); }
    ~EpochEnd() { delist(); }

    /// The begin of a training is an epoch end, too. Not `eager`, nothing is saved before somebody
    /// reads. A training may be inside another one, whose thread waits for it: as one of many.
    void begin(Network<T>& network, bool eager);
    /// The parameters are those of an epoch end.
    void save();
    /// From now on every epoch end is saved, also if nobody has read yet.
    void expect_readers();
    /// The network's buffers are what they were when saved.
    void restore();
    void end() noexcept;

    /// The network as it was saved last; waits for that so long, and is null if it did not come.
    std::shared_ptr<const Network<T>> read(const Network<T>& network,
                                           std::chrono::milliseconds patience);

private:
    void before_fork() noexcept override { mutex_.lock(); }
    void after_fork_in_parent() noexcept override { mutex_.unlock(); }
    void after_fork_in_child() noexcept override;

    /// What a training changes: the network's own two, what its optimizer remembers, and the moving
    /// average.
    std::vector<Buffer<T>*> buffers() const;
    static constexpr std::size_t kOfNetwork = 2;
    void forget() noexcept;

    std::mutex mutex_;
    Condition changed_;
    Network<T>* network_ = nullptr;          ///< in training
    std::vector<std::thread::id> trainers_;  ///< the innermost is the last
    bool eager_ = false, wanted_ = false;    ///< wanted: somebody has read
    std::vector<Buffer<T>> saved_;           ///< empty if nothing is
    std::size_t saved_buffers_ = 0;          ///< how many of those are of the last save
    Optimizer::Kind optimizer_{};
    std::uint64_t steps_ = 0, averaged_ = 0;
    std::uint32_t epoch_ = 0;
    std::shared_ptr<const Network<T>> copy_;  ///< of `saved_`, if somebody has read it
};

extern template class EpochEnd<float>;
extern template class EpochEnd<double>;

}  // namespace fastmlp
