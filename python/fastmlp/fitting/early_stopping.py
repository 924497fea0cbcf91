"""`EarlyStopping`: end a fit when it no longer improves, and restore its best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.fitting._metric_names import larger_is_better
from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.fitting.monitor import check_monitor
from fastmlp.fitting.saved_fit import SavedStopping
from fastmlp.history import EpochReport, History

Mode = Literal["auto", "min", "max"]


@hints_at_arguments
class EarlyStopping(Callback):
    """Stop when `monitor` has not improved for `patience` epochs.

    A value is an improvement if it is better than the best so far by more than `min_delta`; values
    that are not finite never are. One object may be used for many fits, one at a time: each starts
    from scratch.

    Parameters
    ----------
    monitor : str, default "validation_loss"
        The value to monitor: "loss", "validation_loss", "validation_accuracy", or ``validation_``
        and the name of one of the `metrics` of ``fit``. Of a head with its name:
        "validation_value_loss".
    patience : int, default 10
        The number of epochs without improvement after which to stop, at least 1.
    min_delta : float, default 0.0
        The minimum change that counts as an improvement, finite and at least 0.
    mode : {"auto", "min", "max"}, default "auto"
        Whether lower or higher is better; "auto" knows this for losses and for metrics given by
        name.
    restore_best : bool, default True
        Whether to restore the weights of the best epoch at the end of the fit, bit for bit, with
        the running averages of batch normalization, even if the epochs ran out before the patience;
        not after an exception. The optimizer's state remains that of the last epoch, as in Keras
        and Lightning; call ``net.reset_optimizer()`` before another fit from these weights.
    baseline : float, optional
        A value to improve on, finite: until an epoch is better than it, improvements on the best so
        far do not reset the patience.
    start_from_epoch : int, default 0
        The number of epochs to ignore at the start, at least 0.

    Attributes
    ----------
    best : float or None
        The best value so far.
    best_epoch : int
        Its epoch, counted from 1 within the fit; 0 before there is one.
    waited : int
        Epochs since then.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> stopping = EarlyStopping("validation_f1", patience=5)
    >>> net.fit(X, y, 500, validation_fraction=0.1, metrics="f1",
    ...         early_stopping=stopping)  # doctest: +SKIP
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = True,
        *,
        baseline: float | None = None,
        start_from_epoch: int = 0,
    ) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be a string, got {_validation.described(monitor)}")
        self.monitor = monitor
        # A checkpoint holds it, as an integer of 64 bits.
        self.patience = _validation.integer("patience", patience, minimum=1, maximum=2**63 - 1)
        self.min_delta = _validation.not_negative("min_delta", min_delta)
        self.mode = _validation.choice("mode", mode, ("auto", "min", "max"))
        self.restore_best = _validation.switch("restore_best", restore_best)
        self.baseline = None if baseline is None else _validation.finite("baseline", baseline)
        self.start_from_epoch = _validation.integer("start_from_epoch", start_from_epoch, minimum=0)
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0
        self._at_best: dict[str, NDArray[Any]] = {}
        self._resumed = False
        auto = bool(larger_is_better(monitor))  # of a fit, `check_monitor` knows better
        self._larger = auto if self.mode == "auto" else self.mode == "max"

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"min_delta={self.min_delta:g}, mode={self.mode!r}, restore_best={self.restore_best})"
        )

    def check_monitor(self, measured: Mapping[str, bool | None]) -> None:
        """Check before a fit that `monitor` will be measured, and its direction known.

        Parameters
        ----------
        measured : mapping of str to bool or None
            The names of the measurements, and whether larger values are better, if known.

        Raises
        ------
        ValueError
            If `monitor` is not among `measured`, or `mode` is "auto" for a custom metric.
        """
        self._larger = check_monitor("early stopping", self.monitor, self.mode, measured)

    def on_fit_begin(self, network: Network) -> None:  # noqa: ARG002
        """Reset the state of the previous fit, unless `set_state` has just been called."""
        if not self._resumed:
            self.best, self.best_epoch, self.waited, self._at_best = None, 0, 0, {}
        self._resumed = False

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
                self._at_best = {
                    "parameters": network.parameters.copy(),
                    "statistics": network.statistics.copy(),
                }
        return self.waited >= self.patience

    def on_fit_end(self, network: Network, history: History) -> None:  # noqa: ARG002
        """Restore the best weights."""
        for name, values in self._at_best.items():
            setattr(network, name, values)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the state in the middle of a fit, for a checkpoint.

        Returns
        -------
        values : dict
            Plain numbers, representable in JSON: ``best``, ``best_epoch``, ``waited``.
        arrays : dict of str to ndarray
            The network at the best epoch: ``parameters`` and ``statistics``; empty if there is
            none.
        """
        values = {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}
        return values, {name: array.copy() for name, array in self._at_best.items()}

    def set_state(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Set the state returned by `state`; the next fit continues from it.

        Raises
        ------
        TypeError, ValueError
            If `values` are not such numbers.
        KeyError
            If one is missing.
        """
        best = values["best"]
        if best is not None and not (isinstance(best, float) and math.isfinite(best)):
            raise ValueError(f"best must be a finite float or None, got {_validation.brief(best)}")
        best_epoch = _validation.integer("best_epoch", values["best_epoch"], minimum=0)
        self.waited = _validation.integer("waited", values["waited"], minimum=0)
        self.best, self.best_epoch, self._resumed = best, best_epoch, True
        self._at_best = {name: np.array(array) for name, array in arrays.items()}

    def direction(self) -> str:
        """Return "max" or "min": whether higher or lower is better."""
        return "max" if self._larger else "min"

    def can_go_on(self, saved: SavedStopping) -> bool:
        """Return whether `saved` has the same `monitor`, and the weights to restore."""
        watched = (self.monitor, self.direction())
        same = saved.monitor is None or (saved.monitor, saved.mode) == watched
        complete = saved.values["best_epoch"] == 0 or bool(saved.arrays) or not self.restore_best
        return same and complete

    def _is_better(self, value: float, than: float | None) -> bool:
        if not math.isfinite(value):
            return False
        if than is None:
            return True
        gain = value - than if self._larger else than - value
        return gain > self.min_delta


def check_monitors(followers: Iterable[Callback], measured: Mapping[str, bool | None]) -> None:
    """Check before a fit that the values which early stopping monitors will be measured.

    Raises
    ------
    ValueError
        If one is not among `measured`.
    """
    for follower in followers:
        if isinstance(follower, EarlyStopping):
            follower.check_monitor(measured)


def read_early_stopping(value: object) -> EarlyStopping | None:
    """Return the `early_stopping` of ``fit``; True means the defaults."""
    if isinstance(value, EarlyStopping):
        return value
    if value is None or isinstance(value, bool):
        return EarlyStopping() if value else None
    raise TypeError(
        "early_stopping must be an EarlyStopping, True, False or None, "
        f"got {_validation.described(value)}"
    )
