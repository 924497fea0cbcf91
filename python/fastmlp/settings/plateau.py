"""`Plateau`: the learning-rate schedule that goes by the losses of the epochs."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.settings.schedules import Schedule, set_fields


@hints_at_arguments
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
        set_fields(
            self,
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
