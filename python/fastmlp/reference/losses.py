"""The losses of one sample and their derivatives.

Definitions are PyTorch's with ``reduction="mean"``: the loss of a batch is the mean over its
samples; binary cross-entropy and squared error are also means over the outputs. A class label t is
the row of targets that is 1 at t and 0 elsewhere.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from . import validation
from .activations import softmax_parts
from .dense import Row
from .sums import tree16


def cross_entropy(z: Row, _h: Row, y: Row) -> float:
    """Return -sum_n y_n log(softmax(z)_n) (2.8), with the natural logarithm.

    -log(softmax(z)_n) is computed as log(total) - (z_n - largest), which is finite where the
    softmax itself rounds to 0.
    """
    largest, _, total = softmax_parts(z)
    log_total = math.log(total)
    return tree16(y_n * (log_total - (z_n - largest)) for y_n, z_n in zip(y, z, strict=True))


def cross_entropy_delta(h: Row, y: Row) -> Row:
    """Return dL/dz = h - y (2.9), for targets that sum to 1; in general h_n sum(y) - y_n."""
    total = tree16(y)
    return [h_n * total - y_n for h_n, y_n in zip(h, y, strict=True)]


def binary_cross_entropy(z: Row, _h: Row, y: Row) -> float:
    """Return the mean of -(y log h + (1 - y) log(1 - h)) over the outputs, h = sigmoid(z).

    It is computed from z as max(z, 0) - z y + log(1 + exp(-abs(z))), which is finite where h rounds
    to 0 or 1.
    """
    terms = [
        max(z_n, 0.0) - z_n * y_n + math.log1p(math.exp(-abs(z_n)))
        for z_n, y_n in zip(z, y, strict=True)
    ]
    return tree16(terms) / len(z)


def binary_cross_entropy_delta(h: Row, y: Row) -> Row:
    """Return dL/dz = (h - y) / N: with sigmoid, as with softmax, h'(z) cancels."""
    inverse = 1.0 / len(h)
    return [(h_n - y_n) * inverse for h_n, y_n in zip(h, y, strict=True)]


def mean_squared_error(_z: Row, h: Row, y: Row) -> float:
    """Return the mean of (h - y)^2 over the outputs."""
    errors = [h_n - y_n for h_n, y_n in zip(h, y, strict=True)]
    return tree16(error * error for error in errors) / len(h)


def mean_squared_error_delta(h: Row, y: Row) -> Row:
    """Return dL/dh = 2 (h - y) / N; the factor h'(z) of (2.2) is still to come."""
    scale = 2.0 / len(h)
    return [scale * (h_n - y_n) for h_n, y_n in zip(h, y, strict=True)]


class Loss(NamedTuple):
    """A loss and its derivative.

    Attributes
    ----------
    value : callable
        ``value(z, h, y)``: the loss of a sample, from the last layer's z and nodes h, and the
        targets y, all of shape (N,).
    delta : callable
        ``delta(h, y)``, shape (N,): dL/dz if `fused`, else dL/dh.
    fused : bool
        Whether h'(z) is already part of `delta`.
    outputs : tuple of str
        The activations of the last layer that the loss fits.
    """

    value: Callable[[Row, Row, Row], float]
    delta: Callable[[Row, Row], Row]
    fused: bool
    outputs: tuple[str, ...]


LOSSES: Final[dict[str, Loss]] = {
    "cross_entropy": Loss(
        cross_entropy,
        cross_entropy_delta,
        fused=True,
        outputs=("softmax",),
    ),
    "binary_cross_entropy": Loss(
        binary_cross_entropy,
        binary_cross_entropy_delta,
        fused=True,
        outputs=("sigmoid",),
    ),
    "mean_squared_error": Loss(
        mean_squared_error,
        mean_squared_error_delta,
        fused=False,
        outputs=("identity", "relu", "sigmoid", "tanh"),
    ),
}
"""All losses by name. The first that fits an output is its default."""


def choose_loss(loss: object, output: str) -> str:
    """Return the name of the loss: the one given, if it fits `output`, or the default of `output`.

    Parameters
    ----------
    loss : str or None
        A key of `LOSSES`, or None for the default.
    output : str
        The activation of the last layer.

    Raises
    ------
    TypeError
        If `loss` is neither a string nor None.
    ValueError
        If `loss` is unknown or does not fit `output`.
    """
    fitting = [name for name, entry in LOSSES.items() if output in entry.outputs]
    if loss is None:
        return fitting[0]
    name = validation.choice("loss", loss, tuple(LOSSES))
    if name not in fitting:
        raise ValueError(
            f"loss={name!r} does not fit an output of {output!r}; "
            f"allowed: {', '.join(map(repr, fitting))}"
        )
    return name


def is_right(loss: str, z: Row, y: Row) -> list[bool]:
    """Tell which decisions of a sample are right.

    Parameters
    ----------
    loss : str
        A key of `LOSSES`.
    z : list of float, shape (N,)
        The argument of the last activation, which is as large as where the output is.
    y : list of float, shape (N,)
        The targets.

    Returns
    -------
    list of bool
        Cross-entropy: one, whether the first largest output is the first largest target. Binary
        cross-entropy: one per output, whether it is above 1/2, that is z above 0, where the target
        is. Squared error decides nothing: empty.
    """
    if loss == "cross_entropy":
        return [z.index(max(z)) == y.index(max(y))]
    if loss == "binary_cross_entropy":
        return [(z_n > 0.0) == (y_n > 0.5) for z_n, y_n in zip(z, y, strict=True)]
    return []
