"""The selection of rows and columns of a table, from the arguments of a fit."""

import math
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp._validation import brief
from fastmlp.data._conversion import any_array
from fastmlp.data._text import listing
from fastmlp.errors import DataError
from fastmlp.tables.encoding.target import Target, known_rows
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.table import Rows, Table, Text


@dataclass(frozen=True, eq=False)
class Selection:
    """The selected rows and columns.

    Attributes
    ----------
    table : Table
        The table.
    targets, features : list of str
        Columns by their full names.
    rows : ndarray of int
        The rows that have a target and a weight above 0, ascending.
    weight : ndarray, shape (n,), or None
        For all rows of the table.
    groups : ndarray of int, shape (n,), or None
        For all rows of the table, numbered from 0.
    notes : list of str
        What was left out, one sentence each.
    """

    table: Table
    targets: list[str]
    features: list[str]
    rows: Rows
    weight: NDArray[np.float64] | None
    groups: NDArray[np.intp] | None
    notes: list[str]


def select(
    table: Table,
    target: str | Sequence[str] | None,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    weight: str | ArrayLike | None = None,
    groups: str | ArrayLike | None = None,
    missing_target: str = "drop",
    like: Target | None = None,
) -> Selection:
    """Return the selection; the arguments are those of `TabularModel.fit`.

    What says that a target is missing is decided by the training, of which `like` is the target.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; `DataError` if the table is.
    """
    _validation.choice("missing_target", missing_target, ("drop", "error"))
    targets = _target_columns(table, target)
    groups = table.group if groups is None else groups
    uses = dict.fromkeys(targets, "a target")
    uses |= {table.resolve(weight): "the weights"} if isinstance(weight, str) else {}
    uses |= {table.resolve(groups): "the groups"} if isinstance(groups, str) else {}
    dropped = _columns(table, "drop", drop)
    if both := [name for name in dropped if name in targets]:
        raise ValueError(f"drop must not contain the target, got {brief(both[0])}")
    uses = {**dict.fromkeys(dropped, "in drop"), **uses}
    names = [name for name in table.columns if name not in uses]
    if features is None:
        for name, error in table.unusable.items():
            if name not in dropped:
                raise error
    else:
        names = _columns(table, "features", features)
        if both := [name for name in names if name in uses]:
            raise ValueError(
                f"features must not contain {brief(both[0])}, which is {uses[both[0]]}"
            )
    if not names:
        raise DataError(f"{table.source}: there is no column beside the target to learn from")
    if len(table) == 0:
        raise DataError(f"{table.source}: there are no rows")
    rows, notes = _rows_with_target(table, targets, missing_target, like)
    notes += _blank_notes(table, targets)
    weights = None if weight is None else _weights(table, weight)
    if weights is not None:
        rows = rows[weights[rows] > 0.0]
        if not len(rows):
            raise ValueError("sample_weight must not be 0 for all rows")
    codes = None if groups is None else _groups(table, groups)
    return Selection(table, targets, names, rows, weights, codes, notes)


def _target_columns(table: Table, target: str | Sequence[str] | None) -> list[str]:
    if target is None:
        if table.target is None:
            raise DataError(
                f"{table.source}: name the target; columns are {listing(list(table.columns))}"
            )
        return [table.target]
    values = 0 if isinstance(target, str) or not isinstance(target, Sized) else len(target)
    if len(table.columns) < values == len(table):
        raise TypeError(
            f"target must name a column or several, got {values:,} values, one for each row: make "
            "them a column of the table"
        )
    names = _columns(table, "target", target)
    if not names:
        raise ValueError("target must name a column, got none")
    return names


def _columns(table: Table, argument: str, names: object) -> list[str]:
    """Return the full names of the columns that an argument names, each once."""
    several: list[Any] = [names]
    if not isinstance(names, str):
        several = _validation.items(argument, names, "a name or a sequence of names")
    columns: dict[str, None] = {}
    for name in several:
        if not isinstance(name, str):
            raise TypeError(f"{argument} must hold names, got {_validation.described(name)}")
        unusable = argument == "drop" and name in table.unusable
        if (column := name if unusable else table.resolve(name)) in columns:
            twice = f"{brief(column)} occurs twice"
            raise ValueError(f"{argument} must name different columns, {twice}")
        columns[column] = None
    return list(columns)


def _rows_with_target(
    table: Table, targets: Sequence[str], missing_target: str, like: Target | None
) -> tuple[Rows, list[str]]:
    known = known_rows(table, targets, like=like)
    rows = np.flatnonzero(known).astype(np.intp, copy=False)
    without = len(table) - len(rows)
    if not without:
        return rows, []
    row = int(known.argmin())
    name = next(name for name in targets if not known_rows(table, [name], like=like)[row])
    first = table.place(row, name)
    if not len(rows):
        raise DataError(f"{table.source}: the target is missing in every row")
    if missing_target == "error":
        raise DataError(f"{first}: the target is missing")
    count = "the row is" if without == 1 else f"{without:,} rows without one are"
    return rows, [f"{first}: the target is missing: {count} left out"]


def _blank_notes(table: Table, targets: Sequence[str]) -> list[str]:
    """Return a note for each target with cells that differ only by blanks around them."""
    columns = ((name, table.held(name)) for name in targets)
    return [
        f"{table.source}: the target {brief(name)}: {brief(column.merged)} is the same as "
        f"{brief(column.merged.strip())}: blanks around a cell do not count"
        for name, column in columns
        if isinstance(column, Text) and column.merged
    ]


def _weights(table: Table, weight: str | ArrayLike) -> NDArray[np.float64]:
    if isinstance(weight, str):
        column = table.column(weight)
        if isinstance(column, Text) or column.ndim != 1 or column.dtype.kind not in "biuf":
            raise DataError(f"{table.source}: the weights, column {brief(weight)}, must be numbers")
        values = column.astype(np.float64)
    else:
        array = any_array("sample_weight", weight)
        if array.dtype.kind in "cmM":  # NumPy would make numbers of them
            raise ValueError(f"sample_weight must be real numbers, got dtype {array.dtype}")
        try:
            values = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"sample_weight must be numbers within float64: {error}") from None
        if values.shape != (len(table),):
            raise ValueError(f"sample_weight must have shape ({len(table)},), got {values.shape}")
    if not (np.isfinite(values) & (values >= 0.0)).all():
        row = int((~(np.isfinite(values) & (values >= 0.0))).argmax())
        raise ValueError(f"sample_weight[{row}] is {values[row]}; weights are finite, at least 0")
    return values


def _groups(table: Table, groups: str | ArrayLike) -> NDArray[np.intp]:
    values: Any
    if isinstance(groups, str):
        column = table.column(groups)
        values = column.codes if isinstance(column, Text) else as_text(column).codes
    else:
        values = any_array("groups", groups)
        if values.shape != (len(table),):
            raise ValueError(f"groups must have shape ({len(table)},), got {values.shape}")
    try:
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    except TypeError:  # of several types, or None
        return _numbered(values.tolist())


def _numbered(values: list[Any]) -> NDArray[np.intp]:
    """Return a number for each group, in the order in which they appear; None and NaN are one."""
    numbers: dict[Any, int] = {}
    known = (None if isinstance(value, float) and math.isnan(value) else value for value in values)
    try:
        return np.array([numbers.setdefault(value, len(numbers)) for value in known], np.intp)
    except TypeError as error:
        raise TypeError(f"groups must hold numbers or words: {error}") from None
