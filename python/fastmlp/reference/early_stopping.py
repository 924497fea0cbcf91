"""`EarlyStopping`: when to end a fit, and which weights to restore."""

import math
from collections.abc import Sequence

from . import validation
from .callbacks import Callback, Network
from .history import EpochReport, History

LESS_IS_BETTER = ("loss", "mse", "rmse", "mae", "mape")


class EarlyStopping(Callback):
    """Stop when `monitor` has not improved for `patience` epochs.

    A value is an improvement if it is better than the best so far by more than `min_delta`; values
    that are not finite never are.

    Parameters
    ----------
    monitor : str, default "validation_loss"
        "loss", "validation_loss", "validation_accuracy", or "validation_" and the name of a metric.
    patience : int, default 10
        The number of epochs without improvement after which to stop, at least 1.
    min_delta : float, default 0.0
        The minimum change that counts as an improvement.
    mode : {"auto", "min", "max"}, default "auto"
        Whether lower or higher is better; "auto" derives it from the name.
    restore_best : bool, default True
        Whether to restore the parameters of the best epoch at the end of the fit. The optimizer's
        state remains that of the last one.
    baseline : float, optional
        A value to improve on: until an epoch is better than it, improvements on the best so far do
        not reset the patience.
    start_from_epoch : int, default 0
        The number of epochs to ignore at the start.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
        *,
        baseline: float | None = None,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = monitor
        self.patience = validation.integer("patience", patience, 1, 2**63 - 1)
        self.min_delta = min_delta
        self.mode = validation.choice("mode", mode, ("auto", "min", "max"))
        self.restore_best = restore_best
        self.baseline = baseline
        self.start_from_epoch = validation.integer("start_from_epoch", start_from_epoch, 0)
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0
        self._parameters: list[float] | None = None
        self._statistics: list[float] = []

    def check_monitor(self, names: Sequence[str]) -> None:
        """Raise ValueError if the value to monitor is not among `names`, those of the fit."""
        if self.monitor not in names:
            raise ValueError(
                f"early stopping monitors {validation.brief(self.monitor)}; "
                f"the fit measures {', '.join(names)}, "
                "and more with validation_data or validation_fraction"
            )

    def on_fit_begin(self, network: Network) -> None:  # noqa: ARG002
        """Reset the state of the previous fit."""
        self._forget()

    def on_epoch_end(self, network: Network, report: EpochReport) -> bool:
        """Update the state after an epoch; True if the patience is over."""
        if report.epoch <= self.start_from_epoch:
            return False
        value = report.value(self.monitor)
        self.waited += 1
        if self._is_better(value, self.best):
            self.best, self.best_epoch = value, report.epoch
            if self._is_better(value, self.baseline):
                self.waited = 0
            if self.restore_best:
                self._parameters = network.parameters
                self._statistics = network.statistics
        return self.waited >= self.patience

    def on_fit_end(self, network: Network, history: History) -> None:  # noqa: ARG002
        """Restore parameters and running averages of the best epoch."""
        if self._parameters is not None:
            network.parameters = self._parameters
            network.statistics = self._statistics

    def _is_better(self, value: float, than: float | None) -> bool:
        if not math.isfinite(value):
            return False
        if than is None:
            return True
        less = not wants_larger(self.monitor, self.mode)
        return (than - value if less else value - than) > self.min_delta


def wants_larger(monitor: str, mode: str) -> bool:
    """Return whether larger values of `monitor` are better; "auto" derives it from the name."""
    if mode == "auto":
        last = monitor.rsplit("_", maxsplit=1)[-1]  # after "validation" and the name of a head
        return last not in LESS_IS_BETTER
    return mode == "max"


def read_early_stopping(value: object) -> tuple[EarlyStopping, ...]:
    """Return the `early_stopping` of ``fit``; True means the defaults."""
    if isinstance(value, EarlyStopping):
        return (value,)
    if value is None or isinstance(value, bool):
        return (EarlyStopping(),) if value else ()
    raise TypeError(
        f"early_stopping must be an EarlyStopping, True, False or None, "
        f"got {validation.brief(value)}"
    )
