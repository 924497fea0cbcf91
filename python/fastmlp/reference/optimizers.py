"""Optimizers: how gradients change the parameters.

Before an optimizer's own step, gradients are modified in this order: the norm of all gradients is
clipped, each element is clipped, ``l1 * sign(w)`` and ``l2 * w`` are added. `weight_decay` does not
change the gradient: w is multiplied by ``1 - rate * weight_decay`` before the step (Loshchilov and
Hutter, 2019).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from . import validation
from .dense import Row
from .schedules import Schedule, power
from .sums import tree16

Rate = float | Schedule | Callable[[int], float]
"""A learning rate: a number, a schedule, or a function of the step, counted from 0 in a fit."""


@dataclass
class Moment:
    """The state of an optimizer for one parameter: velocity or mean, and mean square."""

    u: float = 0.0
    s: float = 0.0


@dataclass
class Memory:
    """The state of an optimizer for a network: one `Moment` per parameter, and the steps."""

    kind: str = ""
    moments: list[Moment] = field(default_factory=list)
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Optimizer:
    """The base class of optimizers.

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.1
        The step size eta, finite and above 0; or a schedule, or a function of the step.
    l1, l2, weight_decay : float, default 0.0
        As above, at least 0.
    clip_value, clip_norm : float, optional
        Bounds of each element, and of the Euclidean norm of all gradients; above 0.
    decay_biases : bool, default True
        Whether l1, l2 and weight_decay apply to all parameters or only to weights.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.
    """

    learning_rate: Rate = 0.1
    _: KW_ONLY
    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    decay_biases: bool = True

    kind: ClassVar[str] = "sgd"
    """Optimizers of one kind continue from each other's state."""

    def __post_init__(self) -> None:
        if not isinstance(self.learning_rate, Schedule) and not callable(self.learning_rate):
            rate = validation.positive("learning_rate", self.learning_rate)
            object.__setattr__(self, "learning_rate", rate)
        for name in ("l1", "l2", "weight_decay"):
            object.__setattr__(self, name, validation.not_negative(name, getattr(self, name)))
        for name in ("clip_value", "clip_norm"):
            if getattr(self, name) is not None:
                validation.positive(name, getattr(self, name))
        for name in ("momentum", "beta_1", "beta_2", "rho"):
            if not 0.0 <= getattr(self, name, 0.0) < 1.0:
                value = getattr(self, name)
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {validation.brief(value)}"
                )

    def rate(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """Return the learning rate of a step of a fit, as in ``Schedule.rate_at``."""
        given = self.learning_rate
        if isinstance(given, Schedule):
            return given.rate_at(step, steps_per_epoch, epochs)
        if not callable(given):
            return given
        rate = float(given(step))
        if not (rate >= 0.0 and math.isfinite(rate)):
            raise ValueError(
                f"the learning rate of step {step} must be at least 0 and finite, got {rate}"
            )
        return rate

    def direction(self, g: float, moment: Moment, step: int) -> float:
        """Return the direction, which is subtracted times the rate; `step` counts from 1."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SGD(Optimizer):
    """Stochastic gradient descent: ``w = w - learning_rate * gradient`` (2.13), (2.14).

    With momentum the direction is ``u = momentum * u + gradient`` (Polyak, 1964), with Nesterov's
    momentum ``gradient + momentum * u`` (Sutskever et al., 2013).

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.1
        The step size eta, finite and above 0.
    momentum : float, default 0.0
        At least 0 and below 1.
    nesterov : bool, default False
        Needs a momentum above 0.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        Optimizer.__post_init__(self)
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("nesterov=True needs a momentum above 0")

    def direction(self, g: float, moment: Moment, step: int) -> float:  # noqa: ARG002
        """Return the gradient, or the velocity."""
        if self.momentum == 0.0:
            return g
        moment.u = self.momentum * moment.u + g
        return self.momentum * moment.u + g if self.nesterov else moment.u


@dataclass(frozen=True, slots=True)
class Adam(Optimizer):
    """Adam: the mean of the gradients divided by the root of their mean square (Kingma, Ba 2015).

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.001
        The step size.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the two running means, at least 0 and below 1.
    epsilon : float, default 1e-8
        Added to the root.
    """

    kind: ClassVar = "adam"
    learning_rate: Rate = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def direction(self, g: float, moment: Moment, step: int) -> float:
        """Return the mean divided by the root of the mean square, both with bias correction."""
        moment.u = approach(1.0 - self.beta_1, moment.u, g)
        moment.s = self.beta_2 * moment.s + (1.0 - self.beta_2) * g * g
        mean = moment.u / (1.0 - self.beta_1**step)
        mean_square = moment.s / (1.0 - self.beta_2**step)
        return mean / (math.sqrt(mean_square) + self.epsilon)


@dataclass(frozen=True, slots=True)
class AdamW(Adam):
    """`Adam` with decoupled weight decay, 0.01 by default (Loshchilov and Hutter, 2019)."""

    _: KW_ONLY
    weight_decay: float = 0.01


@dataclass(frozen=True, slots=True)
class RMSprop(Optimizer):
    """RMSprop: the gradient divided by the root of its mean square (Hinton, 2012).

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.01
        The step size.
    rho : float, default 0.99
        Decay of the running mean, at least 0 and below 1.
    epsilon : float, default 1e-8
        Added to the root.
    momentum : float, default 0.0
        Momentum of the steps, at least 0 and below 1.
    """

    kind: ClassVar = "rmsprop"
    learning_rate: Rate = 1e-2
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    def direction(self, g: float, moment: Moment, step: int) -> float:  # noqa: ARG002
        """Return the gradient divided by its root mean square, or the velocity of that."""
        moment.s = self.rho * moment.s + (1.0 - self.rho) * g * g
        moment.u = self.momentum * moment.u + g / (math.sqrt(moment.s) + self.epsilon)
        return moment.u


def read_optimizer(optimizer: object) -> Optimizer:
    """Return the optimizer passed to ``fit`` as an object or by name."""
    if isinstance(optimizer, Optimizer) and type(optimizer) is not Optimizer:
        return optimizer
    if isinstance(optimizer, str):
        kinds: dict[str, type[Optimizer]]
        kinds = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
        return kinds[validation.choice("optimizer", optimizer, tuple(kinds))]()
    raise TypeError(
        "optimizer must be an SGD, Adam, AdamW or RMSprop, or the name of one, "
        f"got {validation.brief(optimizer)}"
    )


def approach(gain: float, u: float, g: float) -> float:
    """Return u moved towards g by `gain`, begun at the nearer: a small g keeps its digits."""
    return u + gain * (g - u) if gain < 0.5 else g + (gain - 1.0) * (g - u)


class MovingAverage:
    """The mean of some numbers after each step; those of k steps ago count ``decay^k`` as much."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.values: list[float] = []
        self.steps = 0

    def step(self, values: list[float]) -> None:
        """Take in the numbers after a step."""
        self.steps += 1
        gain = (1.0 - self.decay) / (1.0 - power(self.decay, self.steps))  # 1 for the first
        pairs = zip(self.values or values, values, strict=True)
        self.values = [approach(gain, mean, value) for mean, value in pairs]


def norm(rows: Iterable[Row]) -> float:
    """Return the Euclidean norm of all gradients."""
    return math.sqrt(sum(tree16(g * g for g in row) for row in rows))


def descend(
    rows: Iterable[tuple[Row, Row, bool, float | None]],
    optimizer: Optimizer,
    memory: Memory,
    rate: float,
) -> None:
    """Update all parameters, in place, with one step of `optimizer`.

    Parameters
    ----------
    rows : iterable of (parameters, gradients, is_weight, factor)
        Rows of weights and of dL/dw, biases and dL/db, ..., and the factor of their layer's rate;
        None where they are not to move.
    optimizer : Optimizer
        The settings.
    memory : Memory
        Its state, one moment per parameter in the order of `rows`; updated.
    rate : float
        The learning rate of this step.
    """
    parts = list(rows)
    if not memory.moments:
        memory.moments = [Moment() for parameters, *_ in parts for _ in parameters]
    memory.steps += 1
    shrink = 1.0
    if optimizer.clip_norm is not None:
        moving = (gradients for _, gradients, _, factor in parts if factor is not None)
        shrink = min(1.0, optimizer.clip_norm / (norm(moving) + 1e-6))
    limit = math.inf if optimizer.clip_value is None else optimizer.clip_value
    moments = iter(memory.moments)
    for parameters, gradients, is_weight, factor in parts:
        penalised = is_weight or optimizer.decay_biases
        for k, (gradient, moment) in enumerate(zip(gradients, moments, strict=False)):
            if factor is None:
                continue
            w = parameters[k]
            g = max(-limit, min(limit, gradient * shrink))
            if penalised:
                g += math.copysign(optimizer.l1, w) if w != 0.0 else 0.0
                g += optimizer.l2 * w
                w *= 1.0 - factor * rate * optimizer.weight_decay
            way = optimizer.direction(g, moment, memory.steps)
            parameters[k] = w - factor * rate * way
