"""The losses of one sample and their derivatives.

Definitions are PyTorch's with ``reduction="mean"``: the loss of a batch is the mean over its
samples; binary cross-entropy and squared error are also means over the outputs.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from . import validation
from .activations import softmax_parts
from .dense import Row
from .sums import tree16

Target: TypeAlias = int | Row
"""What a sample's outputs should be: a class label, or one number per output."""


def cross_entropy(z: Row, _h: Row, target: Target) -> float:
    """Return -sum_n y_n log(softmax(z)_n) (2.8), natural logarithm.

    It is computed as log(total) - (z_n - largest), which is finite where the softmax itself rounds
    to 0.
    """
    largest, _, total = softmax_parts(z)
    log_total = math.log(total)
    if isinstance(target, int):
        return log_total - (z[target] - largest)
    return tree16(
        y_n * (log_total - (z_n - largest)) for y_n, z_n in zip(target, z, strict=True)
    )


def cross_entropy_delta(h: Row, target: Target) -> Row:
    """Return dL/dz = h - y (2.9), for targets that sum to 1; in general h_n sum(y) - y_n."""
    if isinstance(target, int):
        return [h_n - (1.0 if n == target else 0.0) for n, h_n in enumerate(h)]
    total = tree16(target)
    return [h_n * total - y_n for h_n, y_n in zip(h, target, strict=True)]


def binary_cross_entropy(z: Row, _h: Row, target: Target) -> float:
    """Return the mean of -(y log h + (1 - y) log(1 - h)) with h = sigmoid(z).

    It is computed from z as max(z, 0) - z y + log(1 + exp(-\\|z\\|)), which is finite where h rounds
    to 0 or 1.
    """
    terms = [
        max(z_n, 0.0) - z_n * y_n + math.log1p(math.exp(-abs(z_n)))
        for z_n, y_n in zip(z, floats(target), strict=True)
    ]
    return tree16(terms) / len(z)


def binary_cross_entropy_delta(h: Row, target: Target) -> Row:
    """Return dL/dz = (h - y) / N: with sigmoid, as with softmax, h'(z) cancels."""
    inverse = 1.0 / len(h)
    return [(h_n - y_n) * inverse for h_n, y_n in zip(h, floats(target), strict=True)]


def mean_squared_error(_z: Row, h: Row, target: Target) -> float:
    """Return the mean of (h - y)^2 over the outputs."""
    errors = [h_n - y_n for h_n, y_n in zip(h, floats(target), strict=True)]
    return tree16(error * error for error in errors) / len(h)


def mean_squared_error_delta(h: Row, target: Target) -> Row:
    """Return dL/dh = 2 (h - y) / N; the factor h'(z) is still to come."""
    scale = 2.0 / len(h)
    return [scale * (h_n - y_n) for h_n, y_n in zip(h, floats(target), strict=True)]


class Loss(NamedTuple):
    """A loss and its derivative, side by side.

    Attributes
    ----------
    value : callable
        ``value(z, h, target)``: the loss of a sample, from the output layer's z and h(z).
    delta : callable
        ``delta(h, target)``: dL/dz if `fused`, else dL/dh.
    fused : bool
        Whether the derivative of the activation is already part of `delta`.
    outputs : tuple of str
        The activations of the last layer that the loss fits.
    """

    value: Callable[[Row, Row, Target], float]
    delta: Callable[[Row, Target], Row]
    fused: bool
    outputs: tuple[str, ...]


LOSSES: Final[dict[str, Loss]] = {
    "cross_entropy": Loss(cross_entropy, cross_entropy_delta, True, ("softmax",)),
    "binary_cross_entropy": Loss(
        binary_cross_entropy, binary_cross_entropy_delta, True, ("sigmoid",)
    ),
    "mean_squared_error": Loss(
        mean_squared_error,
        mean_squared_error_delta,
        False,
        ("identity", "relu", "sigmoid", "tanh"),
    ),
}
"""All losses by name; the first that fits an output is its default."""


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


def floats(target: Target) -> Row:
    """Return a target that is known not to be a label."""
    if isinstance(target, int):
        raise TypeError("a class label goes with cross_entropy only")
    return target
