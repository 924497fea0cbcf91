"""The activations h in ``nodes = h(z)`` (1.2), by name or with a parameter."""

from typing import Final, Literal, Self, TypeAlias, get_args

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments

ActivationName: TypeAlias = Literal[
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "relu6",
    "hardswish",
    "sigmoid",
    "tanh",
    "softplus",
    "exp",
    "identity",
    "softmax",
]
ACTIVATIONS: Final[tuple[ActivationName, ...]] = get_args(ActivationName)
"""The names of h in ``nodes = h(z)`` (1.2). leaky_relu has a negative slope of 0.01, elu an alpha
of 1; gelu is the form with erf, gelu_tanh approximates it. Softmax is for the output layer only."""

_USUAL: Final[dict[str, float]] = {"leaky_relu": 0.01, "elu": 1.0}
"""The parameters of activations that are given by their name."""


class Activation(str):
    """The name of an activation, with its parameter. It equals the name.

    Two of them are equal if their parameters are equal, too.
    """

    __slots__ = ("parameter",)

    parameter: float

    def __new__(cls, name: str, parameter: float) -> Self:
        """Create it, after checks."""
        self = super().__new__(cls, name)
        self.parameter = parameter
        return self

    def __eq__(self, other: object) -> bool:
        same = not isinstance(other, Activation) or self.parameter == other.parameter
        return same and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


@hints_at_arguments
class LeakyReLU(Activation):
    """Leaky ReLU: z where z > 0, else ``negative_slope * z``.

    Parameters
    ----------
    negative_slope : float, default 0.01
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If `negative_slope` is not such a number.

    Examples
    --------
    >>> Dense(32, LeakyReLU(negative_slope=0.2))
    Dense(nodes=32, activation=LeakyReLU(negative_slope=0.2))
    """

    __slots__ = ()

    def __new__(cls, negative_slope: float = _USUAL["leaky_relu"]) -> Self:
        """Create it, after checks."""
        slope = _validation.not_negative("negative_slope", negative_slope)
        return Activation.__new__(cls, "leaky_relu", slope)

    @property
    def negative_slope(self) -> float:
        """The slope below 0."""
        return self.parameter

    def __repr__(self) -> str:
        return f"LeakyReLU(negative_slope={self.parameter!r})"

    def __reduce__(self) -> tuple[type, tuple[float]]:
        return LeakyReLU, (self.parameter,)


@hints_at_arguments
class ELU(Activation):
    """Exponential linear unit: z where z > 0, else ``alpha * (exp(z) - 1)``.

    Parameters
    ----------
    alpha : float, default 1.0
        At least 0; far below 0 the activation is -alpha.

    Raises
    ------
    TypeError, ValueError
        If `alpha` is not such a number.

    Examples
    --------
    >>> Dense(32, ELU(alpha=0.5))
    Dense(nodes=32, activation=ELU(alpha=0.5))
    """

    __slots__ = ()

    def __new__(cls, alpha: float = _USUAL["elu"]) -> Self:
        """Create it, after checks."""
        return Activation.__new__(cls, "elu", _validation.not_negative("alpha", alpha))

    @property
    def alpha(self) -> float:
        """Minus the limit far below 0."""
        return self.parameter

    def __repr__(self) -> str:
        return f"ELU(alpha={self.parameter!r})"

    def __reduce__(self) -> tuple[type, tuple[float]]:
        return ELU, (self.parameter,)


@hints_at_arguments
class GELU(Activation):
    """Gaussian error linear unit: z Phi(z), or its approximation with tanh.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default "none"
        ``"tanh"`` is ``z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2``, the activation
        ``"gelu_tanh"``; ``"none"`` is ``"gelu"``.

    Raises
    ------
    TypeError, ValueError
        If `approximate` is neither.

    Examples
    --------
    >>> Dense(32, GELU(approximate="tanh"))
    Dense(nodes=32, activation='gelu_tanh')
    """

    __slots__ = ()

    def __new__(cls, approximate: Literal["none", "tanh"] = "none") -> Self:
        """Create it, after checks."""
        _validation.choice("approximate", approximate, ("none", "tanh"))
        return Activation.__new__(cls, "gelu" if approximate == "none" else "gelu_tanh", 0.0)

    @property
    def approximate(self) -> str:
        """Either ``"none"`` or ``"tanh"``."""
        return "none" if self == "gelu" else "tanh"

    def __repr__(self) -> str:
        return f"GELU(approximate={self.approximate!r})"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return GELU, (self.approximate,)


ActivationLike: TypeAlias = ActivationName | Activation


def parameter_of(activation: ActivationLike) -> float:
    """Return the slope, the alpha, or 0 where there is none."""
    if isinstance(activation, Activation):
        return activation.parameter
    return _USUAL.get(activation, 0.0)


def read_activation(name: str, value: object, *, hidden: bool = False) -> ActivationLike:
    """Return an activation; one with the usual parameter as its plain name.

    For a `hidden` layer the message about an unknown name does not offer softmax.
    """
    if isinstance(value, type) and issubclass(value, Activation):
        raise TypeError(f"{name} must be an activation, not the class; write {value.__name__}()")
    _validation.own(name, value, Activation, "parameter")
    if isinstance(value, Activation) and value.parameter != _USUAL.get(value, 0.0):
        return value
    plain = str(value) if isinstance(value, str) else value
    if not hidden or (isinstance(plain, str) and plain == "softmax"):
        return _validation.choice(name, plain, ACTIVATIONS)
    return _validation.choice(name, plain, [each for each in ACTIVATIONS if each != "softmax"])
