"""Columns of numbers in few bytes, and those of large tables in a temporary file.

Most numbers in files are decimals of a few digits. As whole numbers and a power of ten they take
half the memory of doubles. The quotient of two numbers that doubles hold is the double nearest to
the decimal, which is what a reader of text makes of it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]

LARGE: Final = 1 << 26
"""Bytes of doubles from which on a temporary file has them: memory is for what is computed."""
_MOST_PLACES: Final = 9
_TRIED: Final = 256
"""Numbers that tell how many decimals there may be, before all are converted."""
_BLOCK: Final = 1 << 14  # numbers that stay in a core's cache
_PAGE: Final = 1 << 12
_DOUBLE, _WHOLE = np.dtype(np.float64), np.dtype(np.int32)
_MISSING: Final = np.iinfo(np.int32).min


class _Area(Protocol):
    """A place of eight bytes for each cell of some columns."""

    rows: int

    def read(self, column: int, rows: Rows | slice, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return some rows of a column, which may be a view."""

    def write(self, column: int, start: int, values: NDArray[Any]) -> None:
        """Write the rows of a column from `start` on."""


class _Memory:
    """An area in memory of the system, of which only what is written takes any.

    An allocator would keep most of what it gets back in pieces.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.rows = rows + -rows % _PAGE + _PAGE  # whole pages, at least one
        private: dict[str, int] = {}
        if hasattr(mmap, "MAP_PRIVATE"):
            private["flags"] = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        area = np.frombuffer(mmap.mmap(-1, 8 * columns * self.rows, **private))
        self._area = area.reshape(columns, self.rows)

    def read(self, column: int, rows: Rows | slice, dtype: np.dtype[Any]) -> NDArray[Any]:
        some: NDArray[Any] = self._area[column].view(dtype)[rows]
        return some

    def write(self, column: int, start: int, values: NDArray[Any]) -> None:
        self._area[column].view(values.dtype)[start : start + len(values)] = values


class _File:
    """An area in a temporary file, which the system deletes with the last object that has it.

    Raises
    ------
    OSError
        If there can be no such file.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.rows = rows + -rows % _PAGE + _PAGE
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as this object)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        if hasattr(os, "posix_fallocate"):  # a full disk is an error now rather than later
            os.posix_fallocate(self._file.fileno(), 0, 8 * columns * self.rows)

    def read(self, column: int, rows: Rows | slice, dtype: np.dtype[Any]) -> NDArray[Any]:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.rows)
        else:
            start, stop = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        some = np.empty(max(0, stop - start), dtype)
        with self._lock:
            self._file.seek(8 * column * self.rows + dtype.itemsize * start)
            self._file.readinto(some.data)
        return some if isinstance(rows, slice) else some[rows - start]

    def write(self, column: int, start: int, values: NDArray[Any]) -> None:
        with self._lock:
            self._file.seek(8 * column * self.rows + values.itemsize * start)
            self._file.write(np.ascontiguousarray(values).data)


def _area(columns: int, rows: int) -> _Area:
    if 8 * columns * rows >= LARGE:
        with contextlib.suppress(OSError):  # there is no folder for it, or no room
            return _File(columns, rows)
    return _Memory(columns, rows)


class StoredNumbers:
    """A stored column of numbers (n,), NaN where missing; indexing gives doubles.

    Those that are packed are whole numbers divided by a power of ten, of `places` decimals, where
    the least int32 is NaN, and -0 has become 0. Others, whose `places` is -1, are doubles.
    """

    ndim: Final = 1
    dtype: Final = _DOUBLE

    def __init__(self, area: _Area, column: int, count: int = 0, places: int = 0) -> None:
        self._area, self._column, self._count = area, column, count
        self.places = places

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: Rows | slice) -> Floats:
        if isinstance(rows, slice):
            rows = slice(*rows.indices(self._count))
        if self.places < 0:
            doubles: Floats = self._area.read(self._column, rows, _DOUBLE)
            return doubles
        return _unpacked(self._area.read(self._column, rows, _WHOLE), self.places)

    def append(self, values: Floats) -> None:
        """Add numbers (n,)."""
        packed = None if self.places < 0 else _packed(values, self.places)
        places = -1 if packed is None else packed[1]
        if places != self.places:
            self._rewrite(places)
        written = values if packed is None or self.places < 0 else packed[0]
        self._area.write(self._column, self._count, written)
        self._count += len(values)

    def _rewrite(self, places: int) -> None:
        """Write what is there again with more decimals, or as doubles."""
        values = self[:]
        whole = None if places < 0 else _whole(values, places)
        self.places = -1 if whole is None else places
        self._area.write(self._column, 0, values if whole is None else whole)

    def moved(self, area: _Area) -> StoredNumbers:
        """Return the column in another area."""
        area.write(self._column, 0, self._stored())
        return StoredNumbers(area, self._column, self._count, self.places)

    def _stored(self) -> NDArray[Any]:
        """Return the numbers as they are stored."""
        dtype = _DOUBLE if self.places < 0 else _WHOLE
        return self._area.read(self._column, slice(self._count), dtype)

    def in_memory(self) -> StoredNumbers:
        """Return the column in memory; itself if it is there."""
        if isinstance(self._area, _Memory):
            return self
        alone = StoredNumbers(_Memory(1, self._count), 0, self._count, self.places)
        alone._area.write(0, 0, self._stored())
        return alone


def _packed(values: Floats, places: int) -> tuple[NDArray[np.int32], int] | None:
    """Return numbers as whole ones, of at least this many decimals, and of how many."""
    for count in range(places, _MOST_PLACES + 1):
        # Most parts of a column have as many decimals as those before.
        if count > places and _whole(values[:_TRIED], count) is None:
            continue
        if (whole := _whole(values, count)) is not None:
            return whole, count
    return None


def _whole(values: Floats, places: int) -> NDArray[np.int32] | None:
    """Return numbers times a power of ten; None if they would not come back equal."""
    power, whole = 10.0**places, np.empty(len(values), np.int32)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(block * power)
            exact = (np.abs(scaled) < -float(_MISSING)) & (scaled / power == block)
        if not exact.all():
            missing = np.isnan(block)
            if not (exact | missing).all():
                return None
            scaled[missing] = _MISSING
        whole[start : start + _BLOCK] = scaled
    return whole


def _unpacked(whole: NDArray[np.int32], places: int) -> Floats:
    values: Floats = whole / 10.0**places
    values[whole == _MISSING] = np.nan
    return values


class GrowingNumbers:
    """Columns of numbers that grow, as files are read piece by piece.

    Parameters
    ----------
    names : sequence of str
        The columns.
    rows : int
        How many there may be; more are possible.
    """

    def __init__(self, names: Sequence[str], rows: int) -> None:
        self._area = _area(len(names), rows)
        self.columns = {name: StoredNumbers(self._area, j) for j, name in enumerate(names)}

    def append(self, name: str, values: Floats) -> None:
        """Add numbers (n,) to a column."""
        needed = len(self.columns[name]) + len(values)
        if needed > self._area.rows:
            self._area = _area(len(self.columns), 2 * needed)
            self.columns = {name: held.moved(self._area) for name, held in self.columns.items()}
        self.columns[name].append(values)
