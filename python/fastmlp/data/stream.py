"""`Stream`: samples that are read as they are needed, for larger-than-memory data."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data.order import windows

_WINDOW_ELEMENTS = 2**22
_BLOCK_ELEMENTS = 2**18

TargetsLike = ArrayLike | Sequence[ArrayLike] | Mapping[str, ArrayLike]
"""An array, or an array for each head of a network with `Heads`."""

Rows = tuple[ArrayLike, TargetsLike] | tuple[ArrayLike, TargetsLike, ArrayLike]
"""(X, y) or (X, y, sample_weight)."""


class Stream(ABC):
    """Samples in blocks, a few of which are in memory at a time.

    ``net.fit(stream)``, ``net.evaluate(stream)`` and ``net.predict(stream)`` accept a stream
    instead of arrays. Subclasses define the two abstract properties and the abstract method below.
    While the network trains, `read` is called by a separate thread, never concurrently for one call
    of ``fit``; if the system cannot start a thread, by the one that trains.

    An epoch shuffles the blocks, and rows within windows: the blocks, in the order drawn, are
    concatenated and cut into windows of `window_rows` rows, whose rows are shuffled. So a window
    should contain rows of many blocks. A stream that fits into one window is trained on in the same
    order, and with the same bits, as the same arrays in memory.
    """

    window_rows: int | None = None
    """Rows shuffled together, at least 1; None is 2^22 divided by the features, at least 1."""

    feature_names: Sequence[str] | None = None
    """Names of the columns of X, if any: see `Network.feature_names`."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of X."""

    @property
    @abstractmethod
    def block_rows(self) -> Sequence[int]:
        """Rows of each block, the unit of random access, mostly read as a whole."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Rows:
        """Return the rows `start` to `stop` - 1 of the stream, which are in one block.

        Ctrl-C during a fit waits until it returns, as the next fit would otherwise read at the
        same time; a second Ctrl-C does not wait.

        Returns
        -------
        tuple (X, y) or (X, y, sample_weight)
            As in `Network.fit`; they may be views.
        """

    @property
    def n_rows(self) -> int:
        """Rows of all blocks."""
        return sum(block_sizes(self))

    def reader(self) -> Callable[[int, int], Rows]:
        """Return the function that reads for one pass or one fit: `read`, or one with a position.

        If a block is read in parts, they are read in order.
        """
        return self.read

    def place(self, row: int) -> tuple[str, int]:
        """Return the file that a row of the stream comes from, and its row in it, from 0."""
        return "the stream", row

    def target_file(self, row: int) -> str:
        """Return the file of the target and the weight of a row."""
        return self.place(row)[0]

    def feature_name(self, feature: int) -> str:
        """Return the name of a feature in messages."""
        return str(feature)

    def target_name(self) -> str:
        """Return the name of the target in messages."""
        return "y"

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the rows of the stream in the order of an epoch.

        ``net.fit(stream)`` gives the same bits as a fit on the same rows in memory in this order.

        Parameters
        ----------
        seed : int
            The seed of the network.
        epoch : int
            The number of epochs trained before: ``net.epoch``.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            A permutation of 0 to n_rows - 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is not an integer, or out of range.
        """
        seed = _validation.integer("seed", seed, minimum=0, maximum=2**64 - 1)
        epoch = _validation.integer("epoch", epoch, minimum=0, maximum=2**32 - 1)
        drawn = windows(block_sizes(self), window_rows(self), seed, epoch, shuffle=True)
        rows = [window.rows() for window in drawn]
        return np.concatenate(rows) if rows else np.empty(0, np.int64)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) through all rows in order, none longer than a window."""
        for window in windows(block_sizes(self), window_rows(self), 0, 0, shuffle=False):
            yield from window.pieces


class RowStream(Stream):
    """Samples of which any rows can be read: an epoch shuffles all of them together.

    It is trained on in the same order, and with the same bits, as the same arrays in memory, and
    only the rows of a few steps are in memory at a time.
    """

    @property
    def window_rows(self) -> int:  # type: ignore[override]
        """All rows are shuffled together."""
        return max(1, self.n_rows)

    @abstractmethod
    def read_rows(self, rows: NDArray[np.intp]) -> Rows:
        """Return some rows, in this order: new arrays, of which the caller may keep parts."""

    def read(self, start: int, stop: int) -> Rows:
        """Return the rows `start` to `stop` - 1."""
        return self.read_rows(np.arange(start, stop))


def block_sizes(stream: Stream) -> list[int]:
    """Return the checked `block_rows` of a stream, which may be a user's.

    Raises
    ------
    TypeError, ValueError
        If they are not integers, at least 0, or more in all than can be counted.
    """
    sizes = _validation.items("block_rows", stream.block_rows, "a sequence of integers")
    if not all(type(size) is int and size >= 0 for size in sizes):  # there may be many
        sizes = [
            _validation.integer(f"block_rows[{i}]", size, minimum=0) for i, size in enumerate(sizes)
        ]
    if sum(sizes) > sys.maxsize:
        raise ValueError(f"block_rows must be at most {sys.maxsize} in all, got {sum(sizes)}")
    return sizes


def check_width(stream: Stream, features: int) -> None:
    """Refuse a stream that does not have as many features as a network.

    Raises
    ------
    TypeError, ValueError
        If it has not.
    """
    given = _validation.integer("n_features", stream.n_features, minimum=0)
    if given != features:
        raise ValueError(f"the stream has {given} features, but the network takes {features}")


def window_rows(stream: Stream) -> int:
    """Return how many rows of a stream are shuffled together."""
    if stream.window_rows is None:
        return max(1, _WINDOW_ELEMENTS // max(1, stream.n_features))
    return _validation.integer("window_rows", stream.window_rows, minimum=1)


def equal_blocks(rows: int, n_features: int, block_rows: object) -> list[int]:
    """Return the sizes of blocks of `block_rows` rows; None is 2^18 divided by the features."""
    size = (
        max(1, _BLOCK_ELEMENTS // max(1, n_features))
        if block_rows is None
        else _validation.integer("block_rows", block_rows, minimum=1)
    )
    whole, rest = divmod(rows, size)
    return [size] * whole + [rest] * (rest > 0)


def rows_of(read: Any) -> tuple[Any, Any, Any]:
    """Return (X, y, sample_weight or None) from an item of a stream or iterator."""
    if not isinstance(read, tuple | list):
        raise TypeError(
            f"a batch must be a tuple (X, y) or (X, y, sample_weight), "
            f"got {_validation.described(read)}"
        )
    if len(read) not in (2, 3):
        raise ValueError(
            f"a batch must be a tuple (X, y) or (X, y, sample_weight), got {len(read)} items"
        )
    X, y, *weight = read
    return X, y, weight[0] if weight else None
