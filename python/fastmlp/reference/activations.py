"""The activations h, and how delta passes back through them.

Each stands as a pair: ``h(z)`` of (1.1), and ``back(d, h)``, which turns d = dL/dh into
delta = dL/dz = d h'(z) (2.2), from h alone.
"""

import math
from collections.abc import Callable
from typing import Final

from .dense import Row
from .sums import tree16


def relu(z: float) -> float:
    """Return +0 where z < 0, else z: -0 and NaN stay what they are."""
    if z < 0.0:
        return 0.0
    return z


def relu_back(d: float, h: float) -> float:
    """Return d where z > 0, which is where h > 0, else +0 (2.12); NaN counts as above 0."""
    if h <= 0.0:
        return 0.0
    return d


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z)); the exponential is of -abs(z): it cannot overflow."""
    e = math.exp(-abs(z))
    return 1.0 / (1.0 + e) if z >= 0.0 else e / (1.0 + e)


def sigmoid_back(d: float, h: float) -> float:
    """Multiply d by h'(z) = h (1 - h)."""
    return d * (h * (1.0 - h))


def tanh(z: float) -> float:
    """Return the hyperbolic tangent of z."""
    return math.tanh(z)


def tanh_back(d: float, h: float) -> float:
    """Multiply d by h'(z) = 1 - h^2."""
    return d * (1.0 - h * h)


def identity(z: float) -> float:
    """Return z."""
    return z


def identity_back(d: float, _h: float) -> float:
    """Return d: h'(z) = 1."""
    return d


Function = Callable[[float], float]
Back = Callable[[float, float], float]

ELEMENTWISE: Final[dict[str, tuple[Function, Back]]] = {
    "relu": (relu, relu_back),
    "sigmoid": (sigmoid, sigmoid_back),
    "tanh": (tanh, tanh_back),
    "identity": (identity, identity_back),
}
"""The activations that look at one node at a time; softmax is the one that does not."""

NAMES: Final = (*ELEMENTWISE, "softmax")
"""The names of all activations."""


def softmax_parts(z: Row) -> tuple[float, Row, float]:
    """Compute what softmax and cross-entropy share.

    Parameters
    ----------
    z : list of float, shape (N,)
        The argument of softmax.

    Returns
    -------
    largest : float
        The largest z; subtracting it changes no probability and keeps exp from overflowing.
    exponentials : list of float, shape (N,)
        exp(z_n - largest).
    total : float
        Their sum, at least 1.
    """
    largest = max(z)
    exponentials = [math.exp(value - largest) for value in z]
    return largest, exponentials, tree16(exponentials)


def activate(name: str, z: Row) -> Row:
    """Compute the nodes h(z) of a layer (1.1).

    Parameters
    ----------
    name : str
        One of `NAMES`.
    z : list of float, shape (N,)
        The argument of the activation (2.1).

    Returns
    -------
    list of float, shape (N,)
        The nodes.
    """
    if name == "softmax":
        _, exponentials, total = softmax_parts(z)
        inverse = 1.0 / total
        return [e * inverse for e in exponentials]
    function, _ = ELEMENTWISE[name]
    return [function(value) for value in z]


def pass_back(name: str, d: Row, h: Row) -> Row:
    """Compute delta = dL/dz from d = dL/dh (2.2).

    Parameters
    ----------
    name : str
        A key of `ELEMENTWISE`; the delta of softmax is a matter of its loss (2.9).
    d : list of float, shape (N,)
        dL/dh.
    h : list of float, shape (N,)
        The nodes of the layer.

    Returns
    -------
    list of float, shape (N,)
        d_n h'(z_n).
    """
    _, back = ELEMENTWISE[name]
    return [back(d_n, h_n) for d_n, h_n in zip(d, h, strict=True)]
