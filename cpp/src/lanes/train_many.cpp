#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "checks/checks.hpp"
#include "fastmlp/trainer.hpp"
#include "lanes/group.hpp"
#include "lanes/train_many_by.hpp"
#include "threads/thread_limits.hpp"
#include "threads/thread_pool.hpp"
#include "training/options.hpp"

namespace fastmlp {
namespace {

/// The jobs as one thread trains them: side by side where `lane_key` allows it, or each by itself.
/// Half a vector of networks is worth it. Those that may follow others stay together, those first
/// that learn slowly: they are probably trained for longer.
template <class T>
std::vector<std::vector<std::size_t>> divide(const std::vector<TrainJob<T>>& jobs,
                                             const std::vector<Manner>& manners) {
    const std::size_t lanes = kernels::active_table<T>().in_lanes.lanes;
    std::vector<std::vector<std::size_t>> units;
    std::unordered_map<std::string, std::vector<std::size_t>> open;
    const TrainJob<T>* valid = nullptr;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        std::string key = lanes > 1 ? lane_key(jobs[i], manners[i], valid) : std::string();
        if (key.empty()) {
            units.push_back({i});
            continue;
        }
        valid = &jobs[i];
        std::vector<std::size_t>& group = open[std::move(key)];
        group.push_back(i);
        if (group.size() == lanes && !may_follow(jobs[i], manners[i])) {
            units.push_back(std::exchange(group, {}));
        }
    }
    for (auto& [key, group] : open) {
        std::stable_sort(group.begin(), group.end(), [&](std::size_t a, std::size_t b) {
            const TrainOptions &one = jobs[a].options, &other = jobs[b].options;
            return one.optimizer.learning_rate < other.optimizer.learning_rate;
        });
        if (2 * group.size() >= lanes) {
            units.push_back(std::move(group));
        } else {
            for (const std::size_t i : group) units.push_back({i});
        }
    }
    return units;
}

/// Distributes units of jobs one by one to free threads. Only the caller's thread may poll for
/// interrupts, and report which jobs have ended; if it has to stop, it stops the others, and
/// continues to poll while they finish.
template <class T>
class Queue {
public:
    Queue(const std::vector<TrainJob<T>>& jobs, std::vector<Manner>& manners,
          const std::function<bool()>& interrupted, const JobsEnded& ended)
        : jobs_(jobs), manners_(manners), units_(divide(jobs, manners)), interrupted_(interrupted),
          ended_(ended), outcomes_(jobs.size()), order_(units_.size()) {}

    std::size_t units() const { return units_.size(); }

    void work(bool caller) {
        for (std::size_t i; (i = next_.fetch_add(1)) < units_.size();) {
            if (units_[i].size() == 1) {
                run(units_[i][0], caller);
            } else {
                run_in_lanes(units_[i], caller);
            }
            end(i);
            if (caller) report(ended_units());
        }
        while (caller && reported_ < units_.size()) {
            ask(caller);
            report(wait_for_ended());
        }
    }

    std::vector<TrainOutcome> outcomes() {
        if (error_) std::rethrow_exception(error_);
        if (stop_.load()) throw Interrupted();
        return std::move(outcomes_);
    }

private:
    /// Whether to stop.
    bool ask(bool caller) {
        if (caller && interrupted_ && !stop_.load()) {
            keep_error([this] { stop_.store(interrupted_()); });
        }
        return stop_.load();
    }

    /// An exception of the caller's functions is kept until all other threads have stopped.
    template <class Call>
    void keep_error(Call call) {
        try {
            call();
        } catch (...) {
            error_ = std::current_exception();
            stop_.store(true);
        }
    }

    void end(std::size_t unit) {
        const std::lock_guard lock(mutex_);
        order_[ended_units_++] = unit;
        has_ended_.notify_one();
    }

    /// How many units have ended.
    std::size_t ended_units() {
        const std::lock_guard lock(mutex_);
        return ended_units_;
    }

    /// The same, as soon as one is to be reported, or after two milliseconds.
    std::size_t wait_for_ended() {
        std::unique_lock lock(mutex_);
        has_ended_.wait_for(lock, std::chrono::milliseconds(2),
                            [this] { return ended_units_ > reported_; });
        return ended_units_;
    }

    /// Reports the first units of `order_`, `count` in all, unless all are to stop.
    void report(std::size_t count) {
        for (; reported_ < count; ++reported_) {
            if (!ended_ || stop_.load()) continue;
            keep_error([this] { ended_(units_[order_[reported_]], outcomes_); });
        }
    }

    void run(std::size_t i, bool caller) { run(i, jobs_[i].options.first_epoch, caller); }

    /// From an epoch on.
    void run(std::size_t i, std::size_t epoch, bool caller) {
        try {
            if (ask(caller)) throw Interrupted();
            const TrainJob<T>& job = jobs_[i];
            TrainOptions options = job.options;
            options.first_epoch = epoch;
            options.n_threads = 1;
            options.executor = nullptr;
            options.on_epoch = {};
            options.on_step = {};
            Manner& by = manners_[i];
            follow(job, by, options);
            options.interrupted = [this, caller] { return ask(caller); };
            check_targets(*job.network, job.y, job.x.rows);
            check_content(*job.network, job.y);
            Features<T> x(job.x);
            x.is_scaled = job.is_scaled;
            const auto reports = train_by(by, *job.network, x, job.y, options);
            outcomes_[i].reports.insert(outcomes_[i].reports.end(), reports.begin(), reports.end());
        } catch (...) {
            outcomes_[i].error = std::current_exception();
            outcomes_[i].reports.clear();
        }
    }

    /// Lets its manner order the samples of each epoch, and end the training.
    static void follow(const TrainJob<T>& job, Manner& by, TrainOptions& options) {
        if (!by.orders && !by.convergence) return;
        if (by.orders) {
            options.order = by.orders->draw().data();
            options.order_rows = 1;
        }
        options.on_epoch = [&by, &job](const EpochReport& report) {
            const bool ends =
                by.convergence && by.convergence->ends(report.loss, by.squares, samples_of(job));
            if (!ends && by.orders) by.orders->draw();
            return ends;
        };
    }

    void run_in_lanes(const std::vector<std::size_t>& unit, bool caller) {
        try {
            if (ask(caller)) throw Interrupted();
            const auto asked = [this, caller] { return ask(caller); };
            std::vector<std::pair<std::size_t, std::size_t>> left;
            {
                LaneGroup<T> group(jobs_, manners_, unit, outcomes_, asked);
                group.run();
                left = group.left();
            }
            for (const auto& [i, epoch] : left) run(i, epoch, caller);
        } catch (...) {
            for (const std::size_t i : unit) {
                if (!outcomes_[i].error) outcomes_[i].error = std::current_exception();
            }
        }
    }

    const std::vector<TrainJob<T>>& jobs_;
    std::vector<Manner>& manners_;                 ///< of the jobs
    std::vector<std::vector<std::size_t>> units_;  ///< jobs that one thread trains together
    const std::function<bool()>& interrupted_;
    const JobsEnded& ended_;
    std::vector<TrainOutcome> outcomes_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stop_{false};
    std::exception_ptr error_;
    std::mutex mutex_;  ///< of `order_` and `ended_units_`
    std::condition_variable has_ended_;
    std::vector<std::size_t> order_;  ///< in which units ended
    std::size_t ended_units_ = 0;
    std::size_t reported_ = 0;  ///< units, by the caller's thread
};

/// Throws std::invalid_argument for a job without a network, and for two of one, which would train
/// it at the same time.
template <class T>
void check_networks(const std::vector<TrainJob<T>>& jobs) {
    std::unordered_set<const Network<T>*> networks;
    for (const TrainJob<T>& job : jobs) {
        if (job.network == nullptr) throw std::invalid_argument("a job has no network");
        if (!networks.insert(job.network).second) {
            throw std::invalid_argument("two jobs have the same network");
        }
    }
}

/// As `train`: x is searched only once the loss was not finite.
template <class T>
void name_the_row(const TrainJob<T>& job, TrainOutcome& outcome) {
    try {
        std::rethrow_exception(outcome.error);
    } catch (const Diverged&) {
        try {
            Features<T> x(job.x);
            x.is_scaled = job.is_scaled;
            check_finite(checked_features(*job.network, x), job.y.weights, job.options);
        } catch (const std::invalid_argument&) {
            outcome.error = std::current_exception();
        }
    } catch (...) {  // stays what it is
    }
}

}  // namespace

template <class T>
std::vector<TrainOutcome> train_many(const std::vector<TrainJob<T>>& jobs, int n_threads,
                                     const std::function<bool()>& interrupted) {
    std::vector<Manner> manners(jobs.size());
    std::vector<TrainOutcome> outcomes = train_many_by(manners, jobs, n_threads, interrupted);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (outcomes[i].error) name_the_row(jobs[i], outcomes[i]);
    }
    return outcomes;
}

template <class T>
std::vector<TrainOutcome> train_many_by(std::vector<Manner>& manners,
                                        const std::vector<TrainJob<T>>& jobs, int n_threads,
                                        const std::function<bool()>& interrupted,
                                        const JobsEnded& ended) {
    check_networks(jobs);
    Queue<T> queue(jobs, manners, interrupted, ended);
    const auto most = static_cast<int>(std::min<std::size_t>(queue.units(), ThreadTeam::kMaxSize));
    ThreadTeam team(std::max(1, std::min(threads_allowed(n_threads), most)));
    team.run([&](int rank) { queue.work(rank == 0); });
    return queue.outcomes();
}

template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<float>>&, int,
                                              const std::function<bool()>&);
template std::vector<TrainOutcome> train_many(const std::vector<TrainJob<double>>&, int,
                                              const std::function<bool()>&);
template std::vector<TrainOutcome> train_many_by(std::vector<Manner>&,
                                                 const std::vector<TrainJob<float>>&, int,
                                                 const std::function<bool()>&, const JobsEnded&);
template std::vector<TrainOutcome> train_many_by(std::vector<Manner>&,
                                                 const std::vector<TrainJob<double>>&, int,
                                                 const std::function<bool()>&, const JobsEnded&);

}  // namespace fastmlp
