"""The encoding of a table as a feature matrix, and a report of it for each column."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import _memory
from fastmlp.tables.encoding.cell_values import Writer, bad_cells, other_words, writer
from fastmlp.tables.encoding.columns import (
    ColumnReport,
    Columns,
    how,
)
from fastmlp.tables.encoding.encoders import (
    Encoder,
    RawNumber,
    Words,
    widths,
)
from fastmlp.tables.encoding.kinds import Kind
from fastmlp.tables.encoding.target_means import (
    TargetMeans,
)
from fastmlp.tables.reading.table import Rows, Table

_BLOCK_BYTES, _FEWEST_ROWS = 1 << 21, 512
_PREDICTED_BYTES: Final = 1 << 25

Means = NDArray[np.float32]
"""Cross-fitted target means (n, t) of a column, standardized, as the matrix has them."""

BadRows = list[list[Rows]]
"""Of each feature the rows whose cells stand for nothing that the column holds, in pieces."""


@dataclass(frozen=True, eq=False)
class Feature:
    """A column that is used as input.

    Attributes
    ----------
    name : str
        The name of the column.
    kind : Kind
        Its kind in training.
    encoder : Encoder
        Its encoding.
    """

    name: str
    kind: Kind
    encoder: Encoder


@dataclass(eq=False)
class Features:
    """The fitted encoding of a table as a matrix.

    Attributes
    ----------
    features : list of Feature
        The columns that are used, in order.
    dropped : list of ColumnReport
        The columns that are not used.
    notes : list of str
        Irregularities of the training part, one sentence each.
    decimal : {".", ","} or None
        The decimal mark of numbers in text; None if there were none.
    """

    features: list[Feature]
    dropped: list[ColumnReport]
    notes: list[str] = dataclasses.field(default_factory=list)
    decimal: str | None = None

    @property
    def width(self) -> int:
        """The number of columns of the matrix."""
        return sum(feature.encoder.width for feature in self.features)

    @property
    def is_raw(self) -> bool:
        """Whether the matrix has the columns as they are, in float64; all or none are raw."""
        return isinstance(self.features[0].encoder, RawNumber)

    @property
    def columns(self) -> Columns:
        """How each column is used; used ones come first."""
        used = (
            ColumnReport(f.name, f.kind.name, f.encoder.width, how(f.kind, f.encoder))
            for f in self.features
        )
        return Columns((*used, *self.dropped))

    def names(self) -> list[str]:
        """Return a name for each column of the matrix."""
        return [
            f"{feature.name}[{j}]" if feature.encoder.width > 1 else feature.name
            for feature in self.features
            for j in range(feature.encoder.width)
        ]

    def matrix(self, table: Table, rows: Rows, notes: list[str] | None = None) -> NDArray[Any]:
        """Return some rows of a table as (len(rows), width), float32, or float64 if `is_raw`.

        Raises
        ------
        DataError
            If the table lacks a column.
        """
        out, bad = self.training_part(table, rows, {})
        if notes is not None:
            notes += self._notes(table, bad)
        return out

    def blocks(self, table: Table, rows: Rows, notes: list[str]) -> Iterator[NDArray[Any]]:
        """Yield the matrix of some rows in blocks, at least one, for predictions."""
        writers = self.writers(table)
        bad: BadRows = [[] for _ in self.features]
        count = max(_FEWEST_ROWS, _PREDICTED_BYTES // (self.dtype.itemsize * self.width))
        for start in range(0, max(1, len(rows)), count):
            some = rows[start : start + count]
            out = np.empty((len(some), self.width), self.dtype)
            self.write(writers, some, out, bad)
            yield out
        notes += self._notes(table, bad)
        for f in self.features:
            if isinstance(f.encoder, Words | TargetMeans):
                notes += filter(None, [other_words(table, f.name, f.encoder, rows)])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the matrix."""
        return np.dtype(np.float64 if self.is_raw else np.float32)

    def require(self, table: Table) -> None:
        """Raise `DataError` if a table lacks a column, or one that is used cannot be read."""
        table.add_absent(feature.name for feature in self.features)
        missing = [f.name for f in self.features if f.name not in table.columns]
        if missing:
            table.refuse_absent(missing)

    def writers(self, table: Table) -> list[Writer]:
        """Return what writes the cells of each column as inputs."""
        self.require(table)
        return [writer(table, f.name, f.kind, f.encoder) for f in self.features]

    def write(self, writers: list[Writer], rows: Rows, out: NDArray[Any], bad: BadRows) -> None:
        """Write rows into `out`; adds those with bad cells to the lists of their columns."""
        block = max(_FEWEST_ROWS, _BLOCK_BYTES // (self.dtype.itemsize * self.width))
        for start in range(0, len(rows), block):  # the block of the matrix stays in cache
            some = rows[start : start + block]
            for j, part in enumerate(self._parts(out[start : start + block])):
                with np.errstate(over="ignore", invalid="ignore"):  # for extreme numbers
                    wrong = writers[j](some, part)
                if wrong is not None and wrong.any():
                    bad[j].append(some[wrong])

    def _notes(self, table: Table, bad: BadRows) -> list[str]:
        return [
            bad_cells(table, feature.name, feature.kind, np.concatenate(found))
            for feature, found in zip(self.features, bad, strict=True)
            if found
        ]

    def training_matrix(
        self, table: Table, rows: Rows, trained: Mapping[str, Means]
    ) -> NDArray[Any]:
        """Return the matrix of the training part, whose rows have cross-fitted target means."""
        out, bad = self.training_part(table, rows, trained)
        self.note(table, bad)
        return out

    def training_part(
        self, table: Table, rows: Rows, trained: Mapping[str, Means]
    ) -> tuple[NDArray[Any], BadRows]:
        """Return the matrix of some rows of the training part, and those with bad cells."""
        _memory.require("the matrix of features", self.dtype.itemsize * len(rows) * self.width)
        out = np.empty((len(rows), self.width), self.dtype)
        bad: BadRows = [[] for _ in self.features]
        self.write(self.writers(table), rows, out, bad)
        self.put_means(out, trained)
        return out, bad

    def put_means(
        self, out: NDArray[Any], trained: Mapping[str, Means], at: Rows | slice = slice(None)
    ) -> None:
        """Write the cross-fitted target means of positions in the training part into `out`."""
        for feature, part in zip(self.features, self._parts(out), strict=True):
            if feature.name in trained:
                means = trained[feature.name][at]
                part[:, -means.shape[1] :] = means

    def note(self, table: Table, bad: BadRows) -> None:
        """Add a note for each column that has bad cells in these rows of the training part."""
        self.notes += self._notes(table, bad)

    def _parts(self, out: NDArray[Any]) -> Iterator[NDArray[Any]]:
        starts = widths([feature.encoder for feature in self.features])
        for start, end in pairwise(starts):
            yield out[:, start:end]


def text_columns(features: Features) -> Collection[str]:
    """Return the columns that must be read as text, even if they are numbers."""
    return {f.name for f in features.features if isinstance(f.encoder, Words | TargetMeans)}
