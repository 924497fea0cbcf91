"""A table from whatever holds one: a file of any kind, a frame, a mapping of arrays."""

import glob
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from fastmlp._validation import brief, described
from fastmlp.errors import DataError
from fastmlp.files import refuse_devices
from fastmlp.tables.reading import cells, frames
from fastmlp.tables.reading.formats import array_files, arrow_files, folders, opening, text_files
from fastmlp.tables.reading.formats.csv_files import read_csv
from fastmlp.tables.reading.formats.dialect import Evidence, reading
from fastmlp.tables.reading.known import NOTHING, Known
from fastmlp.tables.reading.layouts import Strings
from fastmlp.tables.reading.table import Booleans, Table, Text, Untyped

_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_BINARY: Final = (".npy", ".npz", ".xlsx", ".xls", *arrow_files.PARQUET, *arrow_files.ARROW)
_FIRST: Final = 10_000
"""Distinct cells of a column in memory that are asked for the mark."""


def read(table: Any, known: Known = NOTHING) -> Table:
    """Read a table.

    Parameters
    ----------
    table : str, os.PathLike, frame or mapping
        The path of a file; a frame of pandas, polars or pyarrow, or anything with Arrow's stream
        of C; a mapping of names to arrays of one length; or an iterator or list of these, whose
        rows are concatenated.
    known : Known, optional
        What is known of it.

    Raises
    ------
    TypeError
        If it is none of these.
    DataError
        If it cannot be read.
    OSError
        If the file cannot be read.
    """
    if isinstance(table, Table):
        return table
    if isinstance(table, str | os.PathLike):
        path = Path(table)
        found = _read_files(path, known)
        found.path = path
        return found
    if isinstance(table, Mapping):
        return typed(frames.from_mapping(table), known)
    if frames.is_frame(table):
        return typed(frames.from_frame(table), known)
    if isinstance(table, Iterator | list | tuple):

        def one(piece: Any, decimal: str | None) -> Table:
            part = read(piece, replace(known, decimal=decimal))
            if part is piece:  # whose columns are the caller's
                part = replace(part, columns=copy(part.columns))
            return part

        return _read_pieces(table, one, known)
    raise _no_table(table)


def _no_table(value: object) -> TypeError:
    """Return the error of what is no table, with a hint where it is near one."""
    if hasattr(value, "collect"):
        return TypeError(f"table must hold its values, got {described(value)}: collect() it first")
    hint = ""
    if hasattr(value, "to_frame"):
        hint = ": for one row of a frame, frame.iloc[[i]]"
    elif getattr(value, "ndim", 0) == 2:
        hint = ': columns need names, as in {"size": array[:, 0], ...}'
    return TypeError(
        "table must be the path of a file, a frame of pandas, polars or pyarrow, a mapping of "
        f"names to arrays, or an iterator or list of these, got {described(value)}{hint}"
    )


def _read_pieces(
    pieces: Iterable[Any],
    read_one: Callable[[Any, str | None], Table],
    known: Known,
) -> Table:
    """Read pieces one after the other: each is released before the next, unless it must be kept.

    Those whose decimal mark is open are read again with that of the others.
    """
    parts, kept = [], {}
    for i, piece in enumerate(pieces):
        if isinstance(piece, Iterator | list | tuple):
            raise TypeError(
                f"piece {i} of the table must be a path, frame or mapping, got {described(piece)}"
            )
        name = f"piece {i}"
        if frames.is_frame(piece):
            piece = frames.twice_readable(piece)  # noqa: PLW2901
        if isinstance(piece, str | os.PathLike):
            kept[i], name = piece, str(piece)
        part = read_one(piece, known.decimal)
        if part.certainty == "guessed":
            kept[i] = piece
        parts.append((name, part))
    if not parts:
        raise DataError("table: there are no pieces")
    parts = folders.with_one_mark("table", parts, lambda i, mark: read_one(kept[i], mark))
    return folders.joined("table", parts, known)


def _read_files(path: Path, known: Known) -> Table:
    """Read a file, a folder or the files that a pattern matches.

    What a file is follows from how it begins; only JSON and CSV, which begin with anything, from
    the ending of its name.
    """

    def one(file: Path, decimal: str | None) -> Table:
        return _read_one(file, replace(known, decimal=decimal))

    if path.is_dir():
        return folders.read_all(str(path), path, folders.files_of(path), one, known)
    if not path.exists() and glob.has_magic(str(path)):
        files = folders.matching(str(path))
        return folders.read_all(str(path), None, files, one, known)
    return _read_one(path, known)


def _read_one(path: Path, known: Known) -> Table:  # noqa: C901, PLR0911  (a case each)
    refuse_devices(path)

    def finished(table: Table) -> Table:
        return typed(table, known)

    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning.startswith(b"\x93NUMPY"):
        return finished(array_files.read_npy(path))
    if beginning.startswith(arrow_files.MAGIC):
        return finished(arrow_files.read_arrow_file(path, None, beginning))
    if beginning.startswith(b"PK\x03\x04"):
        names = opening.zip_names(path)
        if names and all(name.endswith(".npy") for name in names):
            return array_files.read_npz(path, path.read_bytes())
        if {"[Content_Types].xml", "mimetype"} & set(names):
            return finished(text_files.read_excel(str(path), path.read_bytes(), known.names))
    if beginning.startswith(_OLD_EXCEL):
        return finished(text_files.read_excel(str(path), path.read_bytes(), known.names))
    beginning = opening.beginning(path)
    if beginning.startswith(arrow_files.MAGIC):
        return finished(arrow_files.read_arrow_file(path, opening.content(path), beginning))
    if beginning and _ending(path) in _BINARY:
        raise DataError(f"{path}: does not begin as an {_ending(path)} file does")
    content, note = opening.text(path)
    table = _read_text(path, content, known)
    if note:
        table.notes.insert(0, note)
    return table


def _read_text(path: Path, content: opening.Content, known: Known) -> Table:
    source = str(path)
    match text_format(path, content.read(size=text_files.BEGINNING)):
        case "json":
            return typed(text_files.read_json(source, content.read()), known)
        case "arff":
            return text_files.read_arff(source, content.read(), known.words)
        case "svmlight":
            return text_files.read_svmlight(source, content.read())
    return read_csv(source, content, known)


def text_format(path: Path, data: bytes) -> Literal["json", "arff", "svmlight", "csv"]:
    """Return what text in UTF-8 is, by the ending of its name and how it begins."""
    ending = _ending(path)
    is_csv = ending == ".csv"
    if ending in {".json", ".jsonl", ".ndjson"} or text_files.is_json(data, lists=not is_csv):
        return "json"
    if text_files.is_arff(data):
        return "arff"
    if ending in {".svm", ".libsvm", ".svmlight"} or (not is_csv and text_files.is_svmlight(data)):
        return "svmlight"
    return "csv"


def _ending(path: Path) -> str:
    """Return the ending of a name in small letters, without that of the compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in opening.COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def typed(table: Table, known: Known) -> Table:
    """Find the decimal mark of text in memory, and make numbers of the columns that are some.

    If the cells leave it open, it is a point; but in a table for a model whose text had commas, a
    column whose cells read differently with each mark cannot be read.

    Parameters
    ----------
    table : Table
        Of a mapping, a frame, or a file that tells text from numbers; it is changed.
    known : Known
        What is known of it.
    """
    texts = {
        name: column
        for name in table.columns  # without the numbers that are stored
        if isinstance(column := table.held(name), Text) and not isinstance(column, Booleans)
    }
    ours = [name for name in table.columns if name in known.names] or list(texts)
    found = Evidence.of(_cells_of(texts[name], _FIRST) for name in ours if name in texts)
    if found.votes:
        table.decimal, table.certainty = "," if found.votes > 0 else ".", "clear"
        if table.decimal == "," != known.decimal:
            table.notes.append("commas within text are read as decimal marks")
    else:
        table.decimal = known.decimal or "."
        if found.commas or found.points:
            table.certainty = "guessed"
            if known.decimal is None:
                table.notes.append(found.note("."))
    for name, column in texts.items():
        plain = column.text() if isinstance(column, Untyped) else column
        if name in known.words:
            table.columns[name] = plain
        elif table.decimal == "," and (error := _of_two_readings(table, name, found.votes)):
            table.unusable[name] = error
            del table.columns[name]
        elif isinstance(column, Untyped) and name not in known.targets:
            table.columns[name] = cells.typed(plain, table.decimal)
    if texts and not table.columns:
        raise next(iter(table.unusable.values()))
    return table


def _cells_of(column: Text, most: int) -> Iterable[str]:
    """Return the first distinct cells, without those that were numbers rather than text."""
    first = column.values[:most]
    if isinstance(column, Untyped) and column.numbers:
        return [text for text in first if text not in column.numbers]
    return first


def _of_two_readings(table: Table, name: str, votes: int) -> DataError | None:
    """Return an error that names the first cell of text that a comma reads as another number.

    If other cells tell that commas are decimal marks, only numbers among text are such cells.
    """
    column = table.columns[name]
    assert isinstance(column, Text)
    numbers = column.numbers if isinstance(column, Untyped) else frozenset()
    if not len(column.values) or (votes and not numbers):
        return None
    strings = Strings.of(column.values)
    two = [layout for layout in strings.layouts if _has_two_readings(cells.example(layout))]
    places = [
        int(place)
        for alike in strings.alike(two)
        for place, text in zip(alike.places, alike.texts(), strict=True)
        if _has_two_readings(text) and (not votes or text in numbers)
    ]
    if not places:
        return None
    text, place = column.values[min(places)], table.place(column.first_row(min(places)), name)
    point, comma = (reading(text, mark) for mark in ".,")
    if votes:
        return DataError(
            f"{place}: the number {text} stands among text with decimal commas, as which it would "
            f"be {comma}: give numbers"
        )
    return DataError(
        f"{place}: {brief(text)} is {point} with a decimal point and {comma} with a decimal comma, "
        "and no cell of the table tells which: give numbers, or a text file"
    )


def _has_two_readings(text: str) -> bool:
    point, comma = cells.number(text, "."), cells.number(text, ",")
    return point != comma and not (math.isnan(point) and math.isnan(comma))
