"""The losses, and the outputs they can be used with.

Definitions are PyTorch's with ``reduction="mean"``: cross-entropy is the mean over the batch (2.8),
all others are the mean over the batch and the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments, is_foreign, suggestion
from fastmlp.layers import ACTIVATIONS

_ANY: Final = tuple(name for name in ACTIVATIONS if name != "softmax")

LossName: TypeAlias = Literal[
    "cross_entropy",
    "binary_cross_entropy",
    "poisson",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "quantile",
]
LOSSES: Final[dict[str, tuple[str, ...]]] = {
    "cross_entropy": ("softmax",),
    "binary_cross_entropy": ("sigmoid",),
    "poisson": ("exp",),
    "mean_squared_error": _ANY,
    "mean_absolute_error": _ANY,
    "huber": _ANY,
    "quantile": _ANY,
}
"""The activations of the last layer that each loss can be used with. The default loss of an output
is the first that it can be used with."""


@hints_at_arguments
@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy with label smoothing: targets are moved towards the uniform distribution.

    Szegedy et al., "Rethinking the Inception architecture" (2016), as in
    ``torch.nn.CrossEntropyLoss``.

    Parameters
    ----------
    label_smoothing : float, default 0.0
        In [0, 1]. Targets y become ``(1 - label_smoothing) y + label_smoothing / N``, for labels
        and for rows of targets, in training and in `Network.evaluate`.

    Raises
    ------
    TypeError, ValueError
        If `label_smoothing` is not a number in [0, 1].
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        value = _validation.share("label_smoothing", self.label_smoothing)
        object.__setattr__(self, "label_smoothing", value)


@hints_at_arguments
@dataclass(frozen=True, slots=True)
class Huber:
    """Half the squared error where it is small, linear where it is large.

    ``e^2 / 2`` where ``|e| <= delta``, else ``delta (|e| - delta / 2)``, with ``e = h - y``
    (Huber, 1964; ``torch.nn.HuberLoss``).

    Parameters
    ----------
    delta : float, default 1.0
        The error at which the loss becomes linear, finite and above 0, in units of the targets.

    Raises
    ------
    TypeError, ValueError
        If `delta` is not such a number.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", _validation.positive("delta", self.delta))


@hints_at_arguments
@dataclass(frozen=True, slots=True)
class Quantile:
    """Pinball loss: minimal where the output is a quantile of the targets.

    ``q (y - h)`` if the target is above the output, else ``(1 - q) (h - y)`` (Koenker and Bassett,
    1978). Its derivative where both are equal is 0.

    Parameters
    ----------
    quantile : float, default 0.5
        The fraction q of the targets that should be below the output, between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If `quantile` is not a number between 0 and 1, both excluded.
    """

    quantile: float = 0.5

    def __post_init__(self) -> None:
        value = _validation.share("quantile", self.quantile, zero=False, one=False)
        object.__setattr__(self, "quantile", value)


class Loss(str):
    """The name of a loss, with its parameter and function; ``net.loss``.

    It equals the name: ``net.loss == "huber"``.

    Parameters
    ----------
    name : str
        A key of `LOSSES`, or ``"custom"``.
    parameter : float, default 0.0
        The label smoothing, Huber's delta or the quantile; 0 for the other losses.
    function : callable, optional
        The function of a custom loss.
    heads : tuple of (str, Head), optional
        The heads of a network that has several, whose losses are added; the name is ``"heads"``.
    """

    __slots__ = ("function", "heads", "parameter")

    parameter: float
    function: Callable[..., Any] | None
    heads: tuple[tuple[str, Any], ...]

    def __new__(
        cls,
        name: str,
        parameter: float = 0.0,
        function: Callable[..., Any] | None = None,
        heads: tuple[tuple[str, Any], ...] = (),
    ) -> Self:
        """Create the loss; older pickles, in which it is a tuple, call this in the same way."""
        self = super().__new__(cls, name)
        self.parameter, self.function, self.heads = parameter, function, heads
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Loss, (str(self), self.parameter, self.function, self.heads)

    def with_function(self, function: Callable[..., Any]) -> Loss:
        """Return the custom loss with another function.

        Raises
        ------
        ValueError
            If the loss is not custom.
        TypeError
            If `function` is not callable.
        """
        if self != "custom":
            raise ValueError(f"the loss of this network is {str(self)!r}, not a function")
        if not callable(function):
            raise TypeError(
                f"loss_function must be callable, got {_validation.described(function)}"
            )
        return Loss(self, self.parameter, function)

    def described(self) -> str:
        """Return the name, and the parameter if it is not the default: ``huber(2)``."""
        usual = _USUAL.get(self, 0.0)
        return str(self) if self.parameter == usual else f"{self}({self.parameter:g})"


LossLike: TypeAlias = LossName | Loss | CrossEntropy | Huber | Quantile | Callable[..., Any]
"""The types of the argument `loss` of `Network`."""


_USUAL: Final = {"huber": 1.0, "quantile": 0.5}
"""The default parameters of losses, if they are not 0."""


def choose_loss(loss: LossLike | None, output: str) -> Loss:
    """Check that `loss` matches the activation `output` of the last layer, or choose one for it.

    Parameters
    ----------
    loss : str, CrossEntropy, Huber, Quantile, callable or None
        A name in `LOSSES`, a loss with its parameter, or a custom loss; None chooses cross-entropy
        for softmax, binary cross-entropy for sigmoid, Poisson for exp, and mean squared error for
        all others.
    output : str
        The activation of the last layer.

    Raises
    ------
    TypeError
        If `loss` is none of these.
    ValueError
        If `loss` is not a name in `LOSSES`, or does not match `output`.
    """
    fitting = [name for name, outputs in LOSSES.items() if output in outputs]
    if loss is None:
        return Loss(fitting[0], _USUAL.get(fitting[0], 0.0))
    chosen = _read(loss)
    allowed = LOSSES.get(chosen, ACTIVATIONS)
    if output not in allowed:
        raise ValueError(
            f"loss={str(chosen)!r} needs an output of {_validation.either(allowed)}, but the last "
            f"layer is {output!r}, which fits {_validation.either(fitting)}"
        )
    return chosen


def _read(loss: object) -> Loss:
    match loss:
        case Loss(heads=()) if loss != "custom" or loss.function is not None:  # another network's
            return loss
        case CrossEntropy():
            return Loss("cross_entropy", loss.label_smoothing)
        case Huber():
            return Loss("huber", loss.delta)
        case Quantile():
            return Loss("quantile", loss.quantile)
        case type():
            raise TypeError(f"loss must be a loss, not the class; write {loss.__name__}()")
    if is_foreign(loss):
        hint = suggestion(loss, tuple(LOSSES))
        raise TypeError(
            "loss must be a name, or a function f(outputs, y, gradient) -> losses, got "
            f"{_validation.described(loss)}{hint}"
        )
    if callable(loss):
        return Loss("custom", 0.0, loss)
    name = _validation.choice("loss", loss, tuple(LOSSES))
    return Loss(name, _USUAL.get(name, 0.0))
