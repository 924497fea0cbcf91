"""`PlateauWatch`: the state of a `Plateau` during a fit."""

import math
from collections.abc import Mapping

from fastmlp.fitting.monitor import check_monitor
from fastmlp.history import EpochReport
from fastmlp.settings.plateau import Plateau


class PlateauWatch:
    """The factor of the learning rate, updated after each epoch.

    Parameters
    ----------
    plateau : Plateau
        The settings.
    measured : mapping of str to bool or None
        The names of the fit's measurements, and whether larger values are better, if known.

    Raises
    ------
    ValueError
        As `check_monitor` does.
    """

    def __init__(self, plateau: Plateau, measured: Mapping[str, bool | None]) -> None:
        self._plateau = plateau
        self._larger = check_monitor("Plateau", plateau.monitor, plateau.mode, measured)
        self.best = -math.inf if self._larger else math.inf
        self.waited = 0
        self.cooldown = 0
        self.factor = 1.0

    def after_epoch(self, report: EpochReport) -> float:
        """Return the factor of all later learning rates, after an epoch."""
        plateau = self._plateau
        value = report.value(plateau.monitor)
        if self._is_better(value):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.cooldown > 0:
            self.cooldown -= 1
            self.waited = 0
        if self.waited > plateau.patience:
            least = min(1.0, plateau.minimum / plateau.learning_rate)
            self.factor = max(self.factor * plateau.factor, least)
            self.waited, self.cooldown = 0, plateau.cooldown
        return self.factor

    def state(self) -> dict[str, float]:
        """Return the state for `restore`, for a checkpoint."""
        state = {"best": self.best, "waited": self.waited, "factor": self.factor}
        return state | ({"cooldown": self.cooldown} if self._plateau.cooldown else {})

    def restore(self, state: dict[str, float]) -> None:
        """Set the state returned by `state`."""
        self.best, self.factor = state["best"], state["factor"]
        self.waited, self.cooldown = int(state["waited"]), int(state.get("cooldown", 0))

    def _is_better(self, value: float) -> bool:
        if self._larger:
            return value > self.best + self._plateau.min_delta
        return value < self.best - self._plateau.min_delta
