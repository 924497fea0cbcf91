"""`EarlyStopping`: when to end a fit, and the weights to go back to."""

import math
from typing import TYPE_CHECKING

from . import validation
from .history import EpochReport

if TYPE_CHECKING:
    from .network import Network

LESS_IS_BETTER = ("loss", "log_loss", "mse", "rmse", "mae", "mape")


class EarlyStopping:
    """Stop when `monitor` has not become better for `patience` epochs.

    Better means by more than `min_delta` than the best so far; what is not finite is never better.

    Parameters
    ----------
    monitor : str, default "validation_loss"
        "loss", "validation_loss", "validation_accuracy", or "validation_" and the name of a metric.
    patience : int, default 10
        The epochs without improvement after which to stop, at least 1.
    min_delta : float, default 0.0
        The least change that counts as better.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" goes by the name.
    restore_best : bool, default True
        Whether to go back to the parameters of the best epoch at the end of the fit.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = validation.integer("patience", patience, 1)
        self.min_delta = min_delta
        self.mode = validation.choice("mode", mode, ("auto", "min", "max"))
        self.restore_best = restore_best
        self.begin()

    def begin(self) -> None:
        """Forget the fit before."""
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0
        self._parameters: list[float] | None = None
        self._statistics: list[list[float]] = []

    def __call__(self, network: "Network", report: EpochReport) -> bool:
        """Take in an epoch; True once the patience is over."""
        value = report.value(self.monitor)
        if self._is_better(value):
            self.best, self.best_epoch, self.waited = value, report.epoch, 0
            if self.restore_best:
                self._parameters = network.parameters
                self._statistics = [list(row) for row in running(network)]
        else:
            self.waited += 1
        return self.waited >= self.patience

    def end(self, network: "Network") -> None:
        """Put the network back to what it was at the best epoch."""
        if self._parameters is not None:
            network.parameters = self._parameters
            for row, best in zip(running(network), self._statistics, strict=True):
                row[:] = best

    def _is_better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        less = self.monitor.removeprefix("validation_") in LESS_IS_BETTER
        if self.mode != "auto":
            less = self.mode == "min"
        return (self.best - value if less else value - self.best) > self.min_delta


def running(network: "Network") -> list[list[float]]:
    """Return the live running averages of batch normalisation."""
    return [*network.running_means.values(), *network.running_variances.values()]
