"""`Callback`: methods that ``Network.fit`` calls during training."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from . import validation
from .history import EpochReport, History

Network: TypeAlias = Any
"""A `Network`, whose module imports this one. Overriding methods may name the class itself."""

Follower = Callable[[Network, EpochReport], object]


class Callback:
    """Base class of callbacks. Every method does nothing; override those you need.

    A plain function ``f(network, report)`` passed as a callback is called as `on_epoch_end`.
    """

    def on_fit_begin(self, network: Network) -> None:
        """Handle the start of the fit, after all its arguments have been checked."""

    def on_epoch_begin(self, network: Network, epoch: int) -> None:
        """Handle the start of an epoch, counted from 1 within this ``fit``."""

    def on_batch_end(self, network: Network, step: int, loss: float) -> object:
        """Handle the end of a step, counted from 0, with the mean loss of its batch.

        A true result stops training after this step, which ends its epoch.
        """

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        """Handle the end of an epoch and its validation. A true result stops training."""

    def on_fit_end(self, network: Network, history: History) -> None:
        """Handle the end of the fit, with its result."""


AnyCallback = Callback | Follower
"""The types of callbacks that ``fit`` accepts."""


class Function(Callback):
    """A plain function, called at the end of every epoch."""

    def __init__(self, function: Follower) -> None:
        self._function = function

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        """Call it."""
        return self._function(network, report)


def read_callbacks(callbacks: object, verbose: object) -> tuple[Callback, ...]:
    """Return the callbacks as a tuple, with `show_progress` last if `verbose` is not 0."""
    progress = (Function(show_progress),) if validation.integer("verbose", verbose, 0, 2) else ()
    if callbacks is None:
        return progress
    if isinstance(callbacks, Callback) or callable(callbacks):
        return (_read("callbacks", callbacks), *progress)
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks must be callable or a sequence of them, got {validation.brief(callbacks)}"
        )
    return (*(_read(f"callbacks[{i}]", each) for i, each in enumerate(callbacks)), *progress)


def _read(name: str, callback: object) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type) or not callable(callback):
        raise TypeError(f"{name} must be callable or a Callback, got {validation.brief(callback)}")
    return Function(callback)


def show_progress(_network: Network, report: EpochReport) -> None:
    """Print an epoch on standard error."""
    line = f"epoch {report.epoch}/{report.epochs}: loss {report.loss:.4f}"
    if report.validation_loss is not None:
        line += f", validation loss {report.validation_loss:.4f}"
    if report.validation_accuracy is not None:
        line += f", accuracy {report.validation_accuracy:.2%}"
    print(line, file=sys.stderr, flush=True)
