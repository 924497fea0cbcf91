"""How far two computations of one training may be apart, as `test_against_reference` derives it."""

import math

import numpy as np

LAMBDA = 5  # the confidence of the bound, as there
_DISTURBANCE = 1e-9


def bound(results, roundings):
    """Return a bound for the difference of two results in float64 of `roundings` roundings each.

    ``results(disturb)`` returns them in one array, after ``disturb(net)`` if that is not None: it
    shows what becomes of a small change of the first parameters.
    """
    eps = float(np.finfo(float).eps)
    plain, moved = results(None), results(_disturb)
    growth = max(float(np.abs(plain).max()), float(np.abs(moved - plain).max()) / _DISTURBANCE)
    assert growth < 1e6 * max(1.0, float(np.abs(plain).max()))  # it says something
    return LAMBDA * math.sqrt(2 * roundings) * eps / 2 * growth


def _disturb(net):
    signs = np.random.default_rng(3).choice([-1, 1], net.n_parameters)
    net.parameters = np.array(net.parameters) * (1 + _DISTURBANCE * signs)
