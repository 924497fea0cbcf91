"""The encoding of a table as a feature matrix, and a report of it for each column."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data import _memory
from fastmlp.errors import DataError
from fastmlp.tables.encoding.cell_values import Writer, bad_cells, other_words, values_of, writer
from fastmlp.tables.encoding.columns import (
    ColumnReport,
    Columns,
    how,
    needs_preparation,
    number_notes,
)
from fastmlp.tables.encoding.encoders import (
    LEAST_OFTEN,
    Encoder,
    Number,
    Numbers,
    RawNumber,
    Vector,
    Words,
    widths,
)
from fastmlp.tables.encoding.kinds import FEW_WORDS, NUMBERS_ROWS, Kind, kind_of
from fastmlp.tables.encoding.pieces import pieces_of
from fastmlp.tables.encoding.target_means import (
    LEAST_SHARED,
    NumberMeans,
    TargetMeans,
    share_in_other_folds,
)
from fastmlp.tables.reading.stored_numbers import Floats
from fastmlp.tables.reading.table import Column, Rows, Table, Text
from fastmlp.tables.splits import folds_of

_MOST_MEANS: Final = 128
MOST_WORDS: Final = 200
_BLOCK_BYTES, _FEWEST_ROWS = 1 << 21, 512
_PREDICTED_BYTES: Final = 1 << 25

BadRows = list[list[Rows]]
"""Of each feature the rows whose cells stand for nothing that the column holds, in pieces."""

NumberEncoding = Literal["piecewise", "standardized"]
WordEncoding = Literal["one-hot", "target means"]


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
        self, table: Table, rows: Rows, trained: Mapping[str, Floats]
    ) -> NDArray[Any]:
        """Return the matrix of the training part, whose rows have cross-fitted target means."""
        out, bad = self.training_part(table, rows, trained)
        self.note(table, bad)
        return out

    def training_part(
        self, table: Table, rows: Rows, trained: Mapping[str, Floats]
    ) -> tuple[NDArray[Any], BadRows]:
        """Return the matrix of some rows of the training part, and those with bad cells."""
        _memory.require("the matrix of features", self.dtype.itemsize * len(rows) * self.width)
        out = np.empty((len(rows), self.width), self.dtype)
        bad: BadRows = [[] for _ in self.features]
        self.write(self.writers(table), rows, out, bad)
        self.put_means(out, trained)
        return out, bad

    def put_means(
        self, out: NDArray[Any], trained: Mapping[str, Floats], at: Rows | slice = slice(None)
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


def fit_encoders(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    targets: Floats,
    *,
    numbers: NumberEncoding = "piecewise",
    words: WordEncoding = "one-hot",
    classes: bool = False,
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> tuple[Features, dict[str, Floats]]:
    """Choose the encoding of each column, and fit it to some rows.

    Parameters
    ----------
    table : Table
        The table.
    rows : ndarray of int
        The training part.
    names : sequence of str
        The columns to use.
    targets : ndarray, shape (len(rows), t)
        For target means.
    numbers, words : str
        As in `TabularModel`.
    classes : bool
        Whether the target is a class: see `pieces_of` and `_Fitting.means`.
    groups : ndarray of int, shape (len(rows),), optional
        Rows of one group are in one fold of the cross-fitted target means.
    seed : int
        For these folds.

    Returns
    -------
    features : Features
        The fitted encoding.
    trained : dict of str to ndarray
        The cross-fitted target means of the training part, for `Features.training_matrix`.

    Raises
    ------
    DataError
        If no column is left.
    """
    kinds = {
        name: kind_of(table.columns[name], rows, name, table.decimal, unnamed=name in table.unnamed)
        for name in names
    }
    if all(kind.name == "dropped" for kind in kinds.values()):
        kinds = {name: _last_resort(kind) for name, kind in kinds.items()}
    fitting = _Fitting(table, rows, targets, folds_of(len(rows), groups, seed))
    if numbers == "piecewise":
        fitting.pieces = pieces_of(kinds, len(rows), classes=classes)
        count = sum(kind.name == "number" for kind in kinds.values())
        fitting.has_means = classes and count * targets.shape[1] <= _MOST_MEANS
    learned = Features([], [], number_notes(table, kinds))
    for name, kind in kinds.items():
        if kind.name == "dropped":
            learned.dropped.append(ColumnReport(name, "dropped", 0, kind.reason))
            continue
        column = table.columns[name]
        by_means = kind.name == "words" and words == "target means"
        if by_means and isinstance(column, Text) and _has_many(column, rows):
            learned.features.append(Feature(name, kind, fitting.word_means(name, column)))
        else:
            _learn(learned, fitting, name, kind)
    if not learned.features:
        why = "; ".join(f"{brief(report.name)} {report.how}" for report in learned.dropped[:3])
        raise DataError(f"{table.source}: no column is left to learn from: {why}")
    numeric = (table.held(f.name) for f in learned.features if f.kind.name == "number")
    if table.certainty or any(isinstance(column, Text) for column in numeric):
        learned.decimal = table.decimal
    if numbers == "standardized" and not any(
        needs_preparation(f.name, f.kind, f.encoder) for f in learned.features
    ):
        learned.features = [
            Feature(f.name, f.kind, RawNumber.of(f.encoder))
            for f in learned.features
            if isinstance(f.encoder, Number)
        ]
    return learned, fitting.trained


def _last_resort(kind: Kind) -> Kind:
    """Use the row number as a time if a table has no other column."""
    if kind.reason == NUMBERS_ROWS:
        return Kind("number", "numbers the rows, but there is nothing else")
    return kind


@dataclass
class _Fitting:
    """What encoders are fitted to, and the cross-fitted target means of columns that have them."""

    table: Table
    rows: Rows
    targets: Floats
    folds: NDArray[np.intp]
    pieces: int = 0
    has_means: bool = False
    trained: dict[str, Floats] = dataclasses.field(default_factory=dict)

    def word_means(self, name: str, column: Text) -> TargetMeans:
        """Return the fitted target means of words."""
        encoder, self.trained[name] = TargetMeans.fit(column, self.rows, self.targets, self.folds)
        return encoder

    def number_means(self, name: str, values: Floats) -> NumberMeans | None:
        """Return the fitted target means of numbers (n,), if there are many that repeat.

        Such a column may number persons or places, each of which has several rows: neighbouring
        numbers then have nothing in common, which pieces between quantiles assume. Scores of
        numeric targets do not gain from it.
        """
        if not self.has_means:
            return None
        is_known = ~np.isnan(values)
        found, codes = np.unique(values[is_known], return_inverse=True)
        if not FEW_WORDS < len(found) <= len(codes) // 2:
            return None
        if share_in_other_folds(codes, self.folds[is_known]) < LEAST_SHARED:
            return None
        encoder, self.trained[name] = NumberMeans.fit(values, self.targets, self.folds)
        return encoder


def _learn(learned: Features, fitting: _Fitting, name: str, kind: Kind) -> None:
    table, rows = fitting.table, fitting.rows
    column = table.columns[name]
    try:
        encoder = _fit(fitting, name, kind)
    except DataError as error:
        raise DataError(f"{table.source}: column {brief(name)}: {error}") from None
    if reason := _no_information(encoder, column, rows, kind, table.decimal):
        learned.dropped.append(ColumnReport(name, "dropped", 0, reason))
    else:
        learned.features.append(Feature(name, kind, encoder))


def _no_information(encoder: Encoder, column: Column, rows: Rows, kind: Kind, decimal: str) -> str:
    """Return why all rows have the same inputs; empty if they differ."""
    if isinstance(encoder, Words) and not encoder.missing and not encoder.words:
        return f"has no word that occurs {LEAST_OFTEN} times"
    # 1 is the deviation of constants.
    if isinstance(encoder, Number) and not encoder.missing and encoder.deviation == 1.0:
        values, _ = values_of(column, kind, decimal)(rows)
        return f"is always {values[0]}" if (values == values[0]).all() else ""
    if isinstance(encoder, Vector) and not isinstance(column, Text) and encoder.deviation == 1.0:
        vectors = column[rows].astype(np.float64)
        return f"is always {brief(vectors[0].tolist())}" if (vectors == vectors[0]).all() else ""
    return ""


def _fit(fitting: _Fitting, name: str, kind: Kind) -> Encoder:
    table, rows = fitting.table, fitting.rows
    column = table.columns[name]
    if kind.name == "words":
        assert isinstance(column, Text)
        return Words.fit(column, rows, MOST_WORDS if _has_many(column, rows) else FEW_WORDS)
    if kind.name == "vector":
        assert not isinstance(column, Text)
        return Vector.fit(column[rows])
    values, _ = values_of(column, kind, table.decimal)(rows)
    if kind.name == "date":
        return Numbers.fit(values, fitting.pieces)
    if kind.name == "yes/no":
        return Number.fit(values)
    means = fitting.number_means(name, values) if kind.name == "number" else None
    return Number.fit(values, fitting.pieces, means=means)


def _has_many(text: Text, rows: Rows) -> bool:
    return bool(np.count_nonzero(text.counts(rows)) > FEW_WORDS)


def text_columns(features: Features) -> Collection[str]:
    """Return the columns that must be read as text, even if they are numbers."""
    return {f.name for f in features.features if isinstance(f.encoder, Words | TargetMeans)}
