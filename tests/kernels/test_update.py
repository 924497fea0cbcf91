"""The kernel `update`: the formulas of docs/arithmetic.md to the bit, on every instruction set."""

import numpy as np
import pytest
from update_rules import ADJUSTED, PLAIN, STEPS, moments_of, settings_of

WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65]


def adjusted(r, g, w):
    g = np.maximum(-r["limit"], np.minimum(r["limit"], g * r["shrink"]))
    return g + np.where(w == 0, g.dtype.type(0), np.copysign(r["l1"], w))


def wanted(step, r, g, w, u, s, fma):
    """One step in NumPy: the new w, u and s."""

    def normalised(u, s):
        return u / (np.sqrt(s) + r["epsilon"])

    def velocity(u):
        return fma(r["momentum"], u, r["gain"] * g)

    g, w = fma(r["l2"], w, g), w * r["keep"]
    way = g
    if step == "momentum":
        way = u = velocity(u)
    elif step == "nesterov":
        u = velocity(u)
        way = velocity(u)
    elif step != "descend":
        s = fma(r["square_decay"], s, r["square_gain"] * g * g)
        if step == "adam":
            u = fma(r["mean_gain"], g - u, u)
            way = normalised(u, s)
        elif step == "rmsprop":
            way = normalised(g, s)
        else:
            way = u = fma(r["momentum"], u, normalised(g, s))
    return fma(-r["rate"], way, w), u, s


@pytest.fixture
def arrays(guarded, rng, dtype):
    """Make gradients, weights and state that end at a guarded page, with gaps between the rows."""

    def made(width):
        g = guarded("g", (3, width), dtype, gap=5)
        w, u, s = (guarded(name, (3, width), dtype, gap=2) for name in "wus")
        for array in (g, w, u):
            array[:] = rng.standard_normal(array.shape)
        s[:] = rng.random(s.shape)
        w[0, 0], g[1, 0] = 0, 0  # l1 of a weight of 0 is 0
        return g, w, u, s

    return made


@pytest.mark.parametrize("rule", [PLAIN, ADJUSTED], ids=["plain", "adjusted"])
@pytest.mark.parametrize("step", STEPS)
def test_every_step(kernels, arrays, fma, dtype, step, rule):
    T = np.dtype(dtype).type
    words = {name: T(value) for name, value in (ADJUSTED | {"l2": 0, "keep": 1} | rule).items()}
    for width in WIDTHS:
        g, w, u, s = arrays(width)
        gradient = adjusted(words, g, w) if rule is ADJUSTED else g
        expected = wanted(step, words, gradient, w.copy(), u.copy(), s.copy(), fma)
        kernels.update(*settings_of(step, rule), g, w, *moments_of(step, u, s))
        for got, array in zip((w, u, s), expected, strict=True):
            assert np.ascontiguousarray(got).tobytes() == array.tobytes(), width


@pytest.mark.parametrize("step", STEPS)
def test_of_one_row(kernels, arrays, guarded, rng, dtype, step):
    """The same as `update` with the gradients that `outer` stores for one sample."""
    for rule in (PLAIN, ADJUSTED):
        for width in WIDTHS:
            _, w, u, s = arrays(width)
            a, v = guarded("a", (3,), dtype), guarded("v", (width,), dtype)
            a[:], v[:] = rng.standard_normal(3), rng.standard_normal(width)
            v[::5], a[1] = -0.0, 0.0
            scale, g = 0.7, np.empty((3, -(-width // 16) * 16), dtype)
            kernels.outer(a[None], 0, 3, v[None], 0, width, None, scale, 0.0, True, g)
            g = np.ascontiguousarray(g[:, :width])
            settings = settings_of(step, rule)
            wanted_w, wanted_u, wanted_s = w.copy(), u.copy(), s.copy()
            kernels.update(*settings, g, wanted_w, *moments_of(step, wanted_u, wanted_s))
            kernels.update_of_one(*settings, a, v, scale, w, *moments_of(step, u, s))
            for got, expected in ((w, wanted_w), (u, wanted_u), (s, wanted_s)):
                assert np.ascontiguousarray(got).tobytes() == expected.tobytes(), width


@pytest.mark.parametrize("epsilon", [1e-8, 1e-20, 1e5])
@pytest.mark.parametrize("step", ["adam", "rmsprop", "rmsprop_momentum"])
@pytest.mark.parametrize("of_weights", [False, True])
def test_quotients_of_subnormal_numbers(kernels, guarded, rng, dtype, step, epsilon, of_weights):
    """Of every size from 0 over subnormal to normal numbers; this rule leaves u and s alone."""
    T, least = np.dtype(dtype).type, float(np.finfo(dtype).smallest_normal)
    rule = PLAIN | {"rate": 1.0, "momentum": 0.0, "mean_gain": 0.0}
    rule |= {"square_decay": 1.0, "square_gain": 0.0, "epsilon": epsilon}
    smallest = np.log2(float(np.finfo(dtype).smallest_subnormal))
    for width in (1, 16, 33, 400):
        g, w, u, s = (guarded(name, (3, width), dtype, gap=2) for name in "gwus")
        for array in (g, u, s):
            exponents = rng.uniform(smallest - 1, np.log2(least) + 40, array.shape)
            array[:] = np.exp2(exponents) * rng.choice([1, 0], array.shape, p=[0.9, 0.1])
        for array in (g, u):
            array[:] *= rng.choice([1, -1], array.shape).astype(dtype)
        s[rng.random(s.shape) < 0.3] = T(3)  # quotients that are subnormal
        numerator = u.copy() if step == "adam" else g
        way = numerator / (np.sqrt(s) + T(epsilon))
        # From a weight of a normal size, a subnormal quotient changes nothing.
        weights = [0, least, -1, 5e4] if of_weights else [0]
        w[:] = rng.choice(np.array(weights, dtype), w.shape)
        expected = w - way
        has_u = step != "rmsprop"
        kernels.update(STEPS.index(step), False, rule, g, w, u if has_u else None, s)
        assert np.ascontiguousarray(w).tobytes() == expected.tobytes(), width


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(kernels, dtype, bad):
    """Clipping bounds an infinity and lets a NaN through: a loss that diverged must be noticed."""
    g, w = np.full((1, 17), bad, dtype), np.ones((1, 17), dtype)
    kernels.update(0, True, {"rate": 1.0, "limit": 0.5}, g, w, None, None)
    expected = np.nan if np.isnan(bad) else 1 - np.copysign(0.5, bad)
    np.testing.assert_array_equal(w, np.full((1, 17), expected, dtype))


@pytest.mark.parametrize("gain", [0.0, 0.125, 0.4999, 0.5, 0.7, 1.0])
def test_approach(kernels, guarded, rng, fma, dtype, gain):
    T = np.dtype(dtype).type
    for width in WIDTHS:
        g, u = (guarded(name, (1, width), dtype)[0] for name in "gu")
        g[:], u[:] = rng.standard_normal((2, width))
        expected = fma(T(gain), g - u, u) if T(gain) < 0.5 else fma(T(gain) - T(1), g - u, g)
        if gain in (0.0, 1.0):
            np.testing.assert_array_equal(expected, g if gain else u)
        kernels.approach(float(gain), g, u)
        np.testing.assert_array_equal(u, expected)
