"""The losses of one sample and their derivatives.

Definitions are PyTorch's with ``reduction="mean"``: the loss of a batch is the mean over its
samples; all losses except cross-entropy are also means over the outputs. A class label t is the row
of targets that is 1 at t and 0 elsewhere.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from .activations import ELEMENTWISE, softmax_parts
from .dense import Row
from .sums import in_order, tree16


def cross_entropy(z: Row, _h: Row, y: Row, smoothing: float) -> float:
    """Return -sum_n y_n log(softmax(z)_n) (2.8), with the natural logarithm.

    -log(softmax(z)_n) is computed as log(total) - (z_n - largest), which is finite even if the
    softmax rounds to 0. The targets are smoothed first.
    """
    largest, _, total = softmax_parts(z)
    log_total = math.log(total)
    smooth = smoothed(y, smoothing)
    return tree16(y_n * (log_total - (z_n - largest)) for y_n, z_n in zip(smooth, z, strict=True))


def cross_entropy_delta(h: Row, y: Row, smoothing: float) -> Row:
    """Return dL/dz = h - y (2.9), for targets that sum to 1; in general h_n sum(y) - y_n."""
    smooth = smoothed(y, smoothing)
    total = tree16(smooth)
    return [h_n * total - y_n for h_n, y_n in zip(h, smooth, strict=True)]


def cross_entropy_change(_h: Row, y: Row, change: Row, smoothing: float) -> Row:
    """Return the change of dL/dz: that of h, times the sum of the smoothed targets."""
    total = (1.0 - smoothing) * in_order(y) + smoothing
    return [total * change_n for change_n in change]


def smoothed(y: Row, smoothing: float) -> Row:
    """Return the targets (1 - smoothing) y + smoothing / N (Szegedy et al., 2016)."""
    return [(1.0 - smoothing) * y_n + smoothing / len(y) for y_n in y]


def binary_cross_entropy(z: Row, _h: Row, y: Row, _: float) -> float:
    """Return the mean of -(y log h + (1 - y) log(1 - h)) over the outputs, h = sigmoid(z).

    It is computed from z as max(z, 0) - z y + log(1 + exp(-abs(z))), which is finite even if h
    rounds to 0 or 1.
    """
    terms = [
        max(z_n, 0.0) - z_n * y_n + math.log1p(math.exp(-abs(z_n)))
        for z_n, y_n in zip(z, y, strict=True)
    ]
    return tree16(terms) / len(z)


def poisson(z: Row, h: Row, y: Row, _: float) -> float:
    """Return the mean of exp(z) - y z over the outputs: Poisson's -log P(y) without log(y!)."""
    return tree16(h_n - y_n * z_n for z_n, h_n, y_n in zip(z, h, y, strict=True)) / len(z)


def mean_error_delta(h: Row, y: Row, _: float) -> Row:
    """Return dL/dz = (h - y) / N: with sigmoid and exp, as with softmax, h'(z) cancels."""
    inverse = 1.0 / len(h)
    return [(h_n - y_n) * inverse for h_n, y_n in zip(h, y, strict=True)]


def mean_error_change(_h: Row, _y: Row, change: Row, _: float) -> Row:
    """Return the change of dL/dz: that of h divided by N."""
    inverse = 1.0 / len(change)
    return [change_n * inverse for change_n in change]


def mean_squared_error(_z: Row, h: Row, y: Row, _: float) -> float:
    """Return the mean of (h - y)^2 over the outputs."""
    return tree16(e * e for e in errors(h, y)) / len(h)


def mean_squared_error_delta(h: Row, y: Row, _: float) -> Row:
    """Return dL/dh = 2 (h - y) / N; without the factor h'(z) of (2.2)."""
    scale = 2.0 / len(h)
    return [scale * e for e in errors(h, y)]


def mean_squared_error_change(_h: Row, _y: Row, change: Row, _: float) -> Row:
    """Return the change of dL/dh: 2 / N times that of h."""
    scale = 2.0 / len(change)
    return [scale * change_n for change_n in change]


def mean_absolute_error(_z: Row, h: Row, y: Row, _: float) -> float:
    """Return the mean of abs(h - y) over the outputs."""
    return tree16(abs(e) for e in errors(h, y)) / len(h)


def mean_absolute_error_delta(h: Row, y: Row, _: float) -> Row:
    """Return dL/dh, the sign of h - y divided by N: 0 where they are equal."""
    inverse = 1.0 / len(h)
    return [by_sign(e, 1.0, -1.0) * inverse for e in errors(h, y)]


def no_change(_h: Row, _y: Row, change: Row, _: float) -> Row:
    """Return the change of dL/dh where the loss is made of straight pieces: 0."""
    return [0.0] * len(change)


def huber(_z: Row, h: Row, y: Row, delta: float) -> float:
    """Return the mean of e^2 / 2 where abs(e) <= delta, else delta (abs(e) - delta / 2).

    Both are c (e - c / 2), with e = h - y and c the error clipped to [-delta, delta].
    """
    return tree16(cut(e, delta) * (e - 0.5 * cut(e, delta)) for e in errors(h, y)) / len(h)


def huber_delta(h: Row, y: Row, delta: float) -> Row:
    """Return dL/dh = cut(h - y) / N."""
    inverse = 1.0 / len(h)
    return [cut(e, delta) * inverse for e in errors(h, y)]


def huber_change(h: Row, y: Row, change: Row, delta: float) -> Row:
    """Return the change of dL/dh: that of h divided by N where abs(h - y) <= delta, else 0."""
    inverse = 1.0 / len(h)
    each = zip(errors(h, y), change, strict=True)
    return [inverse * change_n if abs(e) <= delta else 0.0 for e, change_n in each]


def quantile(_z: Row, h: Row, y: Row, q: float) -> float:
    """Return the mean of (1 - q) (h - y) where h > y, else q (y - h)."""
    return tree16(by_sign(e, 1.0 - q, -q) * e for e in errors(h, y)) / len(h)


def quantile_delta(h: Row, y: Row, q: float) -> Row:
    """Return dL/dh = (1 - q) / N where h > y, -q / N where h < y, and 0 where they are equal."""
    inverse = 1.0 / len(h)
    return [by_sign(e, 1.0 - q, -q) * inverse for e in errors(h, y)]


def weighted(
    value: Callable[[Row, Row, Row, float], float],
    z: Row,
    h: Row,
    y: Row,
    parameters: Row,
    weights: Row,
) -> float:
    """Return a loss that is a mean over the outputs, the loss of each times its weight.

    That of an output of weight 0 is left out, even if it is infinite or NaN.
    """
    outputs = zip(z, h, y, parameters, weights, strict=True)
    terms = [w * value([z_n], [h_n], [y_n], p) if w else 0.0 for z_n, h_n, y_n, p, w in outputs]
    return tree16(terms) / len(weights)


def weigh(rows: list[Row], weights: Row) -> list[Row]:
    """Return rows (B, N) with each output times its weight, 0 for those of weight 0."""
    return [[x * w if w else 0.0 for x, w in zip(row, weights, strict=True)] for row in rows]


def errors(h: Row, y: Row) -> Row:
    """Return h - y."""
    return [h_n - y_n for h_n, y_n in zip(h, y, strict=True)]


def cut(error: float, width: float) -> float:
    """Return the error, clipped to [-width, width]."""
    return max(-width, min(width, error))


def by_sign(error: float, above: float, below: float) -> float:
    """Return `above` where error > 0, `below` where error < 0, else the error."""
    return above if error > 0.0 else below if error < 0.0 else error


class Loss(NamedTuple):
    """A loss and its derivatives.

    Attributes
    ----------
    value : callable
        ``value(z, h, y, parameter)``: the loss of a sample, from the last layer's z and nodes h,
        and the targets y, all of shape (N,).
    delta : callable
        ``delta(h, y, parameter)``, shape (N,): dL/dz if `fused`, else dL/dh.
    change : callable
        ``change(h, y, change, parameter)``, shape (N,): the change of `delta` for a small change of
        h, which is the product with its derivative by h. Piecewise, where there are kinks.
    fused : bool
        Whether h'(z) is already part of `delta`.
    outputs : tuple of str
        The activations of the last layer that the loss can be used with.
    usual : float
        The default parameter: label smoothing, Huber's delta or the quantile.
    """

    value: Callable[[Row, Row, Row, float], float]
    delta: Callable[[Row, Row, float], Row]
    change: Callable[[Row, Row, Row, float], Row]
    fused: bool
    outputs: tuple[str, ...]
    usual: float = 0.0


ANY: Final = tuple(ELEMENTWISE)

LOSSES: Final[dict[str, Loss]] = {
    "cross_entropy": Loss(
        cross_entropy, cross_entropy_delta, cross_entropy_change, True, ("softmax",)
    ),
    "binary_cross_entropy": Loss(
        binary_cross_entropy, mean_error_delta, mean_error_change, True, ("sigmoid",)
    ),
    "poisson": Loss(poisson, mean_error_delta, mean_error_change, True, ("exp",)),
    "mean_squared_error": Loss(
        mean_squared_error, mean_squared_error_delta, mean_squared_error_change, False, ANY
    ),
    "mean_absolute_error": Loss(
        mean_absolute_error, mean_absolute_error_delta, no_change, False, ANY
    ),
    "huber": Loss(huber, huber_delta, huber_change, False, ANY, usual=1.0),
    "quantile": Loss(quantile, quantile_delta, no_change, False, ANY, usual=0.5),
}
"""All losses by name. The default of an output is the first that it can be used with."""


def is_right(loss: str, z: Row, y: Row) -> list[bool]:
    """Return which decisions of a sample are correct.

    Parameters
    ----------
    loss : str
        A key of `LOSSES`.
    z : list of float, shape (N,)
        The argument of the last activation, which is largest where the output is.
    y : list of float, shape (N,)
        The targets.

    Returns
    -------
    list of bool
        Cross-entropy: one, whether the first largest output is the first largest target. Binary
        cross-entropy: one per output, whether it is above 1/2, that is z above 0, where the target
        is. Other losses have no decisions: empty.
    """
    if loss == "cross_entropy":
        return [z.index(max(z)) == y.index(max(y))]
    if loss == "binary_cross_entropy":
        return [(z_n > 0.0) == (y_n > 0.5) for z_n, y_n in zip(z, y, strict=True)]
    return []
