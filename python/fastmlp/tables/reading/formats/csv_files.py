"""CSV files: every column is read as text, by pyarrow if it is installed, and then typed.

CSV libraries can lose data silently: the rest of a file after an unclosed quote, or rows of another
length. Therefore the dialect is detected here, and the result is checked against the file.
"""

import csv
import io
from collections.abc import Callable, Collection, MutableMapping
from pathlib import Path
from typing import Final

from fastmlp._validation import brief
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.formats import opening
from fastmlp.tables.reading.formats.csv_by_pyarrow import Skipped, by_pyarrow, pyarrow_csv
from fastmlp.tables.reading.formats.dialect import Dialect, sniff, unique_names
from fastmlp.tables.reading.formats.opening import Content
from fastmlp.tables.reading.formats.repeated_names import leave_out_names
from fastmlp.tables.reading.known import NOTHING, Known
from fastmlp.tables.reading.table import Column, Table, Text

_MOST_SKIPPED: Final = 0.01
_MANY_LINES: Final = 3
_TAIL: Final = 1 << 16
"""Bytes in which blank lines at the end are looked for."""


def read_csv(source: str, content: Content, known: Known) -> Table:
    """Read the text of a CSV file.

    Parameters
    ----------
    source : str
        The file, for messages.
    content : Content
        Its text, which is released.
    known : Known
        What is known of its table.

    Raises
    ------
    DataError
        If the file is empty, has no rows, has an unclosed quote, or has too many rows whose length
        differs from the header's.
    """
    dialect = _sniffed(source, content, known)
    names, notes = unique_names(dialect.names)
    skipped = Skipped()
    start = _after_lines(content, dialect.skip)
    columns = _columns(source, content, start, dialect, names, skipped, known.words)
    table = Table(source, columns, dialect.decimal, dialect.notes + notes)
    table.certainty = dialect.certainty
    table.unnamed = {new for new, old in zip(names, dialect.names, strict=True) if not old}
    table.locate = lambda row: f"line {_line_of(content, start, dialect, len(names), row)}"
    _check(table, skipped, content, start, dialect, complete=known.complete)
    leave_out_names(table, dialect.names, known.words, complete=known.complete)
    content.release()
    return table


def count_lines(source: str, content: Content) -> int:
    """Return the lines below the header, which are the rows unless one is blank or of other length.

    Raises
    ------
    DataError
        As `read_csv`.
    """
    skip = _sniffed(source, content, NOTHING).skip
    return content.line_feeds() - skip + (content.read(content.size - 1) != b"\n")


def first_row(source: str, content: Content) -> int:
    """Return the position where the first row below the header begins.

    Raises
    ------
    DataError
        As `read_csv`.
    """
    return _after_lines(content, _sniffed(source, content, NOTHING).skip)


def read_lines(path: Path, first: int, last: int, words: Collection[str]) -> Table:
    """Read the bytes from `first` to before `last` of a file, whole rows without quotes.

    The dialect is that of the whole file, which its beginning tells.

    Raises
    ------
    DataError
        If a row has another number of cells than the header.
    OSError
        If the file cannot be read.
    """
    source, skipped = str(path), Skipped()
    dialect = _sniffed(source, opening.text(path)[0], NOTHING)
    with path.open("rb") as file:
        file.seek(first)
        content = Content.of(file.read(last - first))
    names, _ = unique_names(dialect.names)
    columns = _columns(source, content, 0, dialect, names, skipped, words)
    if skipped.rows:
        raise DataError(f"{source}: rows differ in their number of cells")
    table = Table(source, columns, dialect.decimal)
    table.certainty = dialect.certainty
    return table


def _check(
    table: Table,
    skipped: Skipped,
    content: Content,
    start: int,
    dialect: Dialect,
    *,
    complete: bool,
) -> None:
    """Raise if rows of a table are lost, or add a note."""
    source, names = table.source, list(table.columns)
    for text in skipped.texts:
        _refuse_swallowed(source, text, dialect.delimiter, len(names), None)
    if len(table) == 0:
        raise DataError(f"{source}: there are no rows below the header")
    lines = content.line_feeds() - dialect.skip
    rows = len(table) + len(skipped.rows)
    if not rows - 1 <= lines <= rows:  # not every line is a row: a cell may hold some
        _check_quotes(table, dialect.delimiter, lambda: _ends_open(content, start, dialect, table))
    _tell_skipped(table, skipped, content, start, dialect, complete)
    if len(names) == 1 and (blank := _blank_between(table, content, lines)) > 0:
        table.notes.append(
            f"{counted(blank, 'blank line')} {'is no row' if blank == 1 else 'are no rows'}: "
            'write "" where the only cell of a row is missing'
        )


def _sniffed(source: str, content: Content, known: Known) -> Dialect:
    sample = content.sample().decode(errors="ignore")
    try:
        return sniff(source, sample, known)
    except csv.Error as error:
        raise DataError(f"{source}: {error}") from None


def _after_lines(content: Content, count: int) -> int:
    """Return the position after this many lines."""
    with content.open() as file:
        return sum(len(file.readline()) for _ in range(count))


def _columns(
    source: str,
    content: Content,
    start: int,
    dialect: Dialect,
    names: list[str],
    skipped: Skipped,
    words: Collection[str],
) -> MutableMapping[str, Column]:
    """Read the columns from a position on; those of `words` are text."""
    pyarrow = pyarrow_csv(dialect)
    if pyarrow is not None:
        return by_pyarrow(source, pyarrow, content, start, dialect, names, skipped, words)
    return _by_csv(source, content.read(start).decode(), dialect, names, skipped, words)


def _by_csv(
    source: str,
    text: str,
    dialect: Dialect,
    names: list[str],
    skipped: Skipped,
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


def _ends_open(content: Content, start: int, dialect: Dialect, table: Table) -> bool:
    """Return whether a quote in the last row is not closed: lines below would belong to it."""
    last = _line_of(content, start, dialect, len(table.columns), len(table) - 1)
    text = content.read(_after_lines(content, last - 1)).decode(errors="replace")
    *_, (_, below) = dialect.reader(f"{text}\nend")
    return below != ["end"]


def _check_quotes(table: Table, delimiter: str, ends_open: Callable[[], bool]) -> None:
    """Raise for cells that contain whole rows: a quote was closed much later or never."""
    for name, column in table.columns.items():
        if not isinstance(column, Text) or "\n" not in "".join(column.values):
            continue
        for place, value in enumerate(column.values):
            if "\n" in value:
                row = column.first_row(place)
                where = table.place(row, name) if value.count("\n") >= _MANY_LINES else None
                at_end = row == len(table) - 1 and ends_open()
                _refuse_swallowed(
                    table.source, value, delimiter, len(table.columns), where, at_end=at_end
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
    table: Table, skipped: Skipped, content: Content, start: int, dialect: Dialect, complete: bool
) -> None:
    if not skipped.rows:
        return
    width, total = len(table.columns), len(table) + len(skipped.rows)
    number, cells_there = skipped.rows[0]
    line = _line_of(content, start, dialect, None, number)
    header = f"the header names {counted(width, 'column')}"
    first = f"line {line}: number of cells is {cells_there}, but {header}"
    if complete or len(skipped.rows) > max(1, _MOST_SKIPPED * total):
        more = f" ({len(skipped.rows):,} rows are so)" if len(skipped.rows) > 1 else ""
        raise DataError(f"{table.source}: {first}{more}")
    count = "1 row is" if len(skipped.rows) == 1 else f"{len(skipped.rows):,} rows are"
    table.notes.append(f"{first}: {count} left out")


def _line_of(content: Content, start: int, dialect: Dialect, width: int | None, row: int) -> int:
    """Return the line on which a row begins; counts only rows of `width` cells if given.

    Scans the file again: this is for messages.
    """
    previous, number = 0, -1
    with _lines(content, start, newline="") as lines:
        for line, cells_there in dialect.reader(lines):
            number += width is None or len(cells_there) == width
            if number == row:
                blank = _blank_lines(content, start, previous, line)
                return dialect.skip + previous + blank + 1
            previous = line
    return dialect.skip + previous + 1


def _blank_between(table: Table, content: Content, lines: int) -> int:
    """Count the blank lines above the last row of a table of one column."""
    tail = content.read(max(0, content.size - _TAIL))
    at_end = tail[len(tail.rstrip(b"\r\n")) :].count(b"\n")
    (column,) = table.columns.values()
    within = 0
    if isinstance(column, Text):
        counts = column.counts().tolist()
        within = sum(n * value.count("\n") for value, n in zip(column.values, counts, strict=True))
    return lines + 1 - at_end - within - len(table)


def _lines(content: Content, start: int, newline: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(content.open(start), "utf-8", "replace", newline)


def _blank_lines(content: Content, start: int, first: int, last: int) -> int:
    """Count the blank lines at the beginning of lines `first` (from 0) to `last`."""
    count = 0
    with _lines(content, start, newline=None) as lines:
        for number, line in enumerate(lines):
            if number >= last or (number >= first and line.strip()):
                break
            count += number >= first
    return count
