"""The choice of an encoder for each column of a table, fitted to the training part."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables.encoding.cell_values import values_of
from fastmlp.tables.encoding.columns import ColumnReport, needs_preparation, number_notes
from fastmlp.tables.encoding.encoders import (
    LEAST_OFTEN,
    Encoder,
    Number,
    Numbers,
    RawNumber,
    Vector,
    Words,
)
from fastmlp.tables.encoding.features import Feature, Features, Means
from fastmlp.tables.encoding.kinds import (
    FEW_WORDS,
    NUMBERS_ROWS,
    SHUFFLED_ROWS,
    Kind,
    kind_of,
    of_durations,
)
from fastmlp.tables.encoding.pieces import pieces_of
from fastmlp.tables.encoding.row_numbers import are_row_numbers
from fastmlp.tables.encoding.target_means import (
    LEAST_SHARED,
    NumberMeans,
    TargetMeans,
    share_in_other_folds,
)
from fastmlp.tables.encoding.time_zones import of_zones, zones_of
from fastmlp.tables.reading.arrow_cells import release_unused
from fastmlp.tables.reading.stored_numbers import Floats, StoredNumbers
from fastmlp.tables.reading.table import Column, Rows, Table, Text
from fastmlp.tables.splits import folds_of

_MOST_MEANS: Final = 128
_ROWS_OF_NUMBER, _ROWS_OF_NUMBER_FOR_CLASSES = 6, 2
"""Rows to a number, on average, from which on it has a mean: that of a few numeric targets is
mostly noise."""
_SAMPLE: Final = 1 << 13
_MANY_ROWS: Final = 8 * _SAMPLE
MOST_WORDS: Final = 200

NumberEncoding = Literal["piecewise", "standardized"]
WordEncoding = Literal["one-hot", "target means"]


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
) -> tuple[Features, dict[str, Means]]:
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
    kinds = {name: _kind(table, rows, name, targets) for name in names}
    if all(kind.name == "dropped" for kind in kinds.values()):
        kinds = {name: _last_resort(kind) for name, kind in kinds.items()}
    fitting = _Fitting(table, rows, targets, groups, seed)
    if numbers == "piecewise":
        fitting.pieces = pieces_of(kinds, len(rows), classes=classes)
        count = sum(kind.name == "number" for kind in kinds.values())
        fitting.has_means = count * targets.shape[1] <= _MOST_MEANS
        fitting.rows_of_number = _ROWS_OF_NUMBER_FOR_CLASSES if classes else _ROWS_OF_NUMBER
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
    if len(rows) > _MANY_ROWS:
        release_unused()  # fitting takes several times the memory of a column
    return learned, fitting.trained


def _kind(table: Table, rows: Rows, name: str, targets: Floats) -> Kind:
    column = table.columns[name]
    kind = kind_of(column, rows, name, table.decimal, unnamed=name in table.unnamed)
    if name in table.durations:
        return of_durations(kind)
    if kind.name == "date":
        return of_zones(kind, zones_of(table, name))
    if kind.name != "number" or isinstance(column, Text):
        return kind
    return Kind("dropped", SHUFFLED_ROWS) if are_row_numbers(column, rows, targets) else kind


def _last_resort(kind: Kind) -> Kind:
    """Use the row number as a time if a table has no other column."""
    if kind.reason in {NUMBERS_ROWS, SHUFFLED_ROWS}:
        return Kind("number", "numbers the rows, but there is nothing else")
    return kind


@dataclass
class _Fitting:
    """What encoders are fitted to, and the cross-fitted target means of columns that have them."""

    table: Table
    rows: Rows
    targets: Floats
    groups: NDArray[np.integer[Any]] | None
    seed: int
    pieces: int = 0
    has_means: bool = False
    rows_of_number: int = _ROWS_OF_NUMBER
    trained: dict[str, Means] = dataclasses.field(default_factory=dict)

    @cached_property
    def folds(self) -> NDArray[np.int8]:
        """The fold of each row, for cross-fitting."""
        return folds_of(len(self.rows), self.groups, self.seed)

    def word_means(self, name: str, column: Text) -> TargetMeans:
        """Return the fitted target means of words."""
        encoder, crossed = TargetMeans.fit(column, self.rows, self.targets, self.folds)
        self.trained[name] = crossed.astype(np.float32)
        return encoder

    def number_means(self, name: str, values: Floats) -> NumberMeans | None:
        """Return the fitted target means of numbers (n,), if there are many that repeat.

        Such a column may number persons or places, each of which has several rows: neighbouring
        numbers then have nothing in common, which pieces between quantiles assume.
        """
        if not self.has_means or not self._may_repeat(values) or not self._repeat(values):
            return None
        encoder, crossed = NumberMeans.fit(values, self.targets, self.folds)
        self.trained[name] = crossed.astype(np.float32)
        return encoder

    def _repeat(self, values: Floats) -> bool:
        """Return whether there are many numbers, which repeat, also in other folds."""
        is_known = ~np.isnan(values)
        found, codes = np.unique(values[is_known], return_inverse=True)
        if not FEW_WORDS < len(found) <= len(codes) // self.rows_of_number:
            return False
        return share_in_other_folds(codes, self.folds[is_known]) >= LEAST_SHARED

    def _may_repeat(self, values: Floats) -> bool:
        """Return whether many numbers may repeat: a sample says in less time that they do not."""
        if len(values) <= _MANY_ROWS:
            return True
        some = values[self._sample]
        some = some[~np.isnan(some)]
        most = len(values) / self.rows_of_number * max(1, len(some)) / _SAMPLE
        expected = -most * math.expm1(-len(some) / most)  # different ones in the sample
        return len(np.unique(some)) <= expected + 5.0 * math.sqrt(len(some) - expected)

    @cached_property
    def _sample(self) -> NDArray[np.intp]:
        drawn = np.random.Philox(key=self.seed).random_raw(_SAMPLE)
        return (drawn % len(self.rows)).astype(np.intp)


def _learn(learned: Features, fitting: _Fitting, name: str, kind: Kind) -> None:
    table, rows = fitting.table, fitting.rows
    column = table.held(name)
    try:
        encoder = _fit(fitting, name, kind)
    except DataError as error:
        raise DataError(f"{table.source}: column {brief(name)}: {error}") from None
    if reason := _no_information(encoder, column, rows, kind, table.decimal):
        if kind.name == "words" and kind.reason:
            reason = f"{kind.reason}, but {reason}"
        learned.dropped.append(ColumnReport(name, "dropped", 0, reason))
    else:
        learned.features.append(Feature(name, kind, encoder))


def _no_information(
    encoder: Encoder, column: Column | StoredNumbers, rows: Rows, kind: Kind, decimal: str
) -> str:
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
    column = table.held(name)
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
