"""`Plateau`: the schedule that goes by the losses of the epochs."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from . import validation
from .history import EpochReport
from .schedules import Schedule, check_share


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

    goes_by_step: ClassVar = False
    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    minimum: float = 0.0
    monitor: str = "loss"

    def __post_init__(self) -> None:
        validation.positive("learning_rate", self.learning_rate)
        check_share("factor", self.factor, zero=False, one=False)
        validation.integer("patience", self.patience, 0)
        validation.not_negative("min_delta", self.min_delta)
        validation.not_negative("minimum", self.minimum)
        validation.choice("monitor", self.monitor, ("loss", "validation_loss"))

    def factor_at(self, step: int, steps_per_epoch: int, epochs: int) -> float:  # noqa: ARG002
        """Return 1: the factor is that of a `PlateauWatch`."""
        return 1.0


class PlateauWatch:
    """What a `Plateau` remembers during a fit; of any other learning rate the factor is 1."""

    def __init__(self, learning_rate: object, names: Collection[str]) -> None:
        self._plateau = learning_rate if isinstance(learning_rate, Plateau) else None
        if self._plateau is not None and self._plateau.monitor not in names:
            raise ValueError("Plateau(monitor='validation_loss') needs samples to validate on")
        self._best = math.inf
        self._waited = 0
        self.factor = 1.0

    def after_epoch(self, report: EpochReport) -> None:
        """Take in an epoch."""
        plateau = self._plateau
        if plateau is None:
            return
        loss = report.value(plateau.monitor)
        if loss < self._best - plateau.min_delta:
            self._best, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited > plateau.patience:
            least = min(1.0, plateau.minimum / plateau.learning_rate)
            self.factor = max(self.factor * plateau.factor, least)
            self._waited = 0
