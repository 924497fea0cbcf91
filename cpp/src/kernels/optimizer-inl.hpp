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
    /// less than a quarter of the distance from w to its neighbours. Scaled, since arithmetic with
    /// subnormal numbers is slow.
    FASTMLP_INLINE Reg<S> unmoved(Reg<S> w) const {
        using Limits = std::numeric_limits<T>;
        constexpr T kScale = T(1LL << 32);
        const Reg<S> share = S::mul(S::abs(w), S::set1(kScale * Limits::epsilon() / T(8)));
        return S::sub(S::mul(share, epsilon), S::mul(rate, S::set1(kScale * Limits::min())));
    }

    /// Updates s; returns u over the root mean square of g, or 0 where u is subnormal and
    /// `unmoved` above 0. Zeros are not subnormal, but telling them apart takes time, which pays
    /// where they are frequent.
    template <bool kOftenZero, class Unmoved>
    FASTMLP_INLINE Reg<S> normalised(Reg<S> u, Reg<S> g, Reg<S>& s, Unmoved unmoved) const {
        s = S::fma(square_decay, s, S::mul(S::mul(square_gain, g), g));
        const Reg<S> least = S::set1(std::numeric_limits<T>::min()), one = S::set1(T(1));
        const auto size = [&](Reg<S> x) FASTMLP_INLINE_LAMBDA {
            return S::select_eq(x, S::zero(), one, S::abs(x));
        };
        if (S::all_below(least, S::min(kOftenZero ? size(u) : S::abs(u), s))) [[likely]] {
            return S::div(u, S::add(S::sqrt(s), epsilon));
        }
        // Where u is 0, any s is as good.
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
        constexpr bool kGradient = true;  // often 0, behind a relu
        if constexpr (kKind == RuleKind::kDescend) {
            return g;
        } else if constexpr (kKind == RuleKind::kMomentum) {
            return u = velocity(u, g);
        } else if constexpr (kKind == RuleKind::kNesterov) {
            u = velocity(u, g);
            return velocity(u, g);
        } else if constexpr (kKind == RuleKind::kAdam) {
            u = mean(u, g);
            return normalised<!kGradient>(u, g, s, of_weight);
        } else if constexpr (kKind == RuleKind::kRmsprop) {
            return normalised<kGradient>(g, g, s, of_weight);
        } else {
            return u = S::fma(momentum, u, normalised<kGradient>(g, g, s, none));
        }
    }

    /// One vector of weights after a step with gradients g; u and s as above.
    template <RuleKind kKind, bool kAdjusted>
    FASTMLP_INLINE Reg<S> updated(Reg<S> w, Reg<S> g, Reg<S>& u, Reg<S>& s) const {
        if constexpr (kAdjusted) {
            g = S::fma(l2, w, adjusted(g, w));
            w = S::mul(w, keep);
        }
        return S::fnma(rate, direction<kKind>(w, g, u, s), w);
    }
};

template <RuleKind kKind>
inline constexpr bool kHasFirst = kKind != RuleKind::kDescend && kKind != RuleKind::kRmsprop;
template <RuleKind kKind>
inline constexpr bool kHasSecond =
    kKind == RuleKind::kAdam || kKind == RuleKind::kRmsprop || kKind == RuleKind::kRmspropMomentum;

/// A rule's kind, and whether gradients are adjusted, as compile-time constants.
template <RuleKind kKind, bool kAdjusted>
struct ChosenRule {
    static constexpr RuleKind kind = kKind;
    static constexpr bool adjusted = kAdjusted;
};

/// Calls f with the `ChosenRule` of `rule`.
template <class T, class F>
FASTMLP_INLINE void with_rule(const UpdateRule<T>& rule, F f) {
    const auto by = [&]<RuleKind kKind>() FASTMLP_INLINE_LAMBDA {
        return rule.adjusted ? f(ChosenRule<kKind, true>{}) : f(ChosenRule<kKind, false>{});
    };
    switch (rule.kind) {
        case RuleKind::kDescend: return by.template operator()<RuleKind::kDescend>();
        case RuleKind::kMomentum: return by.template operator()<RuleKind::kMomentum>();
        case RuleKind::kNesterov: return by.template operator()<RuleKind::kNesterov>();
        case RuleKind::kAdam: return by.template operator()<RuleKind::kAdam>();
        case RuleKind::kRmsprop: return by.template operator()<RuleKind::kRmsprop>();
        case RuleKind::kRmspropMomentum:
            return by.template operator()<RuleKind::kRmspropMomentum>();
    }
}

/// What a step reads and writes: rows of weights and of both moments, ldw apart.
template <class S>
struct Updated {
    std::size_t rows, width;
    Scalar<S>*w, *first_moment, *second_moment;
    std::size_t ldw;
};

template <class S>
struct WholeVectors {
    static FASTMLP_INLINE Reg<S> load(const Scalar<S>* p) { return S::load(p); }
    static FASTMLP_INLINE void store(Scalar<S>* p, Reg<S> v) { S::store(p, v); }
};

/// The first `tail` elements of a vector.
template <class S>
struct PartsOfVectors {
    std::size_t tail;
    FASTMLP_INLINE Reg<S> load(const Scalar<S>* p) const { return S::load_partial(p, tail); }
    FASTMLP_INLINE void store(Scalar<S>* p, Reg<S> v) const { S::store_partial(p, v, tail); }
};

/// The step of one vector, from element `at` on; returns its new weights.
template <class Chosen, class S, class Access>
FASTMLP_INLINE Reg<S> update_vector(const Rule<S>& words, Updated<S> to, std::size_t at, Reg<S> g,
                                    Access access) {
    Reg<S> u = S::zero(), s = S::zero();
    if constexpr (kHasFirst<Chosen::kind>) u = access.load(to.first_moment + at);
    if constexpr (kHasSecond<Chosen::kind>) s = access.load(to.second_moment + at);
    const Reg<S> w =
        words.template updated<Chosen::kind, Chosen::adjusted>(access.load(to.w + at), g, u, s);
    access.store(to.w + at, w);
    if constexpr (kHasFirst<Chosen::kind>) access.store(to.first_moment + at, u);
    if constexpr (kHasSecond<Chosen::kind>) access.store(to.second_moment + at, s);
    return w;
}

/// `gradient` returns that of row r and the vector from column j on; `tail` of its elements, or all
/// if this is 0.
template <class S, class Chosen, class Gradient>
void update_rows(const UpdateRule<Scalar<S>>& rule, const Updated<S> to, Gradient gradient) {
    const Rule<S> words(rule);
    const std::size_t tail = to.width % S::kLanes, whole = to.width - tail;
    for (std::size_t r = 0; r < to.rows; ++r) {
        const std::size_t row = r * to.ldw;
        for (std::size_t j = 0; j < whole; j += S::kLanes) {
            update_vector<Chosen>(words, to, row + j, gradient(r, j, std::size_t{0}),
                                  WholeVectors<S>{});
        }
        if (tail == 0) continue;
        update_vector<Chosen>(words, to, row + whole, gradient(r, whole, tail),
                              PartsOfVectors<S>{tail});
    }
}

template <class S, class Gradient>
void update_with(const UpdateRule<Scalar<S>>& rule, const Updated<S>& to, Gradient gradient) {
    with_rule(rule, [&](auto chosen) { update_rows<S, decltype(chosen)>(rule, to, gradient); });
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
