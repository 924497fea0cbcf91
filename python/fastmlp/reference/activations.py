"""The activations h, the backward pass of delta through them, and their second derivatives.

Each has three functions: ``h(z)`` of (1.1), ``back(d, h)``, which turns d = dL/dh into delta =
dL/dz = d h'(z) (2.2), and ``curve(h)``, which is h''(z). The last two need h alone; but for gelu,
silu, mish and hardswish, where two z may have the same h, they take z. Activations made of
straight pieces have no ``curve``. Over 400 lines, as there are many activations with a few lines
each.
"""

import math
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, Self

from . import validation
from .dense import Row
from .sums import in_order, tree16

LEAK: Final = 0.01
"""The usual slope of leaky_relu below 0, and at 0."""

ALPHA: Final = 1.0
"""The usual alpha of elu."""


def relu(z: float) -> float:
    """Return +0 where z < 0, else z: -0 and NaN do not change."""
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


def sigmoid_curve(h: float) -> float:
    """Return h''(z) = h (1 - h) (1 - 2 h)."""
    return h * (1.0 - h) * (1.0 - 2.0 * h)


def tanh(z: float) -> float:
    """Return the hyperbolic tangent of z."""
    return math.tanh(z)


def tanh_back(d: float, h: float) -> float:
    """Multiply d by h'(z) = 1 - h^2."""
    return d * (1.0 - h * h)


def tanh_curve(h: float) -> float:
    """Return h''(z) = -2 h (1 - h^2)."""
    return (1.0 - h * h) * (-2.0 * h)


def identity(z: float) -> float:
    """Return z."""
    return z


def identity_back(d: float, _h: float) -> float:
    """Return d: h'(z) = 1."""
    return d


def leaky_relu(z: float, slope: float = LEAK) -> float:
    """Return slope z where z < 0, else z."""
    return slope * z if z < 0.0 else z


def leaky_relu_back(d: float, h: float, slope: float = LEAK) -> float:
    """Multiply d by 1 where z > 0, which is where h > 0, else by the slope: also at 0."""
    return d * (1.0 if h > 0.0 else slope)


def elu(z: float, alpha: float = ALPHA) -> float:
    """Return alpha (exp(z) - 1) where z < 0, else z (Clevert, Unterthiner, Hochreiter, 2015)."""
    return alpha * math.expm1(z) if z < 0.0 else z


def elu_back(d: float, h: float, alpha: float = ALPHA) -> float:
    """Multiply d by 1 where z > 0, else by alpha exp(z) = h + alpha: also at 0."""
    return d * (1.0 if h > 0.0 else h + alpha)


def elu_curve(h: float, alpha: float = ALPHA) -> float:
    """Return h''(z) = alpha exp(z) = h + alpha below 0 and at 0, 0 above."""
    return 0.0 if h > 0.0 else h + alpha


def selu(z: float) -> float:
    """Return elu with two factors that keep layers normalized (Klambauer et al., 2017)."""
    return SELU_BELOW * math.expm1(z) if z < 0.0 else SELU_ABOVE * z


def selu_back(d: float, h: float) -> float:
    """Multiply d by the factor where z > 0, else by its other factor times exp(z): also at 0."""
    return d * (SELU_ABOVE if h > 0.0 else h + SELU_BELOW)


def selu_curve(h: float) -> float:
    """Return h''(z), which is that of elu times the factor."""
    return 0.0 if h > 0.0 else h + SELU_BELOW


def gelu_tanh(z: float) -> float:
    """Return gelu with tanh for its integral: z sigmoid(v), v the argument of `gelu_argument`."""
    return z * sigmoid(gelu_argument(z)) if z > -math.inf else 0.0


def gelu_tanh_back(d: float, z: float) -> float:
    """Multiply d by h'(z) = s (1 + z v'(z) (1 - s)) with s = sigmoid(v)."""
    v = gelu_argument(z)
    if math.isinf(v):
        return d if z > 0.0 else d * 0.0
    derivative = 2.0 * math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * z * z)
    return d * (sigmoid(v) * (1.0 + z * derivative * sigmoid(-v)))


def gelu_tanh_curve(z: float) -> float:
    """Return h''(z) = s (1 - s) (2 v' + z v'' + z v'^2 (1 - 2 s)) with s = sigmoid(v)."""
    v = gelu_argument(z)
    if math.isinf(v):
        return 0.0
    factor = 2.0 * math.sqrt(2.0 / math.pi)
    first, second = factor * (1.0 + 3.0 * 0.044715 * z * z), factor * (6.0 * 0.044715 * z)
    bend = 2.0 * first + z * second + z * first * first * (sigmoid(-v) - sigmoid(v))
    return sigmoid(v) * sigmoid(-v) * bend


def gelu_argument(z: float) -> float:
    """Return v, for which tanh(v / 2) is about 2 Phi(z) - 1 (Hendrycks and Gimpel, 2016)."""
    return 2.0 * math.sqrt(2.0 / math.pi) * (z + 0.044715 * z * z * z)


def gelu(z: float) -> float:
    """Return z Phi(z), with the normal distribution Phi (Hendrycks and Gimpel, 2016)."""
    return z * normal(z)


def gelu_back(d: float, z: float) -> float:
    """Multiply d by h'(z) = Phi(z) + z phi(z)."""
    return d * (normal(z) + z * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))


def gelu_curve(z: float) -> float:
    """Return h''(z) = phi(z) (2 - z^2), with the density phi."""
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return density * (2.0 - z * z) if density else 0.0


def normal(z: float) -> float:
    """Return Phi(z), the cumulative distribution function of the normal distribution."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def silu(z: float) -> float:
    """Return z sigmoid(z) (Elfwing, Uchibe and Doya, 2017)."""
    return z * sigmoid(z)


def silu_back(d: float, z: float) -> float:
    """Multiply d by h'(z) = s (1 + z (1 - s)) with s = sigmoid(z)."""
    return d * (sigmoid(z) * (1.0 + z * sigmoid(-z)))


def silu_curve(z: float) -> float:
    """Return h''(z) = s (1 - s) (2 + z (1 - 2 s)) with s = sigmoid(z)."""
    slope = sigmoid(z) * sigmoid(-z)
    return slope * (2.0 + z * (sigmoid(-z) - sigmoid(z))) if slope else 0.0


def mish(z: float) -> float:
    """Return z tanh(softplus(z)) (Misra, 2019)."""
    return z * math.tanh(softplus(z)) if z > -math.inf else 0.0


def mish_back(d: float, z: float) -> float:
    """Multiply d by h'(z) = T + z (1 - T^2) sigmoid(z) with T = tanh(softplus(z))."""
    if math.isinf(z):
        return d if z > 0.0 else d * 0.0
    T = math.tanh(softplus(z))
    return d * (T + z * (1.0 - T * T) * sigmoid(z))


def mish_curve(z: float) -> float:
    """Return h''(z) = 2 T' + z T'' with T = tanh(softplus(z)), T' = (1 - T^2) s, s = sigmoid(z).

    1 - T^2 = 4 e / (1 + e)^2 with e = exp(-2 softplus(z)), and T'' = T' (1 - s - 2 T s).
    """
    e = math.exp(-2.0 * softplus(z))
    first = 4.0 * e / ((1.0 + e) * (1.0 + e)) * sigmoid(z)
    T = math.tanh(softplus(z))
    return first * (2.0 + z * (sigmoid(-z) - 2.0 * T * sigmoid(z))) if first else 0.0


def relu6(z: float) -> float:
    """Return relu(z), but at most 6 (Krizhevsky, 2010)."""
    h = relu(z)
    return min(h, 6.0)


def relu6_back(d: float, h: float) -> float:
    """Multiply d by 1 where 0 < z < 6, which is where 0 < h < 6, else by 0."""
    return d * (1.0 if 0.0 < h < 6.0 else 0.0)


def hardswish(z: float) -> float:
    """Return z relu6(z + 3) / 6 (Howard et al., 2019)."""
    return max(z, -3.0) * (relu6(z + 3.0) / 6.0)


def hardswish_back(d: float, z: float) -> float:
    """Multiply d by h'(z): 0 up to -3, 1 from 3, a line between."""
    return d * (0.0 if z <= -3.0 else 1.0 if z >= 3.0 else z / 3.0 + 0.5)


def hardswish_curve(z: float) -> float:
    """Return h''(z): 1/3 between -3 and 3."""
    return 1.0 / 3.0 if -3.0 < z < 3.0 else 0.0


def softplus(z: float) -> float:
    """Return log(1 + exp(z)); the exponential is of -abs(z): it cannot overflow."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def softplus_back(d: float, h: float) -> float:
    """Multiply d by h'(z) = sigmoid(z) = 1 - exp(-h)."""
    return d * -math.expm1(-h)


def softplus_curve(h: float) -> float:
    """Return h''(z) = sigmoid(z) sigmoid(-z), of which the second is exp(-h)."""
    return -math.expm1(-h) * math.exp(-h)


def exp(z: float) -> float:
    """Return exp(z), infinity if that is too large for a float."""
    try:
        return math.exp(z)
    except OverflowError:
        return math.inf


def exp_back(d: float, h: float) -> float:
    """Multiply d by h'(z) = h."""
    return d * h


def exp_curve(h: float) -> float:
    """Return h''(z) = h."""
    return h


SELU_ABOVE: Final = 1.0507009873554804934
"""The slope of selu above 0."""

SELU_BELOW: Final = 1.7580993408473768599
"""Minus what selu tends to below 0: 1.6732632423543772848 times its slope above."""

Function = Callable[..., float]
Back = Callable[..., float]


class Elementwise(NamedTuple):
    """The functions of an activation; ``curve`` is None where h'' is 0 on every piece."""

    function: Function
    back: Back
    curve: Function | None = None


ELEMENTWISE: Final[dict[str, Elementwise]] = {
    "relu": Elementwise(relu, relu_back),
    "leaky_relu": Elementwise(leaky_relu, leaky_relu_back),
    "elu": Elementwise(elu, elu_back, elu_curve),
    "selu": Elementwise(selu, selu_back, selu_curve),
    "gelu": Elementwise(gelu, gelu_back, gelu_curve),
    "gelu_tanh": Elementwise(gelu_tanh, gelu_tanh_back, gelu_tanh_curve),
    "silu": Elementwise(silu, silu_back, silu_curve),
    "mish": Elementwise(mish, mish_back, mish_curve),
    "relu6": Elementwise(relu6, relu6_back),
    "hardswish": Elementwise(hardswish, hardswish_back, hardswish_curve),
    "sigmoid": Elementwise(sigmoid, sigmoid_back, sigmoid_curve),
    "tanh": Elementwise(tanh, tanh_back, tanh_curve),
    "softplus": Elementwise(softplus, softplus_back, softplus_curve),
    "exp": Elementwise(exp, exp_back, exp_curve),
    "identity": Elementwise(identity, identity_back),
}
"""The activations of single nodes; only softmax depends on several."""

COMPUTED_FROM_Z: Final = ("gelu", "gelu_tanh", "silu", "mish", "hardswish")
"""The activations whose derivatives are computed from z, not from h."""

RECTIFIERS: Final = (
    *("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "mish", "relu6", "hardswish"),
)
"""The activations that are about 0 below 0 and z above: weights before them are larger."""

NAMES: Final = (*ELEMENTWISE, "softmax")
"""The names of all activations."""


class Activation(str):
    """The name of an activation, with its parameter. It equals the name."""

    __slots__ = ("parameter",)

    parameter: float

    def __new__(cls, name: str, parameter: float) -> Self:
        """Create it."""
        self = super().__new__(cls, name)
        self.parameter = parameter
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Activation, (str(self), self.parameter)


def LeakyReLU(negative_slope: float = 0.01) -> Activation:  # noqa: N802  (as in fastmlp)
    """Return leaky_relu with a slope, which is at least 0."""
    return Activation("leaky_relu", validation.not_negative("negative_slope", negative_slope))


def ELU(alpha: float = 1.0) -> Activation:  # noqa: N802
    """Return elu with an alpha, which is at least 0."""
    return Activation("elu", validation.not_negative("alpha", alpha))


def GELU(approximate: Literal["none", "tanh"] = "none") -> str:  # noqa: N802
    """Return gelu, or its approximation with tanh."""
    validation.choice("approximate", approximate, ("none", "tanh"))
    return "gelu" if approximate == "none" else "gelu_tanh"


def parameters(activation: str) -> tuple[float, ...]:
    """Return what the functions of an activation take after z, d or h."""
    return (activation.parameter,) if isinstance(activation, Activation) else ()


def softmax_parts(z: Row) -> tuple[float, Row, float]:
    """Compute the parts common to softmax and cross-entropy.

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
        One of `NAMES`, or an `Activation` with its parameter.
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
    function = ELEMENTWISE[str(name)].function
    return [function(value, *parameters(name)) for value in z]


def pass_back(name: str, d: Row, h: Row, z: Row) -> Row:
    """Compute delta = dL/dz from d = dL/dh (2.2).

    Parameters
    ----------
    name : str
        One of `NAMES`; softmax only for a loss whose derivative does not include it (2.9).
    d : list of float, shape (N,)
        dL/dh.
    h, z : list of float, shape (N,)
        The nodes of the layer, and the argument they were computed from.

    Returns
    -------
    list of float, shape (N,)
        d_n h'(z_n); for softmax h_n (d_n - sum(h d)), the sum in order.
    """
    if name == "softmax":
        total = in_order(h_n * d_n for h_n, d_n in zip(h, d, strict=True))
        return [h_n * (d_n - total) for h_n, d_n in zip(h, d, strict=True)]
    back = ELEMENTWISE[str(name)].back
    argument = z if name in COMPUTED_FROM_Z else h
    return [back(d_n, value, *parameters(name)) for d_n, value in zip(d, argument, strict=True)]


def bend_back(name: str, d: Row, h: Row, z: Row) -> Row | None:
    """Compute d h''(z), how much delta = d h'(z) changes with z.

    Parameters
    ----------
    name : str
        One of `NAMES` but softmax.
    d, h, z : list of float, shape (N,)
        dL/dh times a change of z, the nodes, and the argument they were computed from.

    Returns
    -------
    list of float, shape (N,), or None
        None for activations of straight pieces.
    """
    curve = ELEMENTWISE[str(name)].curve
    if curve is None:
        return None
    argument = z if name in COMPUTED_FROM_Z else h
    return [d_n * curve(value, *parameters(name)) for d_n, value in zip(d, argument, strict=True)]


def parameter_of(activation: str) -> float:
    """Return the slope or the alpha, the usual one of a name; 0 where there is none."""
    usual = {"leaky_relu": LEAK, "elu": ALPHA}
    return getattr(activation, "parameter", usual.get(activation, 0.0))
