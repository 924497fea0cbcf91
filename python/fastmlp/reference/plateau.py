"""`Plateau`: the learning-rate schedule that depends on what is measured after each epoch."""

import math
from collections.abc import Collection
from dataclasses import InitVar, dataclass
from typing import ClassVar

from . import validation
from .early_stopping import wants_larger
from .history import EpochReport
from .schedules import Schedule, check_share


@dataclass(frozen=True, slots=True)
class Plateau(Schedule):
    """Multiplies the rate by `factor` whenever a value has stopped improving.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epochs.
    factor : float, default 0.1
        Above 0, below 1.
    patience : int, default 10
        Epochs without improvement that are tolerated; the next one lowers the rate.
    min_delta : float, default 1e-4
        The minimum change that counts as an improvement on the best value.
    minimum : float, default 0.0
        The rate is not lowered below this.
    monitor : str, default "loss"
        "loss", "validation_loss", "validation_accuracy", or "validation_" and the name of a metric.
    mode : {"auto", "min", "max"}, default "auto"
        Whether lower or higher is better; "auto" derives it from the name.
    cooldown : int, default 0
        Epochs after a change of the rate that do not count as epochs without improvement.
    min_lr : float, optional
        Another name of `minimum`.
    """

    goes_by_step: ClassVar = False
    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    minimum: float = 0.0
    monitor: str = "loss"
    mode: str = "auto"
    cooldown: int = 0
    min_lr: InitVar[float | None] = None

    def __post_init__(self, min_lr: float | None) -> None:
        if min_lr is not None:
            if self.minimum != 0:
                raise ValueError("min_lr is another name of minimum: pass only one of them")
            object.__setattr__(self, "minimum", min_lr)
        validation.positive("learning_rate", self.learning_rate)
        check_share("factor", self.factor, zero=False, one=False)
        validation.integer("patience", self.patience, 0)
        validation.not_negative("min_delta", self.min_delta)
        validation.not_negative("minimum", self.minimum)
        validation.choice("mode", self.mode, ("auto", "min", "max"))
        validation.integer("cooldown", self.cooldown, 0)

    def factor_at(self, step: int, steps_per_epoch: int, steps: int) -> float:  # noqa: ARG002
        """Return 1: the factor is that of a `PlateauWatch`."""
        return 1.0


class PlateauWatch:
    """The state of a `Plateau` during a fit; for other learning rates the factor is 1."""

    def __init__(self, learning_rate: object, names: Collection[str]) -> None:
        self._plateau = learning_rate if isinstance(learning_rate, Plateau) else None
        self.factor = 1.0
        if self._plateau is None:
            return
        if self._plateau.monitor not in names:
            raise ValueError(
                f"Plateau monitors {validation.brief(self._plateau.monitor)}; the fit measures "
                f"{', '.join(names)}, and more with validation_data or validation_fraction"
            )
        self._larger = wants_larger(self._plateau.monitor, self._plateau.mode)
        self._best = -math.inf if self._larger else math.inf
        self._waited = self._cooldown = 0

    def after_epoch(self, report: EpochReport) -> None:
        """Update the state after an epoch."""
        plateau = self._plateau
        if plateau is None:
            return
        value = report.value(plateau.monitor)
        if self._larger:
            better = value > self._best + plateau.min_delta
        else:
            better = value < self._best - plateau.min_delta
        self._waited += 1
        if better:
            self._best, self._waited = value, 0
        if self._cooldown > 0:
            self._cooldown -= 1
            self._waited = 0
        if self._waited > plateau.patience:
            least = min(1.0, plateau.minimum / plateau.learning_rate)
            self.factor = max(self.factor * plateau.factor, least)
            self._waited, self._cooldown = 0, plateau.cooldown
