"""Learning-rate schedules: how the step size changes while a network learns. Plain data.

Each takes the place of an optimizer's ``learning_rate``: ``Adam(CosineDecay(1e-3))``. So does any
callable of the step.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fastmlp import _core, _validation


class Schedule:
    """What all schedules share: a learning rate, times a factor of the step.

    Steps count from 0 over all epochs of a fit.
    """

    __slots__ = ()
    kind: ClassVar[_core.ScheduleKind] = _core.ScheduleKind.CONSTANT
    learning_rate: float

    @property
    def is_spread(self) -> bool:
        """Whether the rates depend on how many epochs the fit has."""
        spread = (_core.ScheduleKind.COSINE, _core.ScheduleKind.ONE_CYCLE)
        core = self.to_core()
        return core.kind in spread and core.total_epochs == 0

    @property
    def counts_epochs(self) -> bool:
        """Whether the rates depend on how many steps an epoch has."""
        kind = _core.ScheduleKind
        return self.to_core().kind not in (kind.CONSTANT, kind.INVERSE)

    def to_core(self) -> _core.Schedule:
        """Return the schedule as the core takes it."""
        schedule = _core.Schedule()
        schedule.kind = self.kind
        for name, value in self._settings().items():
            setattr(schedule, name, value)
        return schedule

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
        return self.learning_rate * self.to_core().factor_at(step, steps_per_epoch, epochs)

    def _settings(self) -> dict[str, Any]:
        """Name what differs from the core's defaults."""
        return {}


def _set(schedule: Schedule, **values: object) -> None:
    """Set fields of a frozen schedule while it is made."""
    for name, value in values.items():
        object.__setattr__(schedule, name, value)


@dataclass(frozen=True, slots=True)
class StepDecay(Schedule):
    """The rate times `factor` after every so many epochs.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epochs.
    factor : float, default 0.1
        Above 0, at most 1.
    every : int, default 10
        Epochs between two changes.
    """

    kind: ClassVar = _core.ScheduleKind.STEP
    learning_rate: float
    factor: float = 0.1
    every: int = 10

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            factor=_validation.share("factor", self.factor, zero=False),
            every=_validation.integer("every", self.every, minimum=1, maximum=2**32 - 1),
        )

    def _settings(self) -> dict[str, Any]:
        return {"factor": self.factor, "every": self.every}


@dataclass(frozen=True, slots=True)
class ExponentialDecay(Schedule):
    """The rate times `factor` after each epoch.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epoch.
    factor : float, default 0.95
        Above 0, at most 1.
    """

    kind: ClassVar = _core.ScheduleKind.EXPONENTIAL
    learning_rate: float
    factor: float = 0.95

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            factor=_validation.share("factor", self.factor, zero=False),
        )

    def _settings(self) -> dict[str, Any]:
        return {"factor": self.factor}


@dataclass(frozen=True, slots=True)
class CosineDecay(Schedule):
    """Down along half a cosine, step by step (Loshchilov and Hutter, 2017).

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    final : float, default 0.0
        The share of it that the last step has.
    epochs : int, optional
        Epochs until then, constant after; None is all epochs of the fit.
    """

    kind: ClassVar = _core.ScheduleKind.COSINE
    learning_rate: float
    final: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            final=_validation.share("final", self.final),
            epochs=_optional_epochs(self.epochs),
        )

    def _settings(self) -> dict[str, Any]:
        return {"final": self.final, "total_epochs": self.epochs or 0}


@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """Up and down once, each along half a cosine (Smith and Topin, 2018).

    Parameters
    ----------
    learning_rate : float
        The highest rate.
    initial, final : float, default 0.04 and 4e-6
        The shares of it at the start and at the end.
    rise : float, default 0.3
        The share of all steps that go up.
    epochs : int, optional
        Epochs of the cycle; None is all epochs of the fit.
    """

    kind: ClassVar = _core.ScheduleKind.ONE_CYCLE
    learning_rate: float
    initial: float = 0.04
    final: float = 4e-6
    rise: float = 0.3
    epochs: int | None = None

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            initial=_validation.share("initial", self.initial),
            final=_validation.share("final", self.final),
            rise=_validation.share("rise", self.rise, zero=False, one=False),
            epochs=_optional_epochs(self.epochs),
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "initial": self.initial,
            "final": self.final,
            "rise": self.rise,
            "total_epochs": self.epochs or 0,
        }


@dataclass(frozen=True, slots=True)
class InverseScaling(Schedule):
    """The rate over (step + 1) to a power.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    power : float, default 0.5
        At least 0.
    """

    kind: ClassVar = _core.ScheduleKind.INVERSE
    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            power=_validation.not_negative("power", self.power),
        )

    def _settings(self) -> dict[str, Any]:
        return {"power": self.power}


@dataclass(frozen=True, slots=True)
class LinearWarmup(Schedule):
    """The first steps of another schedule, or of a constant rate, raised from near 0.

    Parameters
    ----------
    after : float or Schedule
        What is warmed up to; it counts its steps from the very first.
    steps : int
        Step s of the first `steps` has (s + 1) / `steps` of its rate.
    """

    after: "float | Schedule"
    steps: int
    learning_rate: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        after = self.after
        if isinstance(after, Plateau | LinearWarmup):
            raise TypeError(f"after must be a number or another schedule, got {after!r}")
        if not isinstance(after, Schedule):
            after = _validation.positive("after", after)
        _set(
            self,
            after=after,
            steps=_validation.integer("steps", self.steps, minimum=1, maximum=2**32 - 1),
            learning_rate=after.learning_rate if isinstance(after, Schedule) else after,
        )

    def to_core(self) -> _core.Schedule:
        """Return the schedule as the core takes it."""
        schedule = self.after.to_core() if isinstance(self.after, Schedule) else _core.Schedule()
        schedule.warm_up = self.steps
        return schedule


@dataclass(frozen=True, slots=True)
class Plateau(Schedule):
    """The rate times `factor` whenever a loss has stopped falling.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epochs.
    factor : float, default 0.1
        Above 0, below 1.
    patience : int, default 10
        Epochs without improvement that are borne; the next one lowers the rate.
    min_delta : float, default 1e-4
        What counts as an improvement: lower than the best by more than this.
    minimum : float, default 0.0
        The rate is not lowered below this.
    monitor : {"loss", "validation_loss"}, default "loss"
        What is watched.
    """

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    minimum: float = 0.0
    monitor: str = "loss"

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=_validation.positive("learning_rate", self.learning_rate),
            factor=_validation.share("factor", self.factor, zero=False, one=False),
            patience=_validation.integer("patience", self.patience, minimum=0),
            min_delta=_validation.not_negative("min_delta", self.min_delta),
            minimum=_validation.not_negative("minimum", self.minimum),
            monitor=_validation.choice("monitor", self.monitor, ("loss", "validation_loss")),
        )


class PlateauWatch:
    """What a `Plateau` remembers during a fit.

    Parameters
    ----------
    plateau : Plateau
        The settings.
    """

    def __init__(self, plateau: Plateau) -> None:
        self._plateau = plateau
        self.best = float("inf")
        self.waited = 0
        self.factor = 1.0

    def after_epoch(self, loss: float, validation_loss: float | None) -> float:
        """Return what the learning rate is multiplied with from now on, after an epoch's losses."""
        plateau = self._plateau
        if plateau.monitor == "validation_loss":
            loss = np.nan if validation_loss is None else validation_loss
        if loss < self.best - plateau.min_delta:
            self.best = loss
            self.waited = 0
            return self.factor
        self.waited += 1
        if self.waited > plateau.patience:
            least = min(1.0, plateau.minimum / plateau.learning_rate)
            self.factor = max(self.factor * plateau.factor, least)
            self.waited = 0
        return self.factor

    def state(self) -> dict[str, float]:
        """Return what `restore` takes, for a checkpoint."""
        return {"best": self.best, "waited": self.waited, "factor": self.factor}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from where another stood."""
        self.best, self.factor = state["best"], state["factor"]
        self.waited = int(state["waited"])


def _optional_epochs(value: object) -> int | None:
    return (
        None
        if value is None
        else _validation.integer("epochs", value, minimum=1, maximum=2**32 - 1)
    )
