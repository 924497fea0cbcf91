"""The order of an epoch: blocks are shuffled, then rows within windows of several blocks.

A pure function of the seed, the epoch and the sizes of the blocks; `block_order` of
`fastmlp.reference.random` is its specification.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core

_ROWS, _BLOCKS = 1, 3
"""The random purposes of the orders of rows and of blocks."""
_RANKS = 256
"""How far the purposes of two ranks are apart."""


def draw_order(seed: int, epoch: int, n: int, rank: int = 0) -> NDArray[np.uint32]:
    """Return the order (n,) that an epoch of a seed draws of the `n` samples of a rank."""
    return _core.draw_order(seed, epoch, n, _ROWS + _RANKS * rank)


@dataclass(frozen=True)
class Window:
    """Rows that are in memory together.

    Attributes
    ----------
    pieces : list of tuple (start, stop)
        Ranges of rows of the stream, ascending; each is within one block.
    order : ndarray of uint32 or None
        The order to train on them, as indices into the concatenated pieces; None keeps their order.
    last : bool
        Whether it is the last of the epoch.
    """

    pieces: list[tuple[int, int]]
    order: NDArray[np.uint32] | None
    last: bool

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.pieces)

    def rows(self) -> NDArray[np.int64]:
        """Return the rows of the stream in the order of training."""
        rows = np.concatenate([np.arange(start, stop) for start, stop in self.pieces])
        return rows if self.order is None else rows[self.order]


def windows(
    block_rows: Sequence[int], window_rows: int, seed: int, epoch: int, *, shuffle: bool
) -> Iterator[Window]:
    """Yield the windows of an epoch, each with `window_rows` rows, except the last.

    Parameters
    ----------
    block_rows : sequence of int
        The number of rows of each block.
    window_rows : int
        The number of rows shuffled together.
    seed, epoch : int
        The seed of the network, and the number of epochs it was ever trained.
    shuffle : bool
        False keeps the order of the rows.
    """
    first, total = 0, sum(block_rows)
    pieces: list[tuple[int, int]] = []
    filled = 0
    for start, stop in _blocks(block_rows, seed, epoch, shuffle=shuffle):
        while start < stop:
            end = min(stop, start + window_rows - filled)
            pieces.append((start, end))
            filled += end - start
            start = end  # noqa: PLW2901  (what is left of the block)
            if filled == window_rows or first + filled == total:
                order = _core.draw_order(seed, epoch, filled, first=first) if shuffle else None
                first += filled
                yield Window(sorted(pieces), order, first == total)
                pieces, filled = [], 0


def _blocks(
    block_rows: Sequence[int], seed: int, epoch: int, *, shuffle: bool
) -> Iterator[tuple[int, int]]:
    """Yield the (start, stop) rows of each block, in the order of the epoch."""
    ends = np.cumsum(block_rows, dtype=np.int64)
    order = _core.draw_order(seed, epoch, len(ends), _BLOCKS) if shuffle else np.arange(len(ends))
    for block in order.tolist():
        yield int(ends[block]) - block_rows[block], int(ends[block])
