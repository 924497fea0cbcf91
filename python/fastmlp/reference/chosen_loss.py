"""The loss of a network: one of `LOSSES`, with or without a parameter, or a custom loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import arrays, validation
from .dense import Matrix, Row
from .losses import LOSSES, weighted

LossFunction = Callable[[Matrix, list[Any], Matrix], Any]
"""A custom loss, ``f(outputs, y, gradient) -> losses``; see ``Network``."""


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy with targets (1 - label_smoothing) y + label_smoothing / N."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(
                f"label_smoothing must be in [0, 1], got {validation.brief(self.label_smoothing)}"
            )


@dataclass(frozen=True, slots=True)
class Huber:
    """Squared error within `delta`, absolute error beyond."""

    delta: float = 1.0

    def __post_init__(self) -> None:
        validation.positive("delta", self.delta)


@dataclass(frozen=True, slots=True)
class Quantile:
    """Pinball loss, minimal where the fraction `quantile` of the targets is below the output."""

    quantile: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.quantile < 1.0:
            raise ValueError(
                f"quantile must be between 0 and 1, got {validation.brief(self.quantile)}"
            )


class ChosenLoss(NamedTuple):
    """A loss, for whole batches.

    Attributes
    ----------
    name : str
        A key of `LOSSES`, or ``"custom"``.
    parameter : float
        The label smoothing, Huber's delta or the quantile; 0 for the other losses.
    function : callable or None
        The function of a custom loss.
    """

    name: str
    parameter: float = 0.0
    function: LossFunction | None = None

    @property
    def fused(self) -> bool:
        """Whether h'(z) is already part of the derivative."""
        return self.function is None and LOSSES[self.name].fused

    def of_batch(
        self, z: Matrix, h: Matrix, y: list[Any], weights: Row | None = None
    ) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8), and its derivative: dL/dz if `fused`, else dL/dh.

        Parameters
        ----------
        z, h : list of list of float, shape (B, N)
            The argument of the last activation, and the outputs.
        y : list, shape (B, N)
            The targets; for a custom loss, whatever it accepts.
        weights : list of float, shape (N,), optional
            The weight of each output in the losses. The derivatives are not times them.
        """
        if self.function is not None:
            return own_loss(self.function, h, y)
        value, delta = LOSSES[self.name].value, LOSSES[self.name].delta
        samples = list(zip(z, h, y, strict=True))
        if weights is None:
            losses = [value(*sample, self.parameter) for sample in samples]
        else:
            parameters = [self.parameter] * len(weights)
            losses = [weighted(value, *sample, parameters, weights) for sample in samples]
        return losses, [delta(*sample, self.parameter) for sample in zip(h, y, strict=True)]

    def changes(self, h: Matrix, y: list[Any], change: Matrix) -> Matrix:
        """Return the change of the derivative for a small change of h, all of shape (B, N)."""
        each = zip(h, y, change, strict=True)
        return [LOSSES[self.name].change(*sample, self.parameter) for sample in each]


def own_loss(function: LossFunction, h: Matrix, y: list[Any]) -> tuple[Row, Matrix]:
    """Return the losses that a custom loss returns, and the gradient that it fills.

    Raises
    ------
    TypeError, ValueError
        If the losses are neither one number per sample nor one for all, or part of the gradient
        is left unset.
    """
    gradient = [[math.nan] * len(row) for row in h]
    returned, shape = arrays.nested("the result of the loss", function(h, y, gradient))
    if shape not in ((), (len(h),)):
        raise ValueError(
            f"the loss must return one number per sample, shape ({len(h)},), or their mean, "
            f"shape (); it returned shape {shape}"
        )
    losses = [float(loss) for loss in returned] if shape else [float(returned)] * len(h)
    unset = any(math.isnan(value) for row in gradient for value in row)
    if unset and not any(math.isnan(loss) for loss in losses):
        raise ValueError("the loss left elements of gradient unset (or NaN): it must fill them all")
    return losses, gradient


def choose_loss(loss: object, output: str) -> ChosenLoss:
    """Return the chosen loss, if it matches `output`, or the default.

    Parameters
    ----------
    loss : str, CrossEntropy, Huber, Quantile, callable or None
        A key of `LOSSES`, a loss with its parameter, or a custom loss; None is the default.
    output : str
        The activation of the last layer.

    Raises
    ------
    TypeError
        If `loss` is none of these.
    ValueError
        If `loss` is unknown or does not match `output`.
    """
    fitting = [name for name, entry in LOSSES.items() if output in entry.outputs]
    match loss:
        case None:
            chosen = ChosenLoss(fitting[0], LOSSES[fitting[0]].usual)
        case CrossEntropy():
            chosen = ChosenLoss("cross_entropy", float(loss.label_smoothing))
        case Huber():
            chosen = ChosenLoss("huber", float(loss.delta))
        case Quantile():
            chosen = ChosenLoss("quantile", float(loss.quantile))
        case type():
            raise TypeError(f"loss must be a loss, not the class; write {loss.__name__}()")
        case _ if callable(loss):
            return ChosenLoss("custom", 0.0, loss)
        case _:
            name = validation.choice("loss", loss, tuple(LOSSES))
            chosen = ChosenLoss(name, LOSSES[name].usual)
    if chosen.name not in fitting:
        raise ValueError(
            f"loss={chosen.name!r} does not fit an output of {output!r}; "
            f"allowed: {', '.join(map(repr, fitting))}"
        )
    return chosen
