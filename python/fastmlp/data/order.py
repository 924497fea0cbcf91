"""The order of an epoch: blocks are shuffled, and then rows within a window of them.

A pure function of the seed, the epoch and the sizes of the blocks; `block_order` of
`fastmlp.reference.random` is its specification.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core

_BLOCKS = 3
"""The purpose that the order of the blocks is drawn for; rows have that of every order."""


@dataclass(frozen=True)
class Window:
    """Rows that are in memory at once.

    Attributes
    ----------
    pieces : list of tuple (start, stop)
        Which rows of the stream, ascending; a piece lies within a block.
    order : ndarray of uint32 or None
        In which order to train on them, counted from the first row of the first piece through all
        pieces; None is as they stand.
    last : bool
        Whether the epoch ends with it.
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
    """Yield the windows of an epoch, each of `window_rows` rows but the last.

    Parameters
    ----------
    block_rows : sequence of int
        The rows of each block, as the blocks stand.
    window_rows : int
        How many rows are shuffled at once.
    seed, epoch : int
        Of the network: its seed, and how many epochs it was ever trained.
    shuffle : bool
        False takes the rows as they stand.
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
    """Yield the first row of each block and that behind its last, in their order of the epoch."""
    ends = np.cumsum(block_rows, dtype=np.int64)
    order = _core.draw_order(seed, epoch, len(ends), _BLOCKS) if shuffle else np.arange(len(ends))
    for block in order.tolist():
        yield int(ends[block]) - block_rows[block], int(ends[block])
