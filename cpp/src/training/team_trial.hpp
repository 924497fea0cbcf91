/// How many members of a team take small steps fastest: found by timing some steps with one, then
/// with two, four and so on, as long as that is faster.
///
/// Between two barriers a member has a few microseconds of work, and what a barrier costs depends
/// on the machine: on two cores of a Zen 5 half of a step of 2 us pays, between cores of a Sapphire
/// Rapids half of 20 us does not. No bit depends on the number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

namespace fastmlp {

class TeamTrial {
public:
    /// No trial: always `members`.
    explicit TeamTrial(int members) : most_(members), members_(members) {}

    /// At most `most` members, for `steps` steps of `flops` each; the `usual` number where a trial
    /// would take too long, or where steps are so large that all members are surely worthwhile.
    TeamTrial(int usual, int most, double flops, double steps) : TeamTrial(usual) {
        constexpr double kSurelyWorth = 2e6;  // of a member
        constexpr double kShort = 1024;       // steps: a trial of two takes 40 to 64
        if (most == 1 || steps < kShort || flops > kSurelyWorth * most) return;
        most_ = most;
        tries_ = true;
        begin();
    }

    int most() const { return most_; }

    /// The number of members of the next steps.
    int members() const { return members_; }

    /// How many steps to run before the next call of `measured`.
    std::size_t steps() const { return is_trial_ ? kTurn : kForever; }

    /// `steps` steps by that many members took `seconds`.
    void measured(std::size_t steps, double seconds) {
        if (!tries_) return;
        seconds_ += seconds;
        steps_ += steps;
        const double mean = seconds_ / static_cast<double>(steps_);
        if (!is_trial_) {
            if (seconds_ > kRepeatAfter) return begin();
            if (seconds_ > kEvidence && mean > of_one_) members_ = 1;  // a CPU became busy
        } else if (steps_ >= kTurn) {
            least_ = std::min(least_, mean);
            seconds_ = 0;
            steps_ = 0;
            const bool is_slower = turn_ > 0 && least_ > best_seconds_;
            if (++turn_ == kTurns || is_slower) end_of_turns();
        }
    }

private:
    /// The fastest of some turns counts: in the first, caches are cold. Two that are slower end it:
    /// where barriers are slow, a turn takes several times as long.
    static constexpr std::size_t kTurn = 4, kTurns = 8;
    static constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();
    static constexpr double kInfinity = std::numeric_limits<double>::infinity();
    /// Seconds. A choice does not hold forever: CPUs become busy, and idle again.
    static constexpr double kEvidence = 0.005, kRepeatAfter = 0.1;

    /// One member first: meanwhile the others wake up, and none falls asleep before its turn.
    void begin() {
        is_trial_ = true;
        members_ = 1;
        best_seconds_ = kInfinity;
        begin_turns();
    }

    void begin_turns() {
        turn_ = steps_ = 0;
        seconds_ = 0;
        least_ = kInfinity;
    }

    void end_of_turns() {
        const bool is_best = least_ < best_seconds_;
        if (members_ == 1) of_one_ = least_;
        if (is_best) {
            best_seconds_ = least_;
            best_ = members_;
        }
        is_trial_ = is_best && members_ < most_;
        members_ = is_trial_ ? std::min(2 * members_, most_) : best_;
        begin_turns();
    }

    int most_, members_, best_ = 1;
    bool tries_ = false, is_trial_ = false;
    std::size_t turn_ = 0, steps_ = 0;
    double seconds_ = 0, least_ = kInfinity;  ///< of these steps; a step of these turns
    double best_seconds_ = kInfinity, of_one_ = kInfinity;
};

}  // namespace fastmlp
