"""Several files as one table: a folder, a pattern, and the layouts of Hive and Spark."""

import errno
import glob
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.table import (
    CERTAINTIES,
    Booleans,
    Column,
    ColumnStore,
    Table,
    Text,
    Untyped,
    is_boolean,
    is_written,
)

_NULL = "__HIVE_DEFAULT_PARTITION__"
_SWAPPED = str.maketrans(".,", ",.")


def files_of(path: Path) -> list[Path]:
    """Return the files of a folder and its subfolders, in order, without hidden ones.

    Names that begin with a dot or an underscore are hidden: ``_SUCCESS``, ``.part-00000.crc``.
    """
    files = []
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path).parts
        hidden = any(part.startswith((".", "_")) and "=" not in part for part in inner)
        if file.is_file() and not hidden:
            files.append(file)
    if not files:
        raise DataError(f"{path}: the folder has no files")
    return files


def matching(pattern: str) -> list[Path]:
    """Return the files that a pattern such as ``data/*.csv`` matches, in order, at least one."""
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
    files = [file for file in found if file.is_file()]
    if not files:
        raise FileNotFoundError(errno.ENOENT, "No file matches the pattern", pattern)
    return files


def read_all(
    source: str,
    root: Path | None,
    files: Sequence[Path],
    read: Callable[[Path, str | None], Table],
    known: Known,
) -> Table:
    """Read files and concatenate their rows; folders such as ``day=2`` become columns.

    Raises
    ------
    DataError
        If the files have different columns.
    """

    def one(file: Path, mark: str | None) -> Table:
        table = read(file, mark)
        for name, value in _partitions(root, file).items():
            if name not in table.columns:
                column = Text.of([value] * len(table))
                table.columns[name] = cells.typed(column, ".") if value is not None else column
        return table

    parts = [(file.name, one(file, known.decimal)) for file in files]
    parts = with_one_mark(source, parts, lambda i, mark: one(files[i], mark))
    return joined(source, parts, known)


def with_one_mark(
    source: str, parts: list[tuple[str, Table]], again: Callable[[int, str], Table]
) -> list[tuple[str, Table]]:
    """Return tables with one decimal mark: those that guess it are read again.

    They are also if another is sure of the same mark, so that no note says that it is a guess.

    Raises
    ------
    DataError
        If two of them have different marks.
    """
    clear = {
        table.decimal: name if table.source == source else table.source
        for name, table in parts
        if table.certainty == "clear"
    }
    if len(clear) > 1:
        raise DataError(
            f"{source}: numbers have a decimal point in {clear['.']} and a decimal comma in "
            f"{clear[',']}: write them alike"
        )
    guesses = [table.decimal for _, table in parts if table.certainty == "guessed"]
    for i, (name, table) in enumerate(parts):
        mark = [*clear, *guesses][0] if guesses else table.decimal
        if table.certainty == "guessed" and (clear or table.decimal != mark):
            parts[i] = (name, again(i, mark))
    return parts


def _partitions(root: Path | None, file: Path) -> dict[str, str | None]:
    if root is None:
        return {}
    pairs = [part.split("=", 1) for part in file.relative_to(root).parts[:-1] if "=" in part]
    return {unquote(name): None if value == _NULL else unquote(value) for name, value in pairs}


def joined(source: str, parts: list[tuple[str, Table]], known: Known) -> Table:
    """Concatenate the rows of tables, each of which has a name, and take their columns from them.

    A column that cannot be read in one table cannot be in all.

    Raises
    ------
    DataError
        If they have different columns, or none that can be read.
    """
    unusable: dict[str, DataError] = {}
    for _, table in parts:
        unusable = {**table.unusable, **unusable}
    first_name, first = parts[0]
    for name, table in parts[1:]:
        other = (set(first.columns) ^ set(table.columns)) - set(unusable)
        if other and table.absent is None:
            raise DataError(
                f"{source}: {name} and {first_name} have different columns: only one "
                f"has {brief(min(other))}"
            )
    names = {name: None for _, table in parts for name in table.columns if name not in unusable}
    if unusable and not names:
        raise next(iter(unusable.values()))
    for _, table in parts:
        table.add_absent(names)
    ends = np.cumsum([len(table) for _, table in parts])
    notes = [f"{name}: {note}" for name, table in parts for note in table.notes]
    notes += _notes_of_zones(parts)
    certain = max((table for _, table in parts), key=lambda each: CERTAINTIES.index(each.certainty))
    mark = certain.decimal
    columns = ColumnStore(list(names), int(ends[-1]))
    for name in names:
        # Released once they are joined: only one column is there twice.
        pieces = [_with_mark(table.columns.pop(name), table.decimal, mark) for _, table in parts]
        if any(isinstance(piece, Text) for piece in pieces):
            are_zoned = [name in table.zoned for _, table in parts]
            pieces = list(map(_with_zone, pieces, are_zoned))
        columns[name] = _stacked(pieces, mark, is_text=name in known.words)
    places = [(name, table.locate) for name, table in parts]  # the columns are released

    def locate(row: int) -> str:
        part = int(np.searchsorted(ends, row, side="right"))
        name, place = places[part]
        return f"{name}, {place(row - (int(ends[part - 1]) if part else 0))}"

    return Table(
        source,
        columns,
        mark,
        notes,
        first.target,
        first.group,
        first.unnamed,
        first.absent,
        locate,
        certain.certainty,
        unusable,
        durations=set().union(*(table.durations for _, table in parts)),
        zoned=set().union(*(table.zoned for _, table in parts)),
    )


def _notes_of_zones(parts: list[tuple[str, Table]]) -> list[str]:
    """Return notes of columns of times that have a time zone in some tables only."""
    notes = []
    for name in sorted(set().union(*(table.zoned for _, table in parts))):
        for part, table in parts:
            column = table.columns.get(name)
            if name in table.zoned or not isinstance(column, np.ndarray):
                continue
            if column.dtype.kind == "M" and not np.isnat(column).all():
                what = f"the times of column {brief(name)} have no time zone, unlike others"
                notes.append(f"{part}: {what}: taken as UTC")
                break
    return notes


def _with_zone(column: Column, is_zoned: bool) -> Column:
    """Return times that have a time zone as text that tells so; other columns as they are."""
    if not is_zoned or isinstance(column, Text):
        return column
    text = as_text(column)
    return Text.coded([f"{value}Z" for value in text.values], text.codes)


def _with_mark(column: Column, own: str, mark: str) -> Column:
    """Return a column whose numbers in text, if any, have another decimal mark than their own."""
    if own == mark or not isinstance(column, Text) or isinstance(column, Booleans):
        return column
    values = [
        value if math.isnan(cells.number(value, own)) else value.translate(_SWAPPED)
        for value in column.values
    ]
    return Text.coded(values, column.codes)


def _stacked(columns: list[Column], mark: str, *, is_text: bool) -> Column:
    known = [column for column in columns if not cells.holds_nothing(column)]
    if known and all(map(is_boolean, known)):
        numbers = np.concatenate([_zeros_and_ones(column) for column in columns])
        return Booleans.where(numbers == 1.0, np.isnan(numbers))
    arrays = [column for column in columns if not isinstance(column, Text)]
    if len(arrays) == len(columns) and (whole := _concatenated(arrays)) is not None:
        return whole
    texts = [as_text(column, mark) for column in columns]
    values = [value for text in texts for value in text.values]
    starts = np.cumsum([0, *(len(text.values) for text in texts)])
    codes = [
        np.where(text.codes < 0, -1, text.codes.astype(np.int32) + np.int32(start))
        for text, start in zip(texts, starts, strict=False)
    ]
    if known and all(map(is_written, known)):
        return Untyped.coded(values, np.concatenate(codes))
    text = Text.coded(values, np.concatenate(codes))
    return text if is_text else cells.typed(text, mark)


def _zeros_and_ones(column: Column) -> NDArray[np.float64]:
    """Return true and false as 1 and 0; NaN for a column that holds nothing."""
    if isinstance(column, Booleans):
        return column.numbers()
    if isinstance(column, Text):
        return np.full(len(column), np.nan)
    return column.astype(np.float64)


def _concatenated(arrays: list[NDArray[Any]]) -> NDArray[Any] | None:
    """Return arrays as one; None if they differ in kind, or doubles would round some integers."""
    if len({(array.dtype.kind == "M", array.shape[1:]) for array in arrays}) > 1:
        return None
    if np.result_type(*arrays).kind == "f" and any(map(_has_rounded, arrays)):
        return None
    return np.concatenate(arrays)


def _has_rounded(array: NDArray[Any]) -> bool:
    if array.dtype.kind not in "iu" or array.ndim > 1:
        return False
    large = array[(array >= cells.EXACT) | (array <= -cells.EXACT)]
    return any(map(cells.is_rounded, large.tolist()))
