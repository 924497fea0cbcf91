"""Learning-rate schedules: how the learning rate changes during training.

Each can be the `learning_rate` of an optimizer. The rate of a step is a learning rate times a
factor, whose operations have a fixed order: the compiled core computes the same bits, except for
`InverseScaling`, whose logarithm and exponential are its own.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Final

from . import validation

MOST: Final = 2**32 - 1
"""The maximum number of epochs or steps of a network."""


class Schedule:
    """The base class of schedules: a learning rate, times a factor that depends on the step.

    Steps count from 0 over all epochs of a fit.
    """

    __slots__ = ()
    goes_by_step: ClassVar[bool] = True  # only; LinearWarmup needs that
    learning_rate: float

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:
        """Return the factor at a step of a fit of `steps` steps."""
        raise NotImplementedError

    def rate_at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            The step, from 0, over all epochs.
        steps_per_epoch : int
            Batches in an epoch.
        epochs : int
            Epochs of the fit.
        """
        return self.learning_rate * self.factor_at(step, steps_per_epoch, epochs * steps_per_epoch)


@dataclass(frozen=True, slots=True)
class StepDecay(Schedule):
    """Multiplies the rate by `factor` after every `every` epochs; by default by 0.1 every 10."""

    learning_rate: float
    factor: float = 0.1
    every: int = 10

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        check_share("factor", self.factor, zero=False)
        validation.integer("every", self.every, 1, MOST)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:  # noqa: ARG002
        """Return ``factor^(epoch / every)``, a whole quotient."""
        return power(self.factor, step // steps_per_epoch // self.every)


@dataclass(frozen=True, slots=True)
class ExponentialDecay(Schedule):
    """Multiplies the rate by `factor` after each epoch."""

    learning_rate: float
    factor: float = 0.95

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        check_share("factor", self.factor, zero=False)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:  # noqa: ARG002
        """Return ``factor^epoch``."""
        return power(self.factor, step // steps_per_epoch)


@dataclass(frozen=True, slots=True)
class CosineDecay(Schedule):
    """Lowers the rate along half a cosine to `final` times it (Loshchilov and Hutter, 2017).

    It takes `epochs`, all of the fit by default, and is constant afterwards.
    """

    learning_rate: float
    final: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        check_share("final", self.final)
        check_epochs(self.epochs)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:
        """Return ``final + (1 - final) half_cosine(step / last)``."""
        last = last_step(steps_per_epoch, self.epochs, steps)
        at = min(last, float(step)) / max(1.0, last)  # a single step counts as the first
        return self.final + (1 - self.final) * half_cosine(at)


@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """Raises and lowers the rate once, each along half a cosine (Smith and Topin, 2018).

    From `initial` times the rate up to the rate during the fraction `rise` of all steps, then down
    to `final` times it, over `epochs`, all of the fit by default.
    """

    learning_rate: float
    initial: float = 0.04
    final: float = 4e-6
    rise: float = 0.3
    epochs: int | None = None

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        check_share("initial", self.initial)
        check_share("final", self.final)
        check_share("rise", self.rise, zero=False, one=False)
        check_epochs(self.epochs)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:
        """Return 1 at the step ``rise * steps - 1``, as in PyTorch, and less elsewhere."""
        last = last_step(steps_per_epoch, self.epochs, steps)
        at, peak = min(last, float(step)), self.rise * (last + 1) - 1
        if at < peak:
            return 1 - (1 - self.initial) * half_cosine(at / peak)
        return self.final + (1 - self.final) * half_cosine((at - peak) / (last - peak))


@dataclass(frozen=True, slots=True)
class InverseScaling(Schedule):
    """Divides the rate by (step + 1) to a power."""

    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        validation.not_negative("power", self.power)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:  # noqa: ARG002
        """Return ``1 / (step + 1)^power``, by the logarithm."""
        return 1 / math.exp(math.log(step + 1.0) * self.power)


@dataclass(frozen=True, slots=True)
class LinearWarmup(Schedule):
    """Raises the first `steps` of another schedule, or of a constant rate, from near 0.

    Step s of them has its rate times (s + 1) / `steps`. With `shift` the other schedule starts
    after them, with the remaining steps.
    """

    goes_by_step: ClassVar = False
    after: float | Schedule
    steps: int
    shift: bool = False
    learning_rate: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        after = self.after
        if isinstance(after, Schedule) and not after.goes_by_step:
            raise TypeError(
                "after must be a learning rate or a schedule, but not a LinearWarmup or Plateau, "
                f"got {validation.brief(after)}"
            )
        validation.integer("steps", self.steps, 1, MOST)
        validation.switch("shift", self.shift)
        rate = after.learning_rate if isinstance(after, Schedule) else after
        object.__setattr__(self, "learning_rate", validation.positive("after", rate))

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:
        """Return the other schedule's factor, reduced in the first steps."""
        begin = self.steps if self.shift else 0
        factor = 1.0
        if isinstance(self.after, Schedule):
            now, left = max(0, step - begin), max(1, steps - begin)
            factor = self.after.factor_at(now, steps_per_epoch, left)
        return factor if step >= self.steps else factor * (step + 1.0) / self.steps


def is_spread(schedule: Schedule) -> bool:
    """Whether the rates depend on the number of epochs of a fit, after a warm-up too."""
    if isinstance(schedule, LinearWarmup):
        return isinstance(schedule.after, Schedule) and is_spread(schedule.after)
    return isinstance(schedule, CosineDecay | OneCycle) and schedule.epochs is None


def last_step(steps_per_epoch: int, epochs: int | None, steps: int) -> float:
    """Return the index of the last step of `epochs`, or of all `steps`, counted from 0."""
    return float(steps if epochs is None else epochs * steps_per_epoch) - 1


def half_cosine(x: float) -> float:
    """Return (1 + cos(pi x)) / 2 for x in [0, 1], from the sine of pi / 2 - pi x."""
    a = math.pi * (0.5 - x)
    total = 1.0
    for n in range(27, 1, -2):  # Taylor series: the system's cosine is not the same everywhere
        total = 1 - total * (a * a) / (n * (n - 1))
    return 0.5 + 0.5 * a * total


def power(base: float, n: int) -> float:
    """Return base^n by repeated squaring, from the lowest bit of n."""
    result = 1.0
    while n:
        if n & 1:
            result *= base
        n >>= 1
        base *= base
    return result


def check_share(name: str, value: object, *, zero: bool = True, one: bool = True) -> None:
    """Refuse anything but a number in [0, 1], without the ends that are not allowed."""
    share = validation.not_negative(name, value)
    if share > 1 or (share == 0 and not zero) or (share == 1 and not one):
        least, most = "at least" if zero else "above", "at most" if one else "below"
        raise ValueError(f"{name} must be {least} 0 and {most} 1, got {validation.brief(value)}")


def check_epochs(value: object) -> None:
    """Refuse anything but None and a number of epochs."""
    if value is not None:
        validation.integer("epochs", value, 1, MOST)
