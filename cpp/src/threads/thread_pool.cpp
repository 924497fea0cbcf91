#include "threads/thread_pool.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "threads/ieee_defaults.hpp"
#include "threads/thread_count.hpp"

namespace fastmlp {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Pauses of a member before it sleeps: longer than a thread that has just woken up is behind the
/// others. Who sleeps may be woken on the processor of the thread that wakes it, and then shares it
/// for milliseconds (Linux 6.18: half of the fits of eight steps after a pause took 1.6 times as
/// long).
constexpr int kSpinsInRun = 4 * kSpins;

/// A shorter run is no evidence of how busy the machine is.
constexpr milliseconds kLeastEvidence{2};
/// The longest rest of a team, and that of all others because of it.
constexpr milliseconds kLongRest{1280}, kRestOfOthers{5};

/// Of all teams of the process, which run on the same machine.
std::atomic<Clock::rep> all_rest_until{0};

constexpr const char* kForked = "the process was forked inside a parallel computation";
constexpr const char* kMemberFailed = "another thread of the computation failed";

}  // namespace

ThreadTeam::ThreadTeam(int n) noexcept {
    borrow_workers(n);
}

ThreadTeam::ThreadTeam(int n, const Executor* executor, MeetingPlace* place) {
    if (place != nullptr) place_ = place;
    if (executor == nullptr) {
        borrow_workers(n);
        return;
    }
    n = std::min({n, kMaxSize, checked(*executor).concurrency});
    if (n < 2 || !make_members(n)) return;
    executor_ = executor;
    borrowed_ = n;
    choose_spins();
}

void ThreadTeam::borrow_workers(int n) noexcept {
    n = std::min(n, kMaxSize);
    if (n < 2 || !make_members(n)) return;
    while (borrowed_ < n) {
        Worker* const worker = Worker::borrow(n - 1);
        if (worker == nullptr) break;
        members_[borrowed_++].worker = worker;
    }
    choose_spins();
    call_members();
}

bool ThreadTeam::make_members(int n) noexcept {
    MeetingPlace& place = *place_;
    if (place.size_ < n) {
        place.members_.reset(new (std::nothrow) Member[static_cast<std::size_t>(n)]);
        place.size_ = place.members_ ? n : 0;
    } else {
        for (int rank = 0; rank < n; ++rank) place.members_[rank].clear();
    }
    members_ = place.members_.get();
    return members_ != nullptr;
}

void ThreadTeam::Member::clear() noexcept {
    for (auto& set : arrived) {
        for (auto& flag : set) flag.store(0, std::memory_order_relaxed);
    }
    phase = kBeforeFirst;
}

void ThreadTeam::choose_spins() noexcept {
    size_ = borrowed_;
    // With more members than CPUs, spinning could take the CPU from the member waited for.
    spins_ = size_ <= machine_threads() ? kSpinsInRun : 0;
}

ThreadTeam::~ThreadTeam() {
    if (lost_workers() || executor_ != nullptr) return;
    // The next team borrows the worker returned last first: rank 1, the most used.
    for (int rank = borrowed_ - 1; rank > 0; --rank) members_[rank].worker->give_back();
}

void ThreadTeam::run_on_all(Call call, void* target) {
    if (lost_workers()) size_ = borrowed_ = 1;
    if (size_ == 1) {
        call(target, 0);
        if (allowed() > 1) choose_size(false);
        return;
    }
    call_ = call;
    target_ = target;
    run_start_ = Clock::now();
    for (int rank = 0; rank < size_; ++rank) {
        members_[rank].stalled.store(0, std::memory_order_relaxed);
        members_[rank].phase = members_[0].phase;  // members that were left out are behind
    }
    executor_ != nullptr ? run_on_executor() : run_on_workers();
    if (failed_.load(std::memory_order_relaxed)) {
        recover();
        std::rethrow_exception(std::exchange(error_, nullptr));
    }
    choose_size(struggling());
}

void ThreadTeam::run_on_workers() {
    for (int rank = 1; rank < size_; ++rank) {
        members_[rank].worker->start(
            [](void* team, int its_rank) noexcept {
                static_cast<ThreadTeam*>(team)->run_member(its_rank);
            },
            this, rank, spins_);
    }
    run_member(0);
    join_workers();
}

void ThreadTeam::run_on_executor() {
    try {
        executor_->run(size_, [this](int rank) {
            const IeeeDefaults ieee;
            run_member(rank);
        });
    } catch (...) {
        fail(std::current_exception());
    }
}

void ThreadTeam::run_member(int rank) noexcept {
    try {
        call_(target_, rank);
    } catch (...) {
        fail(std::current_exception());
    }
}

void ThreadTeam::join_workers() {
    if (lost_workers()) {  // `function` forked, and this is the child
        fail(std::make_exception_ptr(std::runtime_error(kForked)));
        return;
    }
    Clock::time_point asleep{};
    for (int rank = 1; rank < size_; ++rank) {
        const Worker& worker = *members_[rank].worker;
        if (worker.done(spins_)) continue;
        if (asleep == Clock::time_point{}) asleep = Clock::now();
        worker.join();
    }
    if (asleep != Clock::time_point{}) {
        members_[0].stalled.fetch_add((Clock::now() - asleep).count(), std::memory_order_relaxed);
    }
}

/// A dissemination barrier: in round r each member signals the member 2^r after it and waits for
/// the one 2^r before. After log2(n) rounds every member knows that all have arrived. The lowest
/// bit of the flags is a vote to end the run, which is forwarded so that all members see the same
/// result. A neighbour can be one phase ahead, never two: hence two sets of flags.
bool ThreadTeam::cross_barrier(int rank) {
    Member& self = members_[rank];
    const std::uint32_t phase = (self.phase += 2);
    std::uint32_t vote = self.stalled.load(std::memory_order_relaxed) > 0 && struggling() ? 1 : 0;
    for (int round = 0, step = 1; step < size_; ++round, step *= 2) {
        const int partner = rank + step < size_ ? rank + step : rank + step - size_;
        auto& flag = members_[partner].arrived[phase / 2 % 2][round];
        flag.store(phase | vote, std::memory_order_seq_cst);
        flag.notify_one();
        vote |= hear(self, self.arrived[phase / 2 % 2][round], phase) & 1;
    }
    return vote == 0;
}

/// Waits for the neighbour's flag of this phase: spins, then sleeps. Who spins for long is stalled,
/// too.
std::uint32_t ThreadTeam::hear(Member& self, std::atomic<std::uint32_t>& arrived,
                               std::uint32_t phase) {
    const auto is_there = [phase](std::uint32_t now) { return (now & ~1U) == phase; };
    const int usual = std::min(spins_, kSpins);
    if (!spin_until(arrived, usual, is_there)) {
        const auto start = Clock::now();
        if (spins_ > usual) spin_until(arrived, spins_ - usual, is_there);
        std::uint32_t now;
        while (!is_there(now = arrived.load(std::memory_order_acquire))) {
            check_members();
            arrived.wait(now, std::memory_order_acquire);
        }
        self.stalled.fetch_add((Clock::now() - start).count(), std::memory_order_relaxed);
    }
    return arrived.load(std::memory_order_relaxed);
}

/// Throws if a member that is waited for will not come.
void ThreadTeam::check_members() const {
    if (lost_workers()) throw std::runtime_error(kForked);
    if (failed_.load(std::memory_order_acquire)) throw std::runtime_error(kMemberFailed);
}

/// Keeps the first error and wakes all members in the barrier. Flags of even phases are set to
/// values of odd phases and vice versa: the value changes, so sleepers wake up, but it is not the
/// value they wait for, so they then check for the failure.
void ThreadTeam::fail(std::exception_ptr error) noexcept {
    if (failed_.exchange(true, std::memory_order_acq_rel)) return;
    error_ = std::move(error);
    for (int rank = 0; rank < size_; ++rank) {
        for (auto& set : members_[rank].arrived) {
            for (auto& arrived : set) {
                arrived.fetch_add(2, std::memory_order_seq_cst);
                arrived.notify_all();
            }
        }
    }
}

void ThreadTeam::recover() noexcept {
    for (int rank = 0; rank < borrowed_; ++rank) members_[rank].clear();
    failed_.store(false, std::memory_order_relaxed);
}

/// Whether all members but one waited for more than 40 % of this run: one thread would be faster.
bool ThreadTeam::struggling() const noexcept {
    const Clock::duration elapsed = Clock::now() - run_start_;
    if (elapsed < kLeastEvidence || exact_threads()) return false;
    Clock::rep stalled = 0;
    for (int rank = 0; rank < size_; ++rank) {
        stalled += members_[rank].stalled.load(std::memory_order_relaxed);
    }
    return static_cast<double>(stalled) > 0.4 * (size_ - 1) * static_cast<double>(elapsed.count());
}

bool ThreadTeam::ready() noexcept {
    if (lost_workers()) size_ = borrowed_ = 1;
    const bool awake = allowed() == 1 || executor_ != nullptr || exact_threads();
    size_ = !rests() && (awake || wait_for_members()) ? allowed() : 1;
    return awake || size_ > 1;
}

bool ThreadTeam::awake() noexcept {
    if (executor_ != nullptr || lost_workers() || allowed() == 1 || rests()) return false;
    for (int rank = 1; rank < allowed(); ++rank) {
        if (!members_[rank].worker->awake()) return false;
    }
    size_ = allowed();
    return true;
}

/// Wakes the members that are asleep; returns whether all are awake.
bool ThreadTeam::call_members() noexcept {
    bool all_awake = true;
    for (int rank = 1; rank < allowed(); ++rank) {
        members_[rank].worker->call();
        all_awake = all_awake && members_[rank].worker->awake();
    }
    all_awake ? patience_.end() : patience_.begin(Clock::now());
    return all_awake;
}

/// Waits for members to wake up.
bool ThreadTeam::wait_for_members() noexcept {
    if (call_members()) return true;
    const auto start = Clock::now();
    const auto deadline = patience_.deadline(start);
    auto now = start;
    for (; now < deadline; now = Clock::now()) {
        if (call_members()) return true;
        cpu_pause();
    }
    patience_.waited(now - start);
    return false;
}

bool ThreadTeam::resting() noexcept {
    const Clock::rep until = all_rest_until.load(std::memory_order_relaxed);
    return until != 0 && Clock::now().time_since_epoch().count() < until;
}

void ThreadTeam::choose_size(bool struggled) noexcept {
    if (struggled) {
        const Clock::time_point now = Clock::now();
        all_rest_until.store((now + kRestOfOthers).time_since_epoch().count(),
                             std::memory_order_relaxed);
        rest_until_ = now + next_rest_;
        next_rest_ = std::min<Clock::duration>(2 * next_rest_, kLongRest);
        worked_ = Clock::duration::zero();
    } else if (size_ > 1) {
        worked_ += Clock::now() - run_start_;
        if (worked_ >= kShortRest) next_rest_ = kShortRest;
    }
    size_ = rests() ? 1 : allowed();
}

}  // namespace fastmlp
