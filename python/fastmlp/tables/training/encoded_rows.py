"""Samples whose rows are looked up as they are needed, so that they take less memory.

A word takes 4 bytes in a table, but in a matrix 4 bytes for each word of its column: where it would
be much larger, rows are encoded when they are looked up. Of a matrix that is there, networks that
hold out different rows would each need a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.stream import RowStream, equal_blocks
from fastmlp.tables.encoding.encoders import Vector
from fastmlp.tables.reading.table import ColumnStore, Table
from fastmlp.tables.training.networks import Part, RowsOfNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastmlp.data.stream import Rows as ReadRows
    from fastmlp.tables.encoding.features import BadRows, Features, Means
    from fastmlp.tables.reading.table import Rows

_LARGE: Final = 1 << 27
"""Bytes of a matrix up to which it is made, so that no row is encoded more than once."""
_TIMES: Final = 2
"""How many times as many numbers as the table it may have beyond that."""
_BLOCK: Final = 1 << 19  # numbers that are looked up together
_MANY_ROWS: Final = 1 << 16
"""Rows from which on networks look up those of a shared matrix: copies of fewer are small."""


def outgrows_table(features: Features, rows: int) -> bool:
    """Return whether the matrix of some rows is large, and much larger than their columns."""
    encoders = [feature.encoder for feature in features.features]
    held = sum(len(each.mean) if isinstance(each, Vector) else 1 for each in encoders)
    width = features.width
    return features.dtype.itemsize * rows * width > _LARGE and width > _TIMES * held


def shares_matrix(features: Features, rows: int) -> bool:
    """Return whether networks that hold out different rows look up those of one matrix."""
    return rows >= _MANY_ROWS and not features.is_raw


class MatrixRows:
    """Rows of a matrix (n, width)."""

    def __init__(self, X: NDArray[np.float32]) -> None:
        self._X = X

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self._X.T)

    @property
    def block_rows(self) -> int:
        """How many rows to look up at a time."""
        return max(1, _BLOCK // self.width)

    def __getitem__(self, positions: Rows) -> NDArray[np.float32]:
        return self._X[positions]


class EncodedRows:
    """Rows of the training part, encoded when they are looked up by their positions in it.

    Parameters
    ----------
    features : Features
        The encoding.
    table : Table
        The table.
    rows : ndarray of int
        The training part.
    trained : mapping of str to ndarray
        Its cross-fitted target means.

    Attributes
    ----------
    bad : list of lists of ndarray
        For `Features.note`.
    """

    def __init__(
        self, features: Features, table: Table, rows: Rows, trained: Mapping[str, Means]
    ) -> None:
        columns = ColumnStore()
        for feature in features.features:  # the others can be released
            columns.hold_in_memory(feature.name, table.held(feature.name))
        self._writers = features.writers(replace(table, columns=columns))
        self._features, self._rows, self._trained = features, rows, trained
        self.bad = self._no_bad_rows()
        for start in range(0, len(rows), self.block_rows):
            some = rows[start : start + self.block_rows]
            features.write(self._writers, some, self._room(len(some)), self.bad)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self._features.width

    @property
    def block_rows(self) -> int:
        """How many rows to look up at a time."""
        return max(1, _BLOCK // self.width)

    def __getitem__(self, positions: Rows) -> NDArray[np.float32]:
        out = self._room(len(positions))
        self._features.write(self._writers, self._rows[positions], out, self._no_bad_rows())
        self._features.put_means(out, self._trained, positions)
        return out

    def _no_bad_rows(self) -> BadRows:
        return [[] for _ in self._writers]

    def _room(self, rows: int) -> NDArray[np.float32]:
        return np.empty((rows, self.width), np.float32)


class EncodedStream(RowStream):
    """Some rows with their targets, and weights if there are any."""

    def __init__(
        self,
        X: EncodedRows | MatrixRows,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None,
        rows: NDArray[np.intp],
    ) -> None:
        self._X, self._y, self._weight, self._rows = X, y, weight, rows

    @property
    def n_features(self) -> int:
        """Columns of the matrix."""
        return self._X.width

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @property
    def block_rows(self) -> Sequence[int]:
        """Rows that are looked up together."""
        return equal_blocks(len(self._rows), self.n_features, self._X.block_rows)

    def read_rows(self, rows: NDArray[np.intp]) -> ReadRows:
        """Return the samples of some rows."""
        places = self._rows[rows]
        samples = (self._X[places], self._y[places])
        return samples if self._weight is None else (*samples, self._weight[places])


@dataclass(frozen=True)
class EncodedSamples:
    """The training part; as `Samples`, but its rows are looked up."""

    X: EncodedRows | MatrixRows
    y: NDArray[Any]
    weight: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.y)

    def split(self, rows: RowsOfNetwork, *, in_place: bool) -> Part:
        """Return what a network is trained on."""
        del in_place  # nothing is copied
        train = (self._stream(rows.train), None) if len(rows.train) else self._no_rows()
        if rows.held_out is None:
            return Part(train, None, rows.count)
        held_out = self._stream(rows.held_out) if len(rows.held_out) else self._no_rows()
        return Part(train, held_out, rows.count)

    def _stream(self, rows: NDArray[np.intp]) -> EncodedStream:
        return EncodedStream(self.X, self.y, self.weight, rows)

    def _no_rows(self) -> tuple[Any, ...]:
        """Return the arrays of a rank that has none of the rows: a stream has at least one."""
        none = np.arange(0)
        weight = () if self.weight is None else (self.weight[none],)
        return (self.X[none], self.y[none], *weight)
