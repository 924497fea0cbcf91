"""`Callback`: what ``Network.fit`` tells while it trains, by methods to override."""

from collections.abc import Callable
from typing import Any, TypeAlias

from fastmlp import _validation
from fastmlp.fitting.checkpoints import Checkpoint
from fastmlp.history import EpochReport, History

Network: TypeAlias = Any
"""A `fastmlp.Network`, which imports this module. Overriding methods may name the class itself."""

Follower = Callable[[Network, EpochReport], object]


class Callback:
    """Base class of what follows a fit. Every method does nothing; override what you need.

    The network rests in every method, and its weights are exact: they may be read, copied, used to
    predict, and written, but not fitted. What a method raises leaves ``fit`` as it is, and the
    weights are those of the last completed step; `on_fit_end` is not called then.

    A plain function ``f(network, report)`` given as a callback is `on_epoch_end`.

    Examples
    --------
    >>> class Printer(Callback):
    ...     def on_epoch_end(self, network, report):
    ...         print(report.epoch, report.validation_loss)
    ...         return report.loss < 0.01  # stops
    """

    def on_fit_begin(self, network: Network) -> None:
        """Before anything is trained, after every argument of ``fit`` was found good."""

    def on_epoch_begin(self, network: Network, epoch: int) -> None:
        """Before an epoch, counted from 1 within this ``fit``."""

    def on_batch_end(self, network: Network, step: int, loss: float) -> object:
        """After each step, counted from 0 within this ``fit``, with the mean loss of its batch.

        A true result stops after it, and ends its epoch there. Only where this method is
        overridden does training come back to Python, and copy its parameters, after each step:
        for small networks that may cost as much as the step.
        """

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        """After an epoch and its validation. A true result stops after it, once all have heard."""

    def on_fit_end(self, network: Network, history: History) -> None:
        """After the last epoch, with what ``fit`` will return."""


AnyCallback = Callback | Follower
"""What ``fit`` takes as a callback."""


class _Function(Callback):
    """A plain function, called at the end of every epoch."""

    def __init__(self, function: Follower) -> None:
        self._function = function

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        return self._function(network, report)


def read_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Return what ``Network.fit`` was given as a tuple of `Callback`.

    Parameters
    ----------
    callbacks : Callback, callable, sequence of them, or None
        The argument.

    Raises
    ------
    TypeError
        If it is anything else, or holds anything else.
    """
    if callbacks is None:
        return ()
    if isinstance(callbacks, Callback | Checkpoint) or callable(callbacks):
        return (_read_callback("callbacks", callbacks),)
    several = _validation.items(
        "callbacks", callbacks, "callable, a Callback, or a sequence of them"
    )
    return tuple(_read_callback(f"callbacks[{i}]", one) for i, one in enumerate(several))


def _read_callback(name: str, callback: object) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, Checkpoint):
        raise TypeError(f"{name} is a Checkpoint: give it as fit(checkpoint=...)")
    if isinstance(callback, type) and issubclass(callback, Callback):
        raise TypeError(f"{name} is the class {callback.__name__}; write {callback.__name__}()")
    if not callable(callback):
        raise TypeError(
            f"{name} must be callable or a Callback, got {_validation.described(callback)}"
        )
    return _Function(callback)
