#include "fastmlp/schedule.hpp"

#include <algorithm>
#include <cmath>

#include "checks/checks.hpp"
#include "kernels/dispatch.hpp"
#include "training/power.hpp"

namespace fastmlp {
namespace {

/// (1 + cos(pi x)) / 2 for x in [0, 1] to within 1e-15, by the Taylor series of the sine: the
/// standard library's cosine differs between platforms.
double half_cosine(double x) {
    constexpr double kPi = 3.14159265358979323846;
    const double a = kPi * (0.5 - x), square = a * a;  // cos(pi x) = sin(a)
    double sum = 1;
    for (int n = 27; n > 1; n -= 2) sum = 1 - sum * square / (n * (n - 1));
    return 0.5 + 0.5 * a * sum;
}

/// x^power for x >= 1, with the kernels' logarithm and exponential.
double real_power(double x, double power) {
    const auto& kernel = kernels::active_table<double>();
    kernel.log_array(&x, 1, &x);
    x *= power;
    kernel.exp_array(&x, 1, &x);
    return x;
}

/// The peak is at step rise * steps - 1, as in PyTorch.
double one_cycle(const Schedule& s, double step, double last) {
    const double peak = s.rise * (last + 1) - 1;
    if (step < peak) return 1 - (1 - s.initial) * half_cosine(step / peak);
    return s.final + (1 - s.final) * half_cosine((step - peak) / (last - peak));
}

/// The factor of step `now`, without warm-up.
double base_factor(const Schedule& s, std::size_t now, std::size_t steps_per_epoch,
                   std::size_t steps) {
    const std::size_t epoch = now / steps_per_epoch;
    if (s.total_epochs) steps = s.total_epochs * steps_per_epoch;
    const double last = static_cast<double>(steps) - 1;
    const double step = std::min(last, static_cast<double>(now));
    switch (s.kind) {
        case Schedule::Kind::kConstant: break;
        case Schedule::Kind::kStep: return power(s.factor, epoch / s.every);
        case Schedule::Kind::kExponential: return power(s.factor, epoch);
        case Schedule::Kind::kCosine:
            return s.final + (1 - s.final) * half_cosine(step / std::max(1.0, last));
        case Schedule::Kind::kOneCycle: return one_cycle(s, step, last);
        case Schedule::Kind::kInverse: return 1 / real_power(static_cast<double>(now) + 1, s.power);
    }
    return 1;
}

}  // namespace

double schedule_factor(const Schedule& schedule, const Progress& at) {
    check_schedule(schedule);
    require(at.steps_per_epoch > 0, "steps_per_epoch", "at least 1", 0);
    const std::size_t begin = schedule.shift ? schedule.warm_up : 0;
    const std::size_t now = at.step > begin ? at.step - begin : 0;
    const std::size_t all = at.epochs * at.steps_per_epoch, steps = all > begin ? all - begin : 1;
    const double factor = base_factor(schedule, now, at.steps_per_epoch, steps);
    if (at.step >= schedule.warm_up) return factor;
    return factor * (static_cast<double>(at.step) + 1) / static_cast<double>(schedule.warm_up);
}

void check_schedule(const Schedule& s) {
    const auto share = [](double x) { return x >= 0 && x <= 1; };
    require(s.factor > 0 && s.factor <= 1, "factor", "above 0 and at most 1", s.factor);
    require(s.every > 0, "every", "at least 1", 0);
    require(share(s.final), "final", "in 0 .. 1", s.final);
    require(share(s.initial), "initial", "in 0 .. 1", s.initial);
    require(s.rise > 0 && s.rise < 1, "rise", "above 0 and below 1", s.rise);
    require(s.power >= 0 && std::isfinite(s.power), "power", "at least 0 and finite", s.power);
}

}  // namespace fastmlp
