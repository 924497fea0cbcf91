"""A thread that reads ahead, if the system can start one."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from fastmlp.streams.chunks import Buffer, Chunk

_AHEAD = 2
"""Buffers: one to train on, and one that is filled meanwhile."""


class _Closed(Exception):  # noqa: N818  (no error)
    """The reader is closed; its chunks are no longer needed."""


class BackgroundReader:
    """Makes chunks in a separate thread, one ahead of the one in use.

    If no thread can be started, each chunk is made when it is requested: the same chunks, later.

    Parameters
    ----------
    make : callable
        Called in that thread with `free`, for an iterator of chunks; see `chunks`.
    capacity : int
        Rows of a buffer.
    """

    def __init__(
        self, make: Callable[[Callable[[], Buffer]], Iterator[Chunk]], capacity: int
    ) -> None:
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        self._ready: SimpleQueue[tuple[Chunk, Buffer] | BaseException] = SimpleQueue()
        for _ in range(_AHEAD):
            self._free.put(Buffer(capacity))
        self._filled: Buffer | None = None  # the reader's
        self._in_use: Buffer | None = None  # that of the last chunk returned
        self._closed = False
        self._chunks: Iterator[Chunk] | None = None  # if there is no thread
        self._thread = threading.Thread(
            target=self._run, args=(make,), name="fastmlp reader", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # the limit of threads is reached
            self._chunks = make(self._take)

    def next(self) -> Chunk:
        """Return the next chunk, and take back the memory of the last one.

        Raises
        ------
        BaseException
            Any exception raised while reading it.
        """
        if self._in_use is not None:
            self._free.put(self._in_use)
            self._in_use = None
        if self._chunks is not None:
            chunk = next(self._chunks)
            self._in_use = self._filled
            return chunk
        while True:
            try:
                made = self._ready.get(timeout=1.0)
                break
            except Empty:
                if not self._thread.is_alive():  # a forked process has only the forking thread
                    raise RuntimeError("the thread that reads the stream is gone") from None
        if isinstance(made, BaseException):
            raise made
        chunk, self._in_use = made
        return chunk

    def close(self) -> None:
        """End the thread after its current read."""
        self._closed = True
        if self._chunks is not None:
            return
        self._free.put(None)
        self._thread.join()

    def _run(self, make: Callable[[Callable[[], Buffer]], Iterator[Chunk]]) -> None:
        try:
            for chunk in make(self._take):
                assert self._filled is not None
                self._ready.put((chunk, self._filled))
        except _Closed:
            pass
        except BaseException as error:  # noqa: BLE001  (raised in the thread that trains)
            self._ready.put(error)

    def _take(self) -> Buffer:
        buffer = self._free.get()
        if buffer is None or self._closed:
            raise _Closed
        self._filled = buffer
        return buffer
