/// update: the optimizers' steps, element by element, compiled per instruction set.
///
/// The formulas are PyTorch's (torch.optim): Polyak 1964 and Nesterov 1983 in the form of Sutskever
/// et al. 2013, Adam of Kingma and Ba 2015, AdamW of Loshchilov and Hutter 2019, RMSprop of Hinton.
#pragma once

#include <limits>

#include "kernels/tile-inl.hpp"

namespace fastmlp::kernels {
namespace {

/// u moved towards g by a gain, computed from the nearer end like torch.lerp: accurate if g is much
/// smaller than u, and exact if they are equal.
template <class S>
struct Approach {
    using T = Scalar<S>;
    Reg<S> gain, step;

    explicit FASTMLP_INLINE Approach(T its_gain)
        : gain(S::set1(its_gain)), step(S::set1(its_gain < T(0.5) ? its_gain : its_gain - T(1))) {}

    FASTMLP_INLINE Reg<S> operator()(Reg<S> u, Reg<S> g) const {
        return S::fma(step, S::sub(g, u), S::select_gt(S::set1(T(0.5)), gain, u, g));
    }
};

/// u / (sqrt(s) + epsilon) where some u or s is subnormal, as Adam's u is 900 steps after the last
/// gradient that was not 0. Zen 5 takes four times as long for the root and the quotient of such
/// vectors, so powers of 2 move the arguments into the normal range, and the results back. That is
/// exact, except where a quotient is subnormal itself: it is then computed directly.
template <class S>
FASTMLP_INLINE Reg<S> quotient_of_subnormals(Reg<S> u, Reg<S> s, Reg<S> epsilon) {
    using T = Scalar<S>;
    const Reg<S> least = S::set1(std::numeric_limits<T>::min()), one = S::set1(T(1));
    const Reg<S> size = S::abs(u);
    const auto where_small = [&](Reg<S> x, double factor) FASTMLP_INLINE_LAMBDA {
        return S::select_gt(least, x, S::set1(static_cast<T>(factor)), one);
    };
    const Reg<S> root = S::mul(S::sqrt(S::mul(s, where_small(s, 0x1p64))), where_small(s, 0x1p-32));
    const Reg<S> divisor = S::add(root, epsilon);
    const Reg<S> larger = S::div(S::mul(u, where_small(size, 0x1p64)), divisor);
    const Reg<S> quotient = S::mul(larger, where_small(size, 0x1p-64));
    const bool exact = S::all_below(least, S::select_eq(larger, S::zero(), one, S::abs(quotient)));
    return exact ? quotient : S::div(u, divisor);
}

/// A rule's scalars, in every lane.
template <class S>
struct Rule {
    using T = Scalar<S>;
    Reg<S> rate, gain, momentum, square_decay, square_gain, epsilon;
    Reg<S> shrink, limit, l1, l2, keep;
    Approach<S> mean;

    explicit FASTMLP_INLINE Rule(const UpdateRule<T>& rule)
        : rate(S::set1(rule.rate)), gain(S::set1(rule.gain)), momentum(S::set1(rule.momentum)),
          square_decay(S::set1(rule.square_decay)), square_gain(S::set1(rule.square_gain)),
          epsilon(S::set1(rule.epsilon)), shrink(S::set1(rule.shrink)), limit(S::set1(rule.limit)),
          l1(S::set1(rule.l1)), l2(S::set1(rule.l2)), keep(S::set1(rule.keep)),
          mean(rule.mean_gain) {}

    /// With another rate, l2, keep, shrink and epsilon in each lane.
    FASTMLP_INLINE Rule(const UpdateRule<T>& rule, const LaneRule<T>& lanes) : Rule(rule) {
        rate = S::load(lanes.rate);
        l2 = S::load(lanes.l2);
        keep = S::load(lanes.keep);
        shrink = S::load(lanes.shrink);
        epsilon = S::load(lanes.epsilon);
    }

    /// Clipping and the penalty l1; NaN stays NaN.
    FASTMLP_INLINE Reg<S> adjusted(Reg<S> g, Reg<S> w) const {
        g = S::mul(g, shrink);
        g = S::max(S::sub(S::zero(), limit), S::min(limit, g));
        return S::add(g, S::select_eq(w, S::zero(), S::zero(), S::copysign(l1, w)));
    }

    FASTMLP_INLINE Reg<S> velocity(Reg<S> u, Reg<S> g) const {
        return S::fma(momentum, u, S::mul(gain, g));
    }

    /// Above 0 where w - rate u / (sqrt(s) + epsilon) is w for any subnormal u: the difference is
    /// less than a quarter of the distance from w to its neighbours.
    FASTMLP_INLINE Reg<S> unmoved(Reg<S> w) const {
        using Limits = std::numeric_limits<T>;
        const Reg<S> reach = S::mul(S::mul(S::abs(w), S::set1(Limits::epsilon() / T(8))), epsilon);
        return S::sub(reach, S::mul(rate, S::set1(Limits::min())));
    }

    /// Updates s; returns u over the root mean square of g, or 0 where u is subnormal and
    /// `unmoved` above 0.
    template <class Unmoved>
    FASTMLP_INLINE Reg<S> normalised(Reg<S> u, Reg<S> g, Reg<S>& s, Unmoved unmoved) const {
        s = S::fma(square_decay, s, S::mul(S::mul(square_gain, g), g));
        const Reg<S> least = S::set1(std::numeric_limits<T>::min()), one = S::set1(T(1));
        if (S::all_below(least, S::min(S::abs(u), s))) [[likely]] {
            return S::div(u, S::add(S::sqrt(s), epsilon));
        }
        const auto size = [&](Reg<S> x) FASTMLP_INLINE_LAMBDA {
            return S::select_eq(x, S::zero(), one, S::abs(x));
        };
        // Zeros, as of the many gradients behind a relu, are not subnormal, and any s is as good
        // for them.
        const auto root_for = [&](Reg<S> x) FASTMLP_INLINE_LAMBDA {
            return S::select_gt(least, s, S::select_eq(x, S::zero(), one, s), s);
        };
        Reg<S> root = root_for(u);
        if (S::all_below(least, S::min(size(u), root))) {
            return S::div(u, S::add(S::sqrt(root), epsilon));
        }
        u = S::select_gt(least, S::abs(u), S::select_gt(unmoved(), S::zero(), S::zero(), u), u);
        root = root_for(u);
        if (S::all_below(least, S::min(size(u), size(root)))) {
            return S::div(u, S::add(S::sqrt(root), epsilon));
        }
        return quotient_of_subnormals<S>(u, s, epsilon);
    }

    /// The direction of one vector, which is subtracted from w. The caller loads and stores u and s
    /// if the step uses them.
    template <RuleKind kKind>
    FASTMLP_INLINE Reg<S> direction(Reg<S> w, Reg<S> g, Reg<S>& u, Reg<S>& s) const {
        [[maybe_unused]] const auto of_weight = [&]() FASTMLP_INLINE_LAMBDA { return unmoved(w); };
        [[maybe_unused]] const auto none = []() FASTMLP_INLINE_LAMBDA { return S::zero(); };
        if constexpr (kKind == RuleKind::kDescend) {
            return g;
        } else if constexpr (kKind == RuleKind::kMomentum) {
            return u = velocity(u, g);
        } else if constexpr (kKind == RuleKind::kNesterov) {
            u = velocity(u, g);
            return velocity(u, g);
        } else if constexpr (kKind == RuleKind::kAdam) {
            u = mean(u, g);
            return normalised(u, g, s, of_weight);
        } else if constexpr (kKind == RuleKind::kRmsprop) {
            return normalised(g, g, s, of_weight);
        } else {
            return u = S::fma(momentum, u, normalised(g, g, s, none));
        }
    }

    /// One vector of weights after a step with gradients g; u and s as above.
    template <RuleKind kKind, bool kAdjusted>
    FASTMLP_INLINE Reg<S> updated(Reg<S> w, Reg<S> g, Reg<S>& u, Reg<S>& s) const {
        if constexpr (kAdjusted) g = adjusted(g, w);
        g = S::fma(l2, w, g);
        w = S::mul(w, keep);
        return S::fnma(rate, direction<kKind>(w, g, u, s), w);
    }
};

template <RuleKind kKind>
inline constexpr bool kHasFirst = kKind != RuleKind::kDescend && kKind != RuleKind::kRmsprop;
template <RuleKind kKind>
inline constexpr bool kHasSecond =
    kKind == RuleKind::kAdam || kKind == RuleKind::kRmsprop || kKind == RuleKind::kRmspropMomentum;

/// What a step reads and writes: rows of weights and of both moments, ldw apart.
template <class S>
struct Updated {
    std::size_t rows, width;
    Scalar<S>*w, *first_moment, *second_moment;
    std::size_t ldw;
};

/// `gradient` returns that of row r and the vector from column j on; `tail` of its elements, or all
/// if this is 0.
template <class S, RuleKind kKind, bool kAdjusted, class Gradient>
void update_rows(const UpdateRule<Scalar<S>>& rule, const Updated<S>& to, Gradient gradient) {
    const Rule<S> words(rule);
    Scalar<S>*const w = to.w, *const first_moment = to.first_moment;
    Scalar<S>* const second_moment = to.second_moment;
    const auto vector = [&](std::size_t at, Reg<S> g, auto get, auto put) FASTMLP_INLINE_LAMBDA {
        Reg<S> weight = get(w + at), u = S::zero(), s = S::zero();
        if constexpr (kHasFirst<kKind>) u = get(first_moment + at);
        if constexpr (kHasSecond<kKind>) s = get(second_moment + at);
        put(w + at, words.template updated<kKind, kAdjusted>(weight, g, u, s));
        if constexpr (kHasFirst<kKind>) put(first_moment + at, u);
        if constexpr (kHasSecond<kKind>) put(second_moment + at, s);
    };
    const auto load = [](const Scalar<S>* p) FASTMLP_INLINE_LAMBDA { return S::load(p); };
    const auto store = [](Scalar<S>* p, Reg<S> v) FASTMLP_INLINE_LAMBDA { S::store(p, v); };
    const std::size_t tail = to.width % S::kLanes, whole = to.width - tail;
    for (std::size_t r = 0; r < to.rows; ++r) {
        const std::size_t row = r * to.ldw;
        for (std::size_t j = 0; j < whole; j += S::kLanes) {
            vector(row + j, gradient(r, j, std::size_t{0}), load, store);
        }
        if (tail == 0) continue;
        vector(
            row + whole, gradient(r, whole, tail),
            [&](const Scalar<S>* p) FASTMLP_INLINE_LAMBDA { return S::load_partial(p, tail); },
            [&](Scalar<S>* p, Reg<S> v) FASTMLP_INLINE_LAMBDA { S::store_partial(p, v, tail); });
    }
}

template <class S, RuleKind kKind, class Gradient>
void update_by(const UpdateRule<Scalar<S>>& rule, const Updated<S>& to, Gradient gradient) {
    if (rule.adjusted) {
        update_rows<S, kKind, true>(rule, to, gradient);
    } else {
        update_rows<S, kKind, false>(rule, to, gradient);
    }
}

template <class S, class Gradient>
void update_with(const UpdateRule<Scalar<S>>& rule, const Updated<S>& to, Gradient gradient) {
    switch (rule.kind) {
        case RuleKind::kDescend: return update_by<S, RuleKind::kDescend>(rule, to, gradient);
        case RuleKind::kMomentum: return update_by<S, RuleKind::kMomentum>(rule, to, gradient);
        case RuleKind::kNesterov: return update_by<S, RuleKind::kNesterov>(rule, to, gradient);
        case RuleKind::kAdam: return update_by<S, RuleKind::kAdam>(rule, to, gradient);
        case RuleKind::kRmsprop: return update_by<S, RuleKind::kRmsprop>(rule, to, gradient);
        case RuleKind::kRmspropMomentum:
            return update_by<S, RuleKind::kRmspropMomentum>(rule, to, gradient);
    }
}

template <class S>
FASTMLP_INLINE Reg<S> load_vector(const Scalar<S>* p, std::size_t tail) {
    return tail == 0 ? S::load(p) : S::load_partial(p, tail);
}

template <class S>
void update(const UpdateRule<Scalar<S>>& rule, std::size_t rows, std::size_t width,
            const Scalar<S>* g, std::size_t ldg, Scalar<S>* w, Scalar<S>* first_moment,
            Scalar<S>* second_moment, std::size_t ldw) noexcept {
    const auto stored = [=](std::size_t r, std::size_t j, std::size_t tail)
                            FASTMLP_INLINE_LAMBDA { return load_vector<S>(g + r * ldg + j, tail); };
    update_with<S>(rule, {rows, width, w, first_moment, second_moment, ldw}, stored);
}

/// The gradients of one sample are computed where they are used: storing them first takes as long
/// as the step (64-64-10, batch 1).
template <class S>
void update_of_one(const UpdateRule<Scalar<S>>& rule, const Scalar<S>* a, std::size_t count_k,
                   const Scalar<S>* v, std::size_t width, Scalar<S> scale, Scalar<S>* w,
                   Scalar<S>* first_moment, Scalar<S>* second_moment, std::size_t ldw) noexcept {
    const Reg<S> factor = S::set1(scale);
    const auto of_one = [=](std::size_t k, std::size_t j, std::size_t tail) FASTMLP_INLINE_LAMBDA {
        const Reg<S> sum = S::mul(S::set1(a[k]), load_vector<S>(v + j, tail));
        return S::add(S::mul(sum, factor), S::zero());
    };
    update_with<S>(rule, {count_k, width, w, first_moment, second_moment, ldw}, of_one);
}

template <class S>
void approach(Scalar<S> gain, std::size_t count, const Scalar<S>* from, Scalar<S>* to) noexcept {
    const Approach<S> nearer(gain);
    std::size_t i = 0;
    for (; count - i >= S::kLanes; i += S::kLanes) {
        S::store(to + i, nearer(S::load(to + i), S::load(from + i)));
    }
    if (i == count) return;
    const Reg<S> old = S::load_partial(to + i, count - i);
    S::store_partial(to + i, nearer(old, S::load_partial(from + i, count - i)), count - i);
}

}  // namespace
}  // namespace fastmlp::kernels
