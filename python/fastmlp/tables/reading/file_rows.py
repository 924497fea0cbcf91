"""Some rows of a file or of a folder, read without the others: those of a rank.

Parquet and Arrow files are divided in their groups and batches, arrays by their rows, and CSV files
without quotes by their lines. Of other files the rows cannot be found without reading all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np

from fastmlp.tables.reading.formats import array_files, arrow_files, csv_files, folders, opening
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import text_format, typed
from fastmlp.tables.reading.table import Table

_BLOCK: Final = 1 << 22
_Kind = Literal["array", "arrow", "csv"]


@dataclass(frozen=True)
class RowsOfFile:
    """Rows of one file.

    Attributes
    ----------
    path : Path
        The file.
    size : int
        Its bytes, which tell whether another machine has the same file.
    kind : {"array", "arrow", "csv"}
        How it is divided.
    first, last : int
        The first row and the one after the last; of a CSV file the bytes where they begin.
    """

    path: Path
    size: int
    kind: _Kind
    first: int
    last: int


@dataclass(frozen=True)
class _File:
    path: Path
    kind: _Kind
    rows: int


class DividedFiles:
    """The files of a table, which have this number of rows.

    Attributes
    ----------
    divisible : bool
        Whether some of their rows can be read without the others.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self._root = path if path.is_dir() else None
        paths = [path]
        if self._root is not None:
            paths = folders.files_of(path)
        elif not path.exists():
            paths = folders.matching(str(path))
        self._files: list[_File] = []
        for each in paths:
            if (file := _counted(each)) is None:
                break
            self._files.append(file)
        known = sum(file.rows for file in self._files)
        self.divisible = len(self._files) == len(paths) and known == rows

    def between(self, bounds: Sequence[int]) -> list[list[RowsOfFile]]:
        """Return where the rows between neighbouring bounds, ascending, are."""
        found: list[list[RowsOfFile]] = [[] for _ in bounds[1:]]
        before = 0
        for file in self._files:
            inside = [min(max(bound - before, 0), file.rows) for bound in bounds]
            before += file.rows
            places = _line_starts(file, inside) if file.kind == "csv" else inside
            size = file.path.stat().st_size
            for part, rows, here in zip(found, pairwise(inside), pairwise(places), strict=True):
                if rows[0] < rows[1]:
                    part.append(RowsOfFile(file.path, size, file.kind, *here))
        return found


def read_rows(source: Path, parts: Sequence[RowsOfFile], known: Known) -> Table:
    """Return rows of files as a table, as if cut out of that of the whole source.

    Raises
    ------
    DataError, OSError
        If they cannot be read.
    ValueError
        If a file is another one, or numbers have another decimal mark here than in the whole.
    """
    of_path = {part.path: part for part in parts}

    def one(path: Path, _mark: str | None) -> Table:
        return _read(of_path[path], known)

    if source.is_file():
        table = one(parts[0].path, None)
    else:
        root = source if source.is_dir() else None
        table = folders.read_all(str(source), root, list(of_path), one, known)
    if table.certainty and table.decimal != known.decimal:
        raise ValueError(f"{source}: rows of a rank have another decimal mark than all")
    return table


def _counted(path: Path) -> _File | None:
    """Return a file with its number of rows, if these can be read apart from each other."""
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning.startswith(b"\x93NUMPY"):
        return _File(path, "array", len(array_files.read_npy(path)))
    if beginning.startswith(arrow_files.MAGIC):
        rows = arrow_files.count_rows(path, beginning)
        return None if rows is None else _File(path, "arrow", rows)
    if beginning.startswith((b"PK", *opening.MAGIC)):
        return None
    data = path.read_bytes()
    if b'"' in data or text_format(path, data) != "csv":
        return None
    text, note = opening.as_utf8(path, data)
    if note is not None or text != data:
        return None
    return _File(path, "csv", csv_files.count_lines(str(path), opening.Content.of(data)))


def _line_starts(file: _File, rows: Sequence[int]) -> list[int]:
    """Return the bytes where rows of a CSV file, ascending, begin; after the last its size."""
    data = file.path.read_bytes()
    codes = np.frombuffer(data, np.uint8)
    start = csv_files.first_row(str(file.path), opening.Content.of(data))
    found = [start if row == 0 else len(data) for row in rows]
    wanted = [place for place, row in enumerate(rows) if 0 < row < file.rows]
    seen = 0
    for at in range(start, len(codes), _BLOCK):
        ends = np.flatnonzero(codes[at : at + _BLOCK] == ord("\n"))
        while wanted and rows[wanted[0]] <= seen + len(ends):
            place = wanted.pop(0)
            found[place] = at + int(ends[rows[place] - seen - 1]) + 1
        seen += len(ends)
    return found


def _read(rows: RowsOfFile, known: Known) -> Table:
    path = rows.path
    if path.stat().st_size != rows.size:
        raise ValueError(f"{path} is not the file that rank 0 has read")
    if rows.kind == "csv":
        return csv_files.read_lines(path, rows.first, rows.last, known.words)
    if rows.kind == "array":
        table = array_files.read_npy(path).part(rows.first, rows.last)
    else:
        table = arrow_files.read_rows(path, rows.first, rows.last)
    return typed(table, known)
