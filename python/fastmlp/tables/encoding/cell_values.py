"""The values of the cells of a column, given its kind, and what an encoder makes of them."""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.encoding.encoders import Encoder, Number, Numbers, RawNumber, Vector, Words
from fastmlp.tables.encoding.kinds import Kind
from fastmlp.tables.encoding.target_means import TargetMeans
from fastmlp.tables.reading import cells, dates
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.stored_numbers import Floats, StoredNumbers
from fastmlp.tables.reading.table import Booleans, Column, Rows, Table, Text

_ENOUGH: Final = 10
"""Rows of words, none of which is known: fewer may all be rare."""

Values = Callable[[Rows], tuple[Floats, NDArray[np.bool_]]]
"""Returns for some rows their numbers (n,), or the parts of their dates (n, 6), NaN where missing;
and whose cells stand for none."""


def values_of(column: Column | StoredNumbers, kind: Kind, decimal: str) -> Values:
    """Return a function that gives the values of rows of a column.

    Text is parsed once per distinct cell, and for the same kind only once.
    """
    if isinstance(column, Booleans):
        return _of_array(column.numbers(), kind)
    if isinstance(column, Text):
        key = (kind.name, kind.order, decimal)
        if key not in column.parsed:
            column.parsed[key] = _of_text(column, kind, decimal)
        return cast("Values", column.parsed[key])
    return _of_array(column, kind)


def _of_text(text: Text, kind: Kind, decimal: str) -> Values:
    if kind.name == "yes/no":
        meant = {**cells.PAIRS, "0": False, "1": True}
        values = np.array([meant.get(value, np.nan) for value in text.values], np.float64)
    elif kind.order is not None:
        values = dates.days(text.values, kind.order)
    else:
        values, _ = cells.numbers(text.values, decimal)
    values = np.append(values, np.nan)  # the last is for code -1
    values[np.isinf(values)] = np.nan
    wrong = np.isnan(values)
    wrong[-1] = False
    if wrong.any():
        wrong[:-1] &= ~cells.are_missing(text.values)
    table = dates.parts(values) if kind.name == "date" else values

    def of_rows(rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
        codes = text.codes[rows]
        return np.take(table.T, codes, axis=-1).T, wrong[codes]

    return of_rows


def _of_array(column: NDArray[np.generic] | StoredNumbers, kind: Kind) -> Values:
    def of_rows(rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
        some = column[rows]
        if some.dtype.kind == "M":
            days = np.where(np.isnat(some), np.nan, _days(some))
            wrong = np.isfinite(days) & (kind.name != "date")
            return (dates.parts(days) if kind.name == "date" else days * np.nan), wrong
        with np.errstate(over="ignore"):
            values = some.astype(np.float64, copy=False)  # `some` is a copy
        if kind.name in {"date", "time of day"}:  # numbers are neither dates nor times of day
            nothing = np.full(len(values), np.nan)
            return dates.parts(nothing) if kind.name == "date" else nothing, ~np.isnan(values)
        bad = np.isinf(values)
        if kind.name == "yes/no":
            bad |= (values != 0.0) & (values != 1.0) & ~np.isnan(values)
        if bad.any():
            values[bad] = np.nan
        return values, bad

    return of_rows


def _days(moments: NDArray[np.generic]) -> Floats:
    return moments.astype("M8[us]").astype(np.int64) / 86400e6


def exact_numbers(
    column: Column, rows: Rows, doubles: Floats, decimal: str
) -> tuple[list[float], NDArray[np.intp]]:
    """Return the distinct numbers of rows, ints where doubles round them, and which each has."""
    if isinstance(column, Text) and cells.are_rounded(column.values):
        codes, which = np.unique(column.codes[rows], return_inverse=True)
        found = [cells.exact(column.values[code], decimal) for code in codes.tolist()]
        return found, which.reshape(-1)
    whole = not isinstance(column, Text) and column.dtype.kind in "iu"
    distinct, which = np.unique(column[rows] if whole else doubles, return_inverse=True)  # type: ignore[index]
    return distinct.tolist(), which.reshape(-1)


Writer = Callable[[Rows, NDArray[Any]], NDArray[np.bool_] | None]
"""Writes what becomes of some rows; returns whose cells stand for nothing that the column holds."""


def writer(table: Table, name: str, kind: Kind, encoder: Encoder) -> Writer:
    """Return a function that encodes rows of a column.

    Raises
    ------
    DataError
        If the column holds vectors and did not in the training, or the other way round; or if its
        dates contradict the order of day and month in training.
    """
    if isinstance(encoder, Words | TargetMeans):
        return _word_writer(encoder, as_text(table.columns[name]))
    if isinstance(encoder, Vector):
        column = table.columns[name]
        if cells.holds_nothing(column):
            column = np.full((len(column), len(encoder.mean)), np.nan)
        if isinstance(column, Text) or column.ndim != 2 or column.shape[1] != len(encoder.mean):
            raise DataError(
                f"{table.source}: column {brief(name)} must hold vectors of "
                f"{len(encoder.mean)} numbers, as in training"
            )
        return _vector_writer(encoder, column)
    held = table.held(name)
    if not isinstance(held, Text) and held.ndim != 1:
        raise DataError(f"{table.source}: column {brief(name)} must not hold vectors")
    if isinstance(held, Text) and kind.order is not None:
        _refuse_other_order(table, name, held, kind.order)
    return _number_writer(encoder, values_of(held, kind, table.decimal))


def _refuse_other_order(table: Table, name: str, text: Text, order: dates.Order) -> None:
    """Refuse a column whose cells show that day and month have changed places since the training.

    The others of its cells might be read as other days without a sign.
    """
    contradicts = np.append(dates.of_other_order(text.values, order), False)  # last: code -1
    if not contradicts.any():
        return
    rows = np.flatnonzero(contradicts[text.codes])
    if len(rows):
        row = int(rows[0])
        cell = brief(text.values[text.codes[row]])
        first, other = ("day", "month") if order == "day first" else ("month", "day")
        raise DataError(
            f"{table.place(row, name)}: {cell} has the {other} first, but in training the {first} "
            "came first: write the dates of a column in one order, or as 2023-12-31"
        )


def _word_writer(encoder: Words | TargetMeans, text: Text) -> Writer:
    known: NDArray[Any] = encoder.known(text)

    def write(rows: Rows, out: NDArray[np.float32]) -> None:
        encoder.encode(known[text.codes[rows]], out)

    return write


def _vector_writer(encoder: Vector, column: NDArray[Any]) -> Writer:
    def write(rows: Rows, out: NDArray[np.float32]) -> None:
        encoder.encode(column[rows], out)

    return write


def _number_writer(encoder: Number | RawNumber | Numbers, values: Values) -> Writer:
    def write(rows: Rows, out: NDArray[Any]) -> NDArray[np.bool_]:
        some, bad = values(rows)
        encoder.encode(some, out)
        return bad

    return write


def bad_cells(table: Table, name: str, kind: Kind, rows: Rows) -> str:
    """Return a note that the cells of some rows stand for nothing that the column holds."""
    column, row = table.columns[name], int(rows[0])
    cell = column.values[column.codes[row]] if isinstance(column, Text) else str(column[row])
    shown = f"a duration of {cell} s" if name in table.durations else brief(cell)
    what = {"date": "no date as in training", "yes/no": "neither yes nor no"}.get(
        kind.name, f"no {kind.name}" if "inf" not in cell else "not finite"
    )
    more = len(rows) - 1
    others = f", as {'is' if more == 1 else 'are'} {counted(more, 'other')}" if more else ""
    return f"{table.place(row, name)}: {shown} is {what}{others}: taken as missing"


def other_words(table: Table, name: str, encoder: Words | TargetMeans, rows: Rows) -> str:
    """Return a note if few words of some rows are known from the training; empty if enough are.

    One row tells if the cells are numbers, which lose zeros in front. Words that are rare in
    training are not known one by one: if there were any, only a column of no other words is noted.
    """
    column = table.columns[name]
    text, counts = _distinct(column, rows)
    known = set(encoder.words)
    is_other = np.array([word not in known for word in text.values], np.bool_)
    total, others = int(counts.sum()), int(counts[is_other].sum())
    are_words = isinstance(column, Text)
    has_rare = are_words and isinstance(encoder, Words) and encoder.others
    enough = others == total if has_rare else 2 * others > total
    if not known or not others or not enough or (are_words and total < _ENOUGH):
        return ""
    cell = brief(text.values[int(is_other.argmax())])
    are_numbers = not isinstance(column, Text) and column.dtype.kind in "iuf"
    what = "are numbers and" if are_numbers else "are"
    advice = ": give text, as numbers have no zeros in front" if are_numbers else ""
    return (
        f"{table.source}: column {brief(name)}: {others:,} of {counted(total, 'cell')}, such as "
        f"{cell}, {what} no words known from the training{advice}"
    )


def _distinct(column: Column, rows: Rows) -> tuple[Text, NDArray[np.intp]]:
    """Return a text with the distinct cells of some rows, and how often each of its values is."""
    if isinstance(column, Text) or column.ndim == 2:
        text = as_text(column)
        return text, text.counts(rows)
    values, counts = np.unique(column[rows], return_counts=True)
    text = as_text(values)
    kept = text.codes >= 0
    often = np.bincount(text.codes[kept], counts[kept], len(text.values)).astype(np.intp)
    return text, often
