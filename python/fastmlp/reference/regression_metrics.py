"""Metrics of regression; the definitions are scikit-learn's.

Every metric is ``f(y, h, w)``: rows of targets (B, N), rows of outputs (B, N), a weight per sample.
It is averaged over the outputs.
"""

import math
from collections.abc import Callable

from .dense import Matrix, Row
from .metrics import average, mean, total

EPS64 = 2.0**-52


def per_output(y: Matrix, h: Matrix, metric: Callable[[Row, Row], float]) -> float:
    """Return the average over the outputs of ``metric(targets, outputs)`` of one output."""
    columns = zip(zip(*y, strict=True), zip(*h, strict=True), strict=True)
    return average(metric(list(t), list(o)) for t, o in columns)


def squares(t: Row, o: Row) -> Row:
    """Return the squared errors of an output."""
    return [(b - a) * (b - a) for a, b in zip(t, o, strict=True)]


def mse(y: Matrix, h: Matrix, w: Row) -> float:
    """Return the mean squared error."""
    return per_output(y, h, lambda t, o: mean(squares(t, o), w))


def rmse(y: Matrix, h: Matrix, w: Row) -> float:
    """Return the root of the mean squared error of each output."""
    return per_output(y, h, lambda t, o: math.sqrt(mean(squares(t, o), w)))


def mae(y: Matrix, h: Matrix, w: Row) -> float:
    """Return the mean absolute error."""
    return per_output(y, h, lambda t, o: mean([abs(b - a) for a, b in zip(t, o, strict=True)], w))


def mape(y: Matrix, h: Matrix, w: Row) -> float:
    """Return the mean of |error| / |y|; a target of 0 counts as eps."""

    def of_output(t: Row, o: Row) -> float:
        return mean([abs(b - a) / max(abs(a), EPS64) for a, b in zip(t, o, strict=True)], w)

    return per_output(y, h, of_output)


def r2(y: Matrix, h: Matrix, w: Row) -> float:
    """Return 1 - squared errors over the spread of the targets; 1 or 0 for constant targets.

    For one sample it is NaN.
    """
    if len(w) < 2:
        return math.nan

    def of_output(t: Row, o: Row) -> float:
        middle = mean(t, w)
        left = total(a * b for a, b in zip(w, squares(t, o), strict=True))
        spread = total(a * ((b - middle) * (b - middle)) for a, b in zip(w, t, strict=True))
        if len({b for a, b in zip(w, t, strict=True) if a > 0}) < 2:
            spread = 0.0  # the rounded mean of equal numbers may differ from them
        return 1 - left / spread if spread else float(left == 0)

    return per_output(y, h, of_output)
