"""Sums over ranks in the order of the ranks, by messages that move numbers and add none."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SMALL: Final = 64 * 1024
"""Bytes up to which every rank adds all numbers: fewer messages."""


class OrderedSums:
    """Adds arrays of all ranks of a communicator, in memory that is the same in every step."""

    def __init__(self, comm: Any, rank: int, size: int) -> None:
        self._comm, self._rank, self._size = comm, rank, size
        self._room: dict[tuple[str, int], NDArray[Any]] = {}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Replace the values by ((0 + 1) + 2) + ..., their sums over the ranks in order."""
        if self._size == 1:
            return
        if values.nbytes <= _SMALL:
            every = self._buffer(name, self._size * len(values), values.dtype)
            every = every.reshape(self._size, len(values))
            self._comm.Allgather(values, every)
            values[:] = in_order(every)
            return
        # Each rank adds a part, and has it sent to all.
        ends = [len(values) * (rank + 1) // self._size for rank in range(self._size)]
        starts = [0, *ends[:-1]]
        counts = [end - start for start, end in zip(starts, ends, strict=True)]
        mine = counts[self._rank]
        parts = self._buffer(name, self._size * mine, values.dtype)
        places = [rank * mine for rank in range(self._size)]
        self._comm.Alltoallv([values, (counts, starts)], [parts, ([mine] * self._size, places)])
        added = parts.reshape(self._size, mine)
        for part in added[1:]:
            np.add(added[0], part, out=added[0])
        self._comm.Allgatherv(added[0], [values, (counts, starts)])

    def add_by_library(self, values: NDArray[Any]) -> None:
        """Replace the values by their sums over the ranks in the order of the MPI library."""
        sent = self._buffer("library", len(values), values.dtype)
        sent[:] = values
        self._comm.Allreduce(sent, values)

    def _buffer(self, name: str, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        room = self._room.get((name, size))
        if room is None:
            room = self._room[name, size] = np.empty(size, dtype=dtype)
        return room


def in_order(values: NDArray[Any]) -> NDArray[Any]:
    """Return the sum over the first axis, in order."""
    total: NDArray[Any] = values[0].copy()
    for row in values[1:]:
        total += row
    return total
