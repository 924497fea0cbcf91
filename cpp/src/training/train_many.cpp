#include <atomic>
#include <chrono>
#include <thread>

#include "fastmlp/trainer.hpp"
#include "threads/thread_limits.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"

namespace fastmlp {
namespace {

/// Distributes jobs one by one to free threads. Only the caller's thread may poll for interrupts;
/// it then stops the others, and continues to poll while they finish.
template <class T>
class Queue {
public:
    Queue(const std::vector<TrainJob<T>>& jobs, const std::function<bool()>& interrupted)
        : jobs_(jobs), interrupted_(interrupted), outcomes_(jobs.size()) {}

    void work(bool caller) {
        for (std::size_t i; (i = next_.fetch_add(1)) < jobs_.size();) {
            run(i, caller);
            done_.fetch_add(1);
        }
        while (caller && done_.load() < jobs_.size()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            ask(caller);
        }
    }

    std::vector<TrainOutcome> outcomes() {
        if (error_) std::rethrow_exception(error_);
        if (stop_.load()) throw Interrupted();
        return std::move(outcomes_);
    }

private:
    /// Whether to stop. An exception of `interrupted` is kept until all other threads have stopped.
    bool ask(bool caller) {
        if (caller && interrupted_ && !stop_.load()) {
            try {
                if (interrupted_()) stop_.store(true);
            } catch (...) {
                error_ = std::current_exception();
                stop_.store(true);
            }
        }
        return stop_.load();
    }

    void run(std::size_t i, bool caller) {
        try {
            if (ask(caller)) throw Interrupted();
            const TrainJob<T>& job = jobs_[i];
            TrainOptions options = job.options;
            options.n_threads = 1;
            options.executor = nullptr;
            options.on_epoch = {};
            options.on_step = {};
            options.interrupted = [this, caller] { return ask(caller); };
            Features<T> x(job.x);
            x.is_scaled = job.is_scaled;
            Conventions conventions;
            outcomes_[i].reports = train_by(conventions, *job.network, x, job.y, options);
        } catch (...) {
            outcomes_[i].error = std::current_exception();
        }
    }

    const std::vector<TrainJob<T>>& jobs_;
    const std::function<bool()>& interrupted_;
    std::vector<TrainOutcome> outcomes_;
    std::atomic<std::size_t> next_{0}, done_{0};
    std::atomic<bool> stop_{false};
    std::exception_ptr error_;
};

}  // namespace

template <class T>
std::vector<TrainOutcome> train_many(const std::vector<TrainJob<T>>& jobs, int n_threads,
                                     const std::function<bool()>& interrupted) {
    Queue<T> queue(jobs, interrupted);
    const auto most = static_cast<int>(std::min<std::size_t>(jobs.size(), ThreadTeam::kMaxSize));
    ThreadTeam team(std::max(1, std::min(threads_allowed(n_threads), most)));
    team.run([&](int rank) { queue.work(rank == 0); });
    return queue.outcomes();
}

template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<float>>&, int,
                                              const std::function<bool()>&);
template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<double>>&, int,
                                              const std::function<bool()>&);

}  // namespace fastmlp
