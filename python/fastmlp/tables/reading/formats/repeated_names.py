"""Rows of a CSV file that repeat the names of the columns, as of files that were put together."""

from collections.abc import Collection, MutableMapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.layouts import Strings
from fastmlp.tables.reading.table import Booleans, Column, ColumnStore, Rows, Table, Text


def leave_out_names(
    table: Table, names: Sequence[str], words: Collection[str], *, complete: bool
) -> None:
    """Leave rows that repeat the names out of a table, with a note; or raise if it is `complete`.

    Parameters
    ----------
    table : Table
        Of a file; its columns may change from text to numbers, except those of `words`.
    names : sequence of str
        As the header has them.

    Raises
    ------
    DataError
        If there are such rows and none may be left out.
    """
    if (are_names := _are_names(table, names)) is None:
        return
    rows, locate = np.flatnonzero(are_names), table.locate
    first = f"{locate(int(rows[0]))} repeats the names of the columns"
    if complete:
        raise DataError(f"{table.source}: {first}: leave it out")
    columns: MutableMapping[str, Column] = ColumnStore(list(table.columns), len(table) - len(rows))
    for name in table.columns:
        text = table.columns[name]
        assert isinstance(text, Text)
        left = _of_rows(text, ~are_names)
        columns[name] = left if name in words else cells.typed(left, table.decimal)
    table.columns, table.locate = columns, lambda row: locate(_row_with(rows, row))
    are = "the row is" if len(rows) == 1 else f"{counted(len(rows), 'such row')} are"
    table.notes.append(f"{first}: {are} left out")


def _are_names(table: Table, names: Sequence[str]) -> NDArray[np.bool_] | None:
    """Return which rows repeat the names; None if there is none, or one has no word at all.

    A word of an only column may be its name by chance.
    """
    texts = [table.held(column) for column in table.columns]
    if len(names) < 2 or not all(names) or not all(map(_is_text, texts)):
        return None
    found = np.ones(len(table), np.bool_)
    for text, name in zip(texts, names, strict=True):
        assert isinstance(text, Text)
        if (place := Strings.of(text.values).place_of(name)) is None:
            return None
        found &= text.codes == place
    return found if found.any() else None


def _is_text(column: object) -> bool:
    return isinstance(column, Text) and not isinstance(column, Booleans)


def _of_rows(text: Text, kept: NDArray[np.bool_]) -> Text:
    """Return some rows of a column, without values that they do not have."""
    codes = text.codes[kept]
    there = np.unique(codes[codes >= 0])
    numbers = np.full(len(text.values) + 1, -1, codes.dtype)  # the last is for code -1
    numbers[there] = np.arange(len(there))
    return Text(text.values_at(there), numbers[codes])


def _row_with(left_out: Rows, row: int) -> int:
    """Return the number of a row among all, from that among those that are left."""
    for out in left_out.tolist():
        row += out <= row
    return row
