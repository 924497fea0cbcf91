"""`Stream`: samples that are read as they are needed, because memory does not hold them all."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data.order import windows

_WINDOW_ELEMENTS = 2**22
_BLOCK_ELEMENTS = 2**18

Rows = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]
"""(X, y) or (X, y, sample_weight)."""


class Stream(ABC):
    """Samples in blocks, of which a few are in memory at a time.

    ``net.fit(stream)``, ``net.evaluate(stream)`` and ``net.predict(stream)`` take one instead of
    arrays. A stream of your own has the two properties and the method below that are abstract.
    `read` is called by a thread of its own while the network trains, never twice at once for one
    call of ``fit``; where the system gives no thread, by the one that trains.

    An epoch shuffles blocks, and rows within a window: the blocks, one behind the other in the
    order drawn, are cut into windows of `window_rows` rows, whose rows are shuffled. So a window
    should hold rows of many blocks. A stream that fits into one window is trained on in the order,
    and to the bits, of the same arrays in memory.
    """

    window_rows: int | None = None
    """Rows shuffled at once, at least 1; None is as many as have 2^22 features, at least 1."""

    feature_names: Sequence[str] | None = None
    """Names of the columns of X, if they have any: see `Network.feature_names`."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of X."""

    @property
    @abstractmethod
    def block_rows(self) -> Sequence[int]:
        """Rows of each block: what can be read at any place, and is read as a whole mostly."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Rows:
        """Return the rows `start` to `stop` - 1 of the stream, which lie in one block.

        Returns
        -------
        tuple (X, y) or (X, y, sample_weight)
            As `Network.fit` takes them; they may be views.
        """

    @property
    def n_rows(self) -> int:
        """Rows of all blocks."""
        return sum(self.block_rows)

    def reader(self) -> Callable[[int, int], Rows]:
        """Return what reads for one pass or one fit: `read`, or what also remembers its place.

        Of a block that is read in parts, the parts are asked for in their order.
        """
        return self.read

    def place(self, row: int) -> tuple[str, int]:
        """Return the file that a row of the stream comes from, and its row there, from 0."""
        return "the stream", row

    def target_file(self, row: int) -> str:
        """Return the file that the target and the weight of a row come from."""
        return self.place(row)[0]

    def feature_name(self, feature: int) -> str:
        """Return what messages call a feature."""
        return str(feature)

    def target_name(self) -> str:
        """Return what messages call the target."""
        return "y"

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the rows of the stream in the order of an epoch.

        ``net.fit(stream)`` trains to the bits of a fit on the same rows in memory with this order.

        Parameters
        ----------
        seed : int
            The seed of the network.
        epoch : int
            How many epochs the network was trained before: ``net.epoch``.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            A permutation of 0 to n_rows - 1.
        """
        drawn = windows(self.block_rows, window_rows(self), seed, epoch, shuffle=True)
        rows = [window.rows() for window in drawn]
        return np.concatenate(rows) if rows else np.empty(0, np.int64)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) through all rows as they stand, none longer than a window."""
        for window in windows(self.block_rows, window_rows(self), 0, 0, shuffle=False):
            yield from window.pieces


def window_rows(stream: Stream) -> int:
    """Return how many rows of a stream are shuffled at once."""
    if stream.window_rows is None:
        return max(1, _WINDOW_ELEMENTS // max(1, stream.n_features))
    return _validation.integer("window_rows", stream.window_rows, minimum=1)


def equal_blocks(rows: int, n_features: int, block_rows: object) -> list[int]:
    """Return the sizes of blocks of `block_rows` rows; None is as many as have 2^18 features."""
    size = (
        max(1, _BLOCK_ELEMENTS // max(1, n_features))
        if block_rows is None
        else _validation.integer("block_rows", block_rows, minimum=1)
    )
    whole, rest = divmod(rows, size)
    return [size] * whole + [rest] * (rest > 0)


def rows_of(read: Any) -> tuple[Any, Any, Any]:
    """Return (X, y, sample_weight or None) of what a stream or a user's iterator gave."""
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
