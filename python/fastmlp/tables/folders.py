"""Several files as one table: a folder, a pattern, and the layouts of Hive and Spark."""

import errno
import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables import cells
from fastmlp.tables.cell_values import as_text
from fastmlp.tables.table import CERTAINTIES, Booleans, Column, Table, Text, is_boolean

_NULL = "__HIVE_DEFAULT_PARTITION__"


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
    decimal: str | None = None,
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

    parts = [(file.name, one(file, decimal)) for file in files]
    return joined(source, with_one_mark(source, parts, lambda i, mark: one(files[i], mark)))


def with_one_mark(
    source: str, parts: list[tuple[str, Table]], again: Callable[[int, str], Table]
) -> list[tuple[str, Table]]:
    """Return tables with one decimal mark: those that leave it open are read again.

    Raises
    ------
    DataError
        If two of them have different marks.
    """
    clear = {table.decimal: table.source for _, table in parts if table.certainty == "clear"}
    if len(clear) > 1:
        raise DataError(
            f"{source}: numbers have a decimal point in {clear['.']} and a decimal comma in "
            f"{clear[',']}: write them alike"
        )
    guesses = [table.decimal for _, table in parts if table.certainty == "guessed"]
    for i, (name, table) in enumerate(parts):
        mark = [*clear, *guesses][0] if guesses else table.decimal
        if table.certainty == "guessed" and table.decimal != mark:
            parts[i] = (name, again(i, mark))
    return parts


def _partitions(root: Path | None, file: Path) -> dict[str, str | None]:
    if root is None:
        return {}
    pairs = [part.split("=", 1) for part in file.relative_to(root).parts[:-1] if "=" in part]
    return {unquote(name): None if value == _NULL else unquote(value) for name, value in pairs}


def joined(source: str, parts: list[tuple[str, Table]]) -> Table:
    """Concatenate the rows of tables, each of which has a name.

    Raises
    ------
    DataError
        If they have different columns.
    """
    first_name, first = parts[0]
    for name, table in parts[1:]:
        other = set(first.columns) ^ set(table.columns)
        unusable = {**first.unusable, **table.unusable}
        if bad := sorted(other & set(unusable)):
            raise unusable[bad[0]]
        if other and table.absent is None:
            raise DataError(
                f"{source}: {name} and {first_name} have different columns: only one "
                f"has {brief(min(other))}"
            )
    names = {name: None for _, table in parts for name in table.columns}
    for _, table in parts:
        table.add_absent(names)
    columns = {name: _stacked([table.columns[name] for _, table in parts]) for name in names}
    ends = np.cumsum([len(table) for _, table in parts])
    places = [(name, table.locate) for name, table in parts]  # the columns are released

    def locate(row: int) -> str:
        part = int(np.searchsorted(ends, row, side="right"))
        name, place = places[part]
        return f"{name}, {place(row - (int(ends[part - 1]) if part else 0))}"

    certain = max((table for _, table in parts), key=lambda each: CERTAINTIES.index(each.certainty))
    notes = [f"{name}: {note}" for name, table in parts for note in table.notes]
    return Table(
        source,
        columns,
        certain.decimal,
        notes,
        first.target,
        first.group,
        first.unnamed,
        first.absent,
        locate,
        certain.certainty,
        {name: error for _, table in parts for name, error in table.unusable.items()},
    )


def _stacked(columns: list[Column]) -> Column:
    known = [column for column in columns if not _is_empty(column)]
    if known and all(map(is_boolean, known)):
        numbers = np.concatenate(
            [
                column.numbers() if isinstance(column, Booleans) else np.asarray(column, np.float64)
                for column in columns
            ]
        )
        return Booleans.where(numbers == 1.0, np.isnan(numbers))
    arrays = [column for column in columns if not isinstance(column, Text)]
    if len(arrays) == len(columns):
        kinds = {array.dtype.kind == "M" for array in arrays}
        if len(kinds) == 1 and len({array.shape[1:] for array in arrays}) == 1:
            return np.concatenate(arrays)
    texts = [as_text(column) for column in columns]
    values = [value for text in texts for value in text.values]
    starts = np.cumsum([0, *(len(text.values) for text in texts)])
    codes = [
        np.where(text.codes < 0, -1, text.codes + start).astype(np.int32)
        for text, start in zip(texts, starts, strict=False)
    ]
    return cells.typed(Text.coded(values, np.concatenate(codes)), ".")


def _is_empty(column: Column) -> bool:
    """Return whether a column has no cell with a value, so that its type is unknown."""
    if isinstance(column, Text):
        return not column.values
    return column.ndim == 1 and column.dtype.kind == "f" and bool(np.isnan(column).all())
