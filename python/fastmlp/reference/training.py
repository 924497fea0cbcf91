"""What ``Network.fit`` is told, read and checked before it starts."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import arrays, validation
from .early_stopping import EarlyStopping
from .history import EpochReport
from .optimizers import Optimizer
from .random import sample_order

if TYPE_CHECKING:
    from .network import Network

Callback = Callable[["Network", EpochReport], object]


@dataclass(frozen=True)
class Schedule:
    """How to go through the samples.

    Attributes
    ----------
    rows : int
        Number of samples.
    epochs, batch_size : int
        Times to go through them, and samples per step.
    optimizer : Optimizer
        What the parameters do with a gradient.
    shuffle : bool
        Whether to draw an order of samples per epoch.
    orders : list of list of int
        Orders handed in, used in turn instead; empty if there are none.
    """

    rows: int
    epochs: int
    batch_size: int
    optimizer: Optimizer
    shuffle: bool
    orders: list[list[int]]

    def order(self, epoch: int, seed: int, trained: int) -> list[int]:
        """Return the order of samples of an epoch.

        Parameters
        ----------
        epoch : int
            The epoch within this fit, from 0.
        seed : int
            The seed of the network.
        trained : int
            The number of epochs the network was trained before.
        """
        if self.orders:
            return self.orders[epoch % len(self.orders)]
        if self.shuffle:
            return sample_order(seed, trained, self.rows)
        return list(range(self.rows))


def read_schedule(
    epochs: object,
    batch_size: object,
    optimizer: object,
    shuffle: object,
    *,
    rows: int,
    trained: int,
) -> Schedule:
    """Check the arguments of ``Network.fit`` that say how to go through the samples.

    Parameters
    ----------
    epochs, batch_size, optimizer, shuffle : object
        As ``Network.fit`` documents them.
    rows : int
        Number of samples.
    trained : int
        Number of epochs the network was trained before; its counter has 32 bits.
    """
    if not isinstance(optimizer, Optimizer) or type(optimizer) is Optimizer:
        raise TypeError(f"optimizer must be an SGD, Adam, AdamW or RMSprop, got {optimizer!r}")
    handed_in = not isinstance(shuffle, int)
    times = validation.integer("epochs", epochs, 1, 2**32 - 1 - trained)
    return Schedule(
        rows=rows,
        epochs=times,
        batch_size=validation.integer("batch_size", batch_size, 1),
        optimizer=optimizer,
        shuffle=not handed_in and validation.switch("shuffle", shuffle),
        orders=arrays.orders(shuffle, rows, times) if handed_in else [],
    )


def read_pair(data: object) -> tuple[object, object]:
    """Return the samples and targets of a tuple (X, y)."""
    if not isinstance(data, tuple | list):
        raise TypeError(f"validation_data must be a tuple (X, y) or None, got {data!r}")
    if len(data) != 2:
        raise ValueError(f"validation_data must be a tuple (X, y), got {len(data)} items")
    X, y = data
    return X, y


def read_callbacks(
    callbacks: object, early_stopping: EarlyStopping | None, verbose: object
) -> tuple[Callback, ...]:
    """Return the callbacks as a tuple, early stopping first and the progress last, if asked for."""
    followers = _callbacks(callbacks, verbose)
    if early_stopping is not None:
        followers = (early_stopping, *followers)
    for follower in followers:
        if isinstance(follower, EarlyStopping):
            follower.begin()
    return followers


def _callbacks(callbacks: object, verbose: object) -> tuple[Callback, ...]:
    progress = (show_progress,) if validation.switch("verbose", verbose) else ()
    if callbacks is None:
        return progress
    if callable(callbacks):
        return (callbacks, *progress)
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be callable or a sequence of them, got {callbacks!r}")
    followers = tuple(callbacks)
    for i, follower in enumerate(followers):
        if not callable(follower):
            raise TypeError(f"callbacks[{i}] must be callable, got {follower!r}")
    return (*followers, *progress)


def show_progress(_network: "Network", report: EpochReport) -> None:
    """Print an epoch on standard error."""
    line = f"epoch {report.epoch}/{report.epochs}: loss {report.loss:.4f}"
    if report.validation_loss is not None:
        line += f", validation loss {report.validation_loss:.4f}"
    if report.validation_accuracy is not None:
        line += f", accuracy {report.validation_accuracy:.2%}"
    print(line, file=sys.stderr, flush=True)


def flops_per_sample(shapes: Iterable[tuple[int, int]]) -> int:
    """Count the floating-point operations of training on one sample.

    Parameters
    ----------
    shapes : iterable of tuple of int
        The shape (K, N) of each layer: 2 K N forward, 2 K N for the gradient, and, but for the
        first layer, 2 K N backward.
    """
    products = [K * N for K, N in shapes]
    return 6 * sum(products) - 2 * products[0]
