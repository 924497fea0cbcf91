"""Chunks: windows of a stream, shuffled into reused buffers, as whole batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.order import Window, draw_order, windows
from fastmlp.data.stream import Rows, RowStream, Stream, block_sizes, window_rows
from fastmlp.streams.checking import Checked, Demands, check, check_alike, check_count


class Chunk(NamedTuple):
    """The next samples in training order, those of whole steps.

    Attributes
    ----------
    X, y, weight : ndarray, ndarray, ndarray or None
        Arrays for the core.
    last : bool
        Whether it is the last of an epoch.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    weight: NDArray[Any] | None
    last: bool


class Buffer:
    """Memory for the samples of a chunk, allocated when the first samples show their types.

    Attributes
    ----------
    capacity : int
        The maximum number of rows.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._parts: list[NDArray[Any] | None] = []

    def put(self, samples: Checked, at: Any) -> None:
        """Copy samples to the rows `at`: a slice, or one row per sample."""
        if not self._parts:
            self._parts = [
                None if part is None else np.empty((self.capacity, *part.shape[1:]), part.dtype)
                for part in samples
            ]
        _, y, weight = self._parts
        assert y is not None
        check_alike("the stream", (y, weight), samples[1:])
        for room, part in zip(self._parts, samples, strict=True):
            if room is not None and part is not None:
                room[at] = part

    def rows(self, start: int, stop: int) -> Checked:
        """Return views of some rows."""
        x, y, weight = (None if part is None else part[start:stop] for part in self._parts)
        assert x is not None
        assert y is not None
        return x, y, weight


@dataclass(frozen=True)
class Epochs:
    """Which epochs to read, and how.

    Attributes
    ----------
    seed : int
        The seed of the network.
    first, last : int
        The first epoch, counted from the network's first, and the one after the last.
    whole_steps : callable
        Returns how many of a number of samples, the first of an epoch, are those of whole steps.
    shuffle : bool
        Whether to shuffle.
    rank : int
        Whose order of single rows it is; blocks have the same order on all ranks.
    """

    seed: int
    first: int
    last: int
    whole_steps: Callable[[int], int]
    shuffle: bool
    rank: int


def chunks(
    stream: Stream, demands: Demands, epochs: Epochs, free: Callable[[], Buffer]
) -> Iterator[Chunk]:
    """Yield the chunks of some epochs.

    Parameters
    ----------
    stream : Stream
        What to read.
    demands : Demands
        What the network requires.
    epochs : Epochs
        Which epochs, and how.
    free : callable
        Returns a buffer that is no longer in use, and waits for it. Rows left over by a chunk are
        copied to the next buffer before its own buffer is requested again.

    Raises
    ------
    DataError
        If data that was read cannot be used.
    """
    if isinstance(stream, RowStream):
        yield from _chunks_of_rows(stream, demands, epochs, free)
        return
    read, rows = stream.reader(), window_rows(stream)
    sizes = block_sizes(stream)  # once: a file may grow meanwhile
    for epoch in range(epochs.first, epochs.last):
        buffer, filled, done = free(), 0, 0
        drawn = windows(sizes, rows, epochs.seed, epoch, shuffle=epochs.shuffle)
        for window in drawn:
            _fill(buffer, filled, window, read, stream, demands)
            filled += len(window)
            whole = filled if window.last else epochs.whole_steps(done + filled) - done
            if whole == 0:
                continue
            yield Chunk(*buffer.rows(0, whole), window.last)
            if not window.last:
                following = free()
                following.put(buffer.rows(whole, filled), slice(0, filled - whole))
                buffer, filled, done = following, filled - whole, done + whole


def _chunks_of_rows(
    stream: RowStream, demands: Demands, epochs: Epochs, free: Callable[[], Buffer]
) -> Iterator[Chunk]:
    """Yield chunks of rows that are read in the order of training.

    They are in arrays of their own; a free buffer says that it is time to read the next ones.
    """
    count = stream.n_rows
    for epoch in range(epochs.first, epochs.last):
        order = (
            draw_order(epochs.seed, epoch, count, epochs.rank)
            if epochs.shuffle
            else np.arange(count)
        )
        done = 0
        while done < count:
            most = done + free().capacity
            end = count if most >= count else epochs.whole_steps(most)
            rows = order[done:end].astype(np.intp)
            samples = check(stream.read_rows(rows), demands, stream, int(rows[0]))
            yield Chunk(*samples, end == count)
            done = end


def capacity(stream: Stream, batch_size: int) -> int:
    """Return how many rows a buffer must hold."""
    if isinstance(stream, RowStream):
        return max(batch_size, *block_sizes(stream))
    return min(stream.n_rows, window_rows(stream) + batch_size)


def _fill(
    buffer: Buffer,
    first: int,
    window: Window,
    read: Callable[[int, int], Rows],
    stream: Stream,
    demands: Demands,
) -> None:
    """Read the rows of a window and put each at its position, after the first ones."""
    places: NDArray[np.intp] | None = None
    if window.order is not None:
        places = np.empty(len(window), np.intp)
        places[window.order] = np.arange(first, first + len(window))
    done = 0
    for start, stop in window.pieces:
        samples = check(read(start, stop), demands, stream, start)
        count = len(samples[0])
        check_count(stream, start, stop, count)
        at = slice(first + done, first + done + count)
        buffer.put(samples, at if places is None else places[done : done + count])
        done += count
