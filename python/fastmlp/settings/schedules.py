"""Learning-rate schedules: how the learning rate changes during training. Plain data.

Each can be passed as the ``learning_rate`` of an optimizer: ``Adam(CosineDecay(1e-3))``. So can any
function of the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, cast

from fastmlp import _core, _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable


class Schedule:
    """The base class of schedules: a learning rate, times a factor that depends on the step.

    Steps count from 0 over all epochs of a fit.
    """

    __slots__ = ()
    kind: ClassVar[_core.ScheduleKind] = _core.ScheduleKind.CONSTANT
    goes_by_step: ClassVar[bool] = True  # only; LinearWarmup needs that
    learning_rate: float

    @property
    def is_spread(self) -> bool:
        """Whether the rates depend on the number of epochs of the fit."""
        spread = (_core.ScheduleKind.COSINE, _core.ScheduleKind.ONE_CYCLE)
        core = self.to_core()  # also that of a schedule after a warm-up
        return core.kind in spread and core.total_epochs == 0

    @property
    def counts_epochs(self) -> bool:
        """Whether the rates depend on the number of steps per epoch."""
        kind = _core.ScheduleKind
        return self.to_core().kind not in (kind.CONSTANT, kind.INVERSE)

    def to_core(self) -> _core.Schedule:
        """Return the schedule for the core."""
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
        """Return the settings that differ from the core's defaults."""
        return {}


def set_fields(schedule: Schedule, **values: object) -> None:
    """Set fields of a frozen schedule during its creation, and check its learning rate."""
    for name, value in values.items():
        object.__setattr__(schedule, name, value)
    rate = _validation.positive("learning_rate", schedule.learning_rate)
    object.__setattr__(schedule, "learning_rate", rate)


def shown(schedule: Schedule, added: Sequence[str]) -> str:
    """Return the repr of a schedule; fields `added` to it later only if they are not default.

    Checkpoints compare these strings, so older checkpoints remain valid.
    """
    parts = [
        f"{f.name}={getattr(schedule, f.name)!r}"
        for f in fields(cast("Any", schedule))
        if f.repr and not (f.name in added and getattr(schedule, f.name) == f.default)
    ]
    return f"{type(schedule).__name__}({', '.join(parts)})"


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class StepDecay(Schedule):
    """Multiplies the rate by `factor` after every `every` epochs.

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
        set_fields(
            self,
            factor=_validation.share("factor", self.factor, zero=False),
            every=_validation.integer("every", self.every, minimum=1, maximum=2**32 - 1),
        )

    def _settings(self) -> dict[str, Any]:
        return {"factor": self.factor, "every": self.every}


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class ExponentialDecay(Schedule):
    """Multiplies the rate by `factor` after each epoch.

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
        set_fields(self, factor=_validation.share("factor", self.factor, zero=False))

    def _settings(self) -> dict[str, Any]:
        return {"factor": self.factor}


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class CosineDecay(Schedule):
    """Lowers the rate along half a cosine, step by step (Loshchilov and Hutter, 2017).

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    final : float, default 0.0
        The rate of the last step as a fraction of `learning_rate`; a single step has the full rate.
    epochs : int, optional
        Epochs of the decay, after which the rate is constant; None is all epochs of the fit.
    """

    kind: ClassVar = _core.ScheduleKind.COSINE
    learning_rate: float
    final: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        set_fields(
            self,
            final=_fraction("final", self.final),
            epochs=_optional_epochs(self.epochs),
        )

    def _settings(self) -> dict[str, Any]:
        return {"final": self.final, "total_epochs": self.epochs or 0}


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """Raises and lowers the rate once, each along half a cosine (Smith and Topin, 2018).

    Parameters
    ----------
    learning_rate : float
        The highest rate.
    initial, final : float, default 0.04 and 4e-6
        The rates at the start and at the end as fractions of it; a single step has the final rate.
    rise : float, default 0.3
        The fraction of all steps in which the rate rises.
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
        set_fields(
            self,
            initial=_fraction("initial", self.initial),
            final=_fraction("final", self.final),
            rise=_validation.share("rise", self.rise, zero=False, one=False),
            epochs=_optional_epochs(self.epochs),
        )

    def _settings(self) -> dict[str, Any]:
        shares = {name: getattr(self, name) for name in ("initial", "final", "rise")}
        return shares | {"total_epochs": self.epochs or 0}


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class InverseScaling(Schedule):
    """Divides the rate by (step + 1) to a power.

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
        set_fields(self, power=_validation.not_negative("power", self.power))

    def _settings(self) -> dict[str, Any]:
        return {"power": self.power}


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True, repr=False)
class LinearWarmup(Schedule):
    """Raises the first steps of another schedule, or of a constant rate, from near 0.

    Parameters
    ----------
    after : float or Schedule
        The schedule or rate to warm up to.
    steps : int
        Step s of the first `steps` has its rate times (s + 1) / `steps`.
    shift : bool, default False
        False: `after` counts steps from the beginning, so the warm-up overlaps its start. True: it
        starts after the warm-up, which rises to its first rate, and if it extends over all epochs
        of the fit, over the remaining steps, as in ``torch.optim.lr_scheduler.SequentialLR`` and
        the `warmup_steps` of Keras.
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
                f"got {_validation.brief(after)}"
            )
        if not isinstance(after, Schedule):
            after = _validation.positive("after", after)
        set_fields(
            self,
            after=after,
            steps=_validation.integer("steps", self.steps, minimum=1, maximum=2**32 - 1),
            shift=_validation.switch("shift", self.shift),
            learning_rate=after.learning_rate if isinstance(after, Schedule) else after,
        )

    def to_core(self) -> _core.Schedule:
        """Return the schedule for the core."""
        schedule = self.after.to_core() if isinstance(self.after, Schedule) else _core.Schedule()
        schedule.warm_up, schedule.shift = self.steps, self.shift
        return schedule

    def __repr__(self) -> str:
        return shown(self, added=("shift",))


def _optional_epochs(value: object) -> int | None:
    if value is None:
        return None
    return _validation.integer("epochs", value, minimum=1, maximum=2**32 - 1)


def _fraction(name: str, value: object) -> float:
    """Return a fraction of the learning rate; a number of epochs in its place gets a hint."""
    if isinstance(value, int) and value > 1:
        raise ValueError(
            f"{name} must be a fraction of learning_rate, at least 0 and at most 1, got "
            f"{_validation.brief(value)}: for a length write epochs={_validation.brief(value)}"
        )
    return _validation.share(name, value)
