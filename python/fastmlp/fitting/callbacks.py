"""`Callback`: methods that ``Network.fit`` calls during training."""

from collections.abc import Callable
from typing import Any, TypeAlias

from fastmlp import _validation
from fastmlp.fitting.checkpoints import Checkpoint
from fastmlp.history import EpochReport, History

Network: TypeAlias = Any
"""A `fastmlp.Network`, which imports this module.

Any, and not a protocol: users' methods may name the class itself, and a type checker would refuse a
parameter that takes less than the one it overrides.
"""

Follower = Callable[[Network, EpochReport], object]


class Callback:
    """Base class of callbacks. Every method does nothing; override those you need.

    During a method the weights are up to date and nothing changes them: the network may be read,
    copied, written to and used to predict, but not fitted. Exceptions propagate out of ``fit``; the
    weights are then those of the last completed step, and `on_fit_end` is not called.

    A plain function ``f(network, report)`` passed as a callback is called as `on_epoch_end`.

    Examples
    --------
    >>> class Printer(Callback):
    ...     def on_epoch_end(self, network, report):
    ...         print(report.epoch, report.validation_loss)
    ...         return report.loss < 0.01  # stops
    """

    def on_fit_begin(self, network: Network) -> None:
        """Handle the start of the fit, after all its arguments have been checked."""

    def on_epoch_begin(self, network: Network, epoch: int) -> None:
        """Handle the start of an epoch, counted from 1 within this ``fit``."""

    def on_batch_end(self, network: Network, step: int, loss: float) -> object:
        """Handle the end of a step, counted from 0 in this ``fit``.

        `loss` is the mean loss of its batch. Returning a true value stops training after this step,
        which ends its epoch. If this method is overridden, training returns to Python after each
        step and copies its parameters, which may take as long as the step of a small network.
        """

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        """Handle the end of an epoch and its validation. A true result stops training."""

    def on_fit_end(self, network: Network, history: History) -> None:
        """Handle the end of the fit, with its result."""


AnyCallback = Callback | Follower
"""The types of callbacks that ``fit`` accepts."""


class _Function(Callback):
    """A plain function, called at the end of every epoch."""

    def __init__(self, function: Follower) -> None:
        self._function = function

    def on_epoch_end(self, network: Network, report: EpochReport) -> object:
        return self._function(network, report)


def read_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Return the callbacks of ``Network.fit`` as a tuple of `Callback`.

    Parameters
    ----------
    callbacks : Callback, callable, sequence of them, or None
        The argument.

    Raises
    ------
    TypeError
        If it is, or contains, anything else.
    """
    if callbacks is None:
        return ()
    if isinstance(callbacks, Callback | Checkpoint) or callable(callbacks):
        return (_read_callback("callbacks", callbacks),)
    several = _validation.items(
        "callbacks", callbacks, "callable, a Callback, or a sequence of them"
    )
    return tuple(_read_callback(f"callbacks[{i}]", one) for i, one in enumerate(several))


def asks_to_stop(returned: object, method: str) -> bool:
    """Return whether a method of a callback returned something true.

    Raises
    ------
    TypeError
        If that is neither true nor false, such as an array.
    """
    if returned is None or returned is False:
        return False
    try:
        return bool(returned)
    except Exception as error:
        raise TypeError(
            f"callbacks must return True to stop, but {method} returned "
            f"{_validation.described(returned)}, which is neither true nor false"
        ) from error


def _read_callback(name: str, callback: object) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, Checkpoint):
        raise TypeError(f"{name} is a Checkpoint: pass it as fit(checkpoint=...)")
    if isinstance(callback, type) and issubclass(callback, Callback):
        raise TypeError(f"{name} is the class {callback.__name__}; write {callback.__name__}()")
    if not callable(callback):
        raise TypeError(
            f"{name} must be callable or a Callback, got {_validation.described(callback)}"
        )
    return _Function(callback)
