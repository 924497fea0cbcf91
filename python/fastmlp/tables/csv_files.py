"""CSV files: every column is read as text, by pyarrow if it is installed, and then typed.

CSV libraries can lose data silently: the rest of a file after an unclosed quote, or rows of another
length. Therefore the dialect is detected here, and the result is checked against the file.

Over 400 lines, as some rows of a file are read by the same steps as all of them.
"""

import csv
import io
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from fastmlp._validation import brief
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables import cells
from fastmlp.tables.dialect import SAMPLE, Dialect, sniff, unique_names
from fastmlp.tables.table import Column, Table, Text

_BLOCK: Final = 1 << 22
_releasing: Final = threading.Lock()
_MOST_SKIPPED: Final = 0.01
_MANY_LINES: Final = 3
_FIRST_ROWS: Final = 500


@dataclass
class _Skipped:
    """Rows whose number of cells differs from the header's."""

    rows: list[tuple[int, int]] = field(default_factory=list)
    """Of each the row, counting those skipped, and the number of its cells."""
    texts: list[str] = field(default_factory=list)
    """Of those of several lines the text."""


def read_csv(
    source: str,
    data: bytes,
    *,
    expected: Collection[str] = (),
    as_text: Collection[str] = (),
    complete: bool = False,
    decimal: str | None = None,
    again: Callable[[], bytes] | None = None,
) -> Table:
    """Read the text of a CSV file.

    Parameters
    ----------
    source : str
        The file, for messages.
    data : bytes
        Its content, UTF-8.
    expected : collection of str, optional
        Columns that are known to exist.
    as_text : collection of str, optional
        Columns that stay text even if all their cells are numbers.
    complete : bool, default False
        Raise for a single row of another length, instead of leaving it out with a note.
    decimal : {".", ","}, optional
        The decimal mark if the file leaves it open: that of the training.
    again : callable, optional
        Returns `data` again, so that it need not be kept for line numbers in messages.

    Raises
    ------
    DataError
        If the file is empty, has no rows, has an unclosed quote, or has too many rows whose length
        differs from the header's.
    """
    dialect = _sniffed(source, data, expected, as_text, decimal)
    names, notes = unique_names(dialect.names)
    skipped = _Skipped()
    start = _after_lines(data, dialect.skip)
    pyarrow = _pyarrow_csv(dialect)
    if pyarrow is None:
        columns = _by_csv(source, data[start:].decode(), dialect, names, skipped, as_text)
    else:
        columns = _by_pyarrow(source, pyarrow, data, start, dialect, names, skipped, as_text)
    table = Table(source, columns, dialect.decimal, dialect.notes + notes)
    table.certainty = dialect.certainty
    table.unnamed = {new for new, old in zip(names, dialect.names, strict=True) if not old}
    table.locate = lambda row: f"line {_line_of(data, start, dialect, len(names), row)}"
    _check(table, skipped, data, start, dialect, complete=complete)
    if again is not None:
        table.locate = lambda row: f"line {_line_of(again(), start, dialect, len(names), row)}"
    return table


def count_lines(source: str, data: bytes) -> int:
    """Return the lines below the header, which are the rows unless one is blank or of other length.

    Raises
    ------
    DataError
        As `read_csv`.
    """
    return _line_ends(data, first_row(source, data)) + (not data.endswith(b"\n"))


def first_row(source: str, data: bytes) -> int:
    """Return the position where the first row below the header begins.

    Raises
    ------
    DataError
        As `read_csv`.
    """
    return _after_lines(data, _sniffed(source, data, (), (), None).skip)


def read_lines(path: Path, first: int, last: int, as_text: Collection[str]) -> Table:
    """Read the bytes from `first` to before `last` of a file, whole rows without quotes.

    The dialect is that of the whole file, which its beginning tells.

    Raises
    ------
    DataError
        If a row has another number of cells than the header.
    OSError
        If the file cannot be read.
    """
    source, skipped = str(path), _Skipped()
    with path.open("rb") as file:
        dialect = _sniffed(source, file.read(SAMPLE + 1), (), (), None)
        file.seek(first)
        data = file.read(last - first)
    names, _ = unique_names(dialect.names)
    pyarrow = _pyarrow_csv(dialect)
    if pyarrow is None:
        columns = _by_csv(source, data.decode(), dialect, names, skipped, as_text)
    else:
        columns = _by_pyarrow(source, pyarrow, data, 0, dialect, names, skipped, as_text)
    if skipped.rows:
        raise DataError(f"{source}: rows differ in their number of cells")
    table = Table(source, columns, dialect.decimal)
    table.certainty = dialect.certainty
    return table


def _check(
    table: Table, skipped: _Skipped, data: bytes, start: int, dialect: Dialect, *, complete: bool
) -> None:
    """Raise if rows of a table are lost, or add a note."""
    source, names = table.source, list(table.columns)
    for text in skipped.texts:
        _refuse_swallowed(source, text, dialect.delimiter, len(names), None)
    if len(table) == 0:
        raise DataError(f"{source}: there are no rows below the header")
    lines, rows = _line_ends(data, start), len(table) + len(skipped.rows)
    if not rows - 1 <= lines <= rows:  # not every line is a row: a cell may hold some
        _check_quotes(table, dialect.delimiter)
    _tell_skipped(table, skipped, data, start, dialect, complete)


def _line_ends(data: bytes, start: int) -> int:
    """Count line feeds, in a third of the time of ``bytes.count``."""
    codes = np.frombuffer(data, np.uint8)
    blocks = range(start, len(codes), _BLOCK)
    return sum(int(np.count_nonzero(codes[at : at + _BLOCK] == ord("\n"))) for at in blocks)


def _sniffed(
    source: str,
    data: bytes,
    expected: Collection[str],
    words: Collection[str],
    decimal: str | None,
) -> Dialect:
    sample = data[:SAMPLE]
    if len(data) > SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        return sniff(source, sample.decode(errors="ignore"), expected, words, decimal)
    except csv.Error as error:
        raise DataError(f"{source}: {error}") from None


def _after_lines(data: bytes, count: int) -> int:
    """Return the position after this many lines."""
    at = 0
    for _ in range(count):
        at = data.find(b"\n", at) + 1
        if at == 0:
            return len(data)
    return at


def _pyarrow_csv(dialect: Dialect) -> Any:
    """Return pyarrow's reader if it is installed and supports this dialect."""
    if dialect.blanks or dialect.delimiter == " ":
        return None
    try:
        from pyarrow import csv as reader  # noqa: PLC0415
    except ImportError:
        return None
    return reader


def _by_pyarrow(
    source: str,
    reader: Any,
    data: bytes,
    start: int,
    dialect: Dialect,
    names: list[str],
    skipped: _Skipped,
    as_text: Collection[str],
) -> dict[str, Column]:
    import pyarrow as pa  # noqa: PLC0415

    if not data[start : start + SAMPLE].strip():
        return {name: np.empty(0) for name in names}
    numeric = _numbers_at_first(data, start, dialect, names) - set(as_text)
    block = _BLOCK
    while True:
        skipped.rows.clear()
        try:
            table = _parsed(reader, data, start, dialect, names, numeric, skipped, block)
            odd = {name for name in numeric if cells.has_nan(table.column(name))}
            if not odd:
                break
            numeric -= odd  # a spelling of NaN that is no missing word
        except pa.ArrowInvalid as error:
            if "conversion error" in str(error):
                numeric = set()  # a word further down
            elif block > len(data) or "straddl" not in str(error):
                raise DataError(f"{source}: {' '.join(str(error).split())}") from None
            else:
                block *= 8
    columns: dict[str, Column] = {}
    for name in names:
        column = table.column(0)
        table = table.remove_column(0)
        if name in numeric:
            columns[name] = cells.arrow_floats(column)
        elif name in as_text:
            columns[name] = cells.arrow_text(column)
        else:
            columns[name] = cells.from_arrow(column, dialect.decimal)
        del column
        _release()
    return columns


def _release() -> None:
    """Return memory that pyarrow no longer uses to the system: the next column needs some."""
    import pyarrow as pa  # noqa: PLC0415

    with _releasing:
        default = pa.default_memory_pool()
        default.release_unused()
        pa.set_memory_pool(pa.system_memory_pool())  # pyarrow 26 releases that of the default only
        try:
            pa.default_memory_pool().release_unused()
        finally:
            pa.set_memory_pool(default)


def _numbers_at_first(data: bytes, start: int, dialect: Dialect, names: list[str]) -> set[str]:
    """Return the columns whose first cells are numbers with fractions, or missing.

    pyarrow parses these itself, in less time and memory. Whole numbers are read as text first,
    because leading zeros would be lost.
    """
    if dialect.decimal == ",":
        return set()
    end = data.rfind(b"\n", start, start + SAMPLE) + 1
    rows = dialect.reader(data[start:end].decode(errors="ignore"))
    first = [row for _, row in islice(rows, _FIRST_ROWS) if len(row) == len(names)]
    found = set()
    for name, column in zip(names, zip(*first, strict=True), strict=True):
        words = {cell.strip() for cell in column} - cells.MISSING_WORDS
        if all(map(cells.is_number, words)) and any("." in word for word in words):
            found.add(name)
    return found if first else set()


def _parsed(
    reader: Any,
    data: bytes,
    start: int,
    dialect: Dialect,
    names: list[str],
    numeric: Collection[str],
    skipped: _Skipped,
    block: int,
) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    def on_invalid(row: Any) -> str:
        if row.text.strip():
            skipped.rows.append(((row.number or 1) - 1, row.actual_columns))
            if "\n" in row.text.strip():
                skipped.texts.append(row.text)
        return "skip"

    return reader.read_csv(
        pa.BufferReader(pa.py_buffer(data).slice(start)),
        # One thread, and newlines allowed in cells: otherwise an unclosed quote would silently
        # lose the rows up to the next quote.
        reader.ReadOptions(use_threads=False, column_names=names, block_size=block),
        reader.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.quoted else False,
            escape_char=dialect.escape or False,
            newlines_in_values=dialect.quoted,
            invalid_row_handler=on_invalid,
        ),
        reader.ConvertOptions(
            column_types={name: pa.float64() if name in numeric else pa.string() for name in names},
            null_values=sorted(cells.MISSING_WORDS),  # for numbers; text columns keep these words
            check_utf8=False,
        ),
        # Of this pool a column goes back to the system while others stay: see `_release`.
        memory_pool=pa.system_memory_pool(),
    )


def _by_csv(
    source: str,
    text: str,
    dialect: Dialect,
    names: list[str],
    skipped: _Skipped,
    as_text: Collection[str],
) -> dict[str, Column]:
    rows = []
    try:
        for number, (_, row) in enumerate(dialect.reader(text)):
            if len(row) == len(names):
                rows.append(row)
            else:
                skipped.rows.append((number, len(row)))
                skipped.texts.append(dialect.delimiter.join(row))
    except csv.Error as error:
        raise DataError(f"{source}: {error}") from None
    columns: dict[str, Column] = {}
    for place, name in enumerate(names):
        column = Text.of([row[place] for row in rows])
        columns[name] = column if name in as_text else cells.typed(column, dialect.decimal)
    return columns


def _check_quotes(table: Table, delimiter: str) -> None:
    """Raise for cells that contain whole rows: a quote was closed much later or never."""
    for name, column in table.columns.items():
        if not isinstance(column, Text) or "\n" not in "".join(column.values):
            continue
        for place, value in enumerate(column.values):
            if "\n" in value:
                row = column.first_row(place)
                where = table.place(row, name) if value.count("\n") >= _MANY_LINES else None
                last = row == len(table) - 1
                _refuse_swallowed(
                    table.source, value, delimiter, len(table.columns), where, at_end=last
                )


def _refuse_swallowed(
    source: str, text: str, delimiter: str, width: int, where: str | None, *, at_end: bool = True
) -> None:
    """Raise if the lines within one cell, or one row, are rows of the table."""
    lines = text.split("\n")[1:]
    if width < 2 or not lines:
        return
    whole = [line.count(delimiter) == width - 1 for line in lines if line.strip()]
    if sum(whole) >= (1 if at_end else _MANY_LINES) and sum(whole) >= 0.5 * len(whole):
        place = (
            where
            or f"{source}: a cell that begins with {brief(text.split(delimiter, maxsplit=1)[0])}"
        )
        follow = "1 line follows" if len(lines) == 1 else f"{len(lines)} lines follow"
        raise DataError(f"{place}: a quote is opened and not closed: {follow} it")


def _tell_skipped(
    table: Table, skipped: _Skipped, data: bytes, start: int, dialect: Dialect, complete: bool
) -> None:
    if not skipped.rows:
        return
    width, total = len(table.columns), len(table) + len(skipped.rows)
    number, cells_there = skipped.rows[0]
    line = _line_of(data, start, dialect, None, number)
    header = f"the header names {counted(width, 'column')}"
    first = f"line {line}: number of cells is {cells_there}, but {header}"
    if complete or len(skipped.rows) > max(1, _MOST_SKIPPED * total):
        more = f" ({len(skipped.rows):,} rows are so)" if len(skipped.rows) > 1 else ""
        raise DataError(f"{table.source}: {first}{more}")
    count = "1 row is" if len(skipped.rows) == 1 else f"{len(skipped.rows):,} rows are"
    table.notes.append(f"{first}: {count} left out")


def _line_of(data: bytes, start: int, dialect: Dialect, width: int | None, row: int) -> int:
    """Return the line on which a row begins; counts only rows of `width` cells if given.

    Scans the file again: this is for messages.
    """
    text = data[start:].decode(errors="replace")
    lines, previous, number = dialect.reader(text), 0, -1
    for line, cells_there in lines:
        number += width is None or len(cells_there) == width
        if number == row:
            blank = _blank_lines(text, previous, line)
            return dialect.skip + previous + blank + 1
        previous = line
    return dialect.skip + previous + 1


def _blank_lines(text: str, first: int, last: int) -> int:
    """Count the blank lines at the beginning of lines `first` (from 0) to `last`."""
    count = 0
    for number, line in enumerate(io.StringIO(text, newline=None)):
        if number >= last or (number >= first and line.strip()):
            break
        count += number >= first
    return count
