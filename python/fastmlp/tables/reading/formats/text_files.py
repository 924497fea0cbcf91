"""JSON, ARFF, svmlight and Excel files."""

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

import numpy as np

from fastmlp._extras import require
from fastmlp._validation import brief
from fastmlp.data import _memory
from fastmlp.data._text import listing
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.formats.dialect import (
    NO_NAMES,
    count_titles,
    holds_no_names,
    unique_names,
)
from fastmlp.tables.reading.formats.excel_errors import error_notes
from fastmlp.tables.reading.frames import column_makers
from fastmlp.tables.reading.table import Column, Table, Untyped

_SVMLIGHT: Final = re.compile(rb"[-+\d.eE,]+(\s+qid:\d+)?(\s+\d+:\S+)+\s*(#.*)?")
_ATTRIBUTE: Final = re.compile(
    r"@attribute\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)\s+(.+)", re.IGNORECASE
)

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_CELL: Final = re.compile(r"""\s*(?:(["'])((?:\\.|(?!\1).)*)\1|((?:\\.|[^,}])*?))\s*([,}]|$)""")
_ESCAPED: Final = re.compile(r"\\(.)")
_OPENING_QUOTES: Final = re.compile(r"""(?:^|,)\s*(["'])""")

BEGINNING: Final = 100_000
"""Bytes that tell what a text file is."""
_FIRST_ROWS: Final = 500
"""Rows of a workbook that tell which one is the header."""


def is_json(data: bytes, *, lists: bool) -> bool:
    """Return whether text begins as JSON objects do, or with a list of values on its first line."""
    beginning = data[:1000]
    first_two = b"".join(beginning.split())[:2]
    if first_two in {b'{"', b"[{"}:
        return True
    if first_two[:1] != b"[" or not lists:
        return False
    if first_two == b"[[":
        return True
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(beginning.lstrip().split(b"\n", 1)[0]), list)
    return False


def read_json(source: str, data: bytes) -> Table:
    """Read JSON: an object on each line, a list of objects, or an object of lists.

    Raises
    ------
    DataError
        If it is anything else; it names the line.
    """
    text = data.decode()
    try:
        whole = _JSON.decode(text)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    except ValueError:
        return _records(source, list(_json_lines(source, text)))
    if isinstance(whole, dict) and whole and all(isinstance(v, list) for v in whole.values()):
        return _table(source, {str(name): values for name, values in whole.items()})
    return _records(source, whole if isinstance(whole, list) else [whole])


def _json_lines(source: str, text: str) -> Any:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield _JSON.decode(line.strip())
            except DataError as error:
                raise DataError(f"{source}: line {number}: {error}") from None
            except ValueError as error:
                raise DataError(f"{source}: line {number} is not JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, whose names must differ: the others would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise DataError(f"an object has the name {brief(names.most_common(1)[0][0])} twice")
    return found


_JSON: Final = json.JSONDecoder(object_pairs_hook=_object)


def _records(source: str, records: list[Any]) -> Table:
    names: dict[str, None] = {}
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise DataError(f"{source}: row {number} is {brief(record)}, not an object with names")
        names.update(dict.fromkeys(record))
    if not names:
        raise DataError(f"{source}: there are no rows")
    columns = {name: [record.get(name) for record in records] for name in names}
    return _table(source, columns)


def _table(source: str, columns: dict[str, list[Any]]) -> Table:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise DataError(f"{source}: the columns are of different lengths")
    return Table.of(source, column_makers(columns))


def read_excel(source: str, data: bytes, expected: Collection[str] = ()) -> Table:
    """Read the first sheet of a workbook that has rows; `expected` are names of columns.

    Raises
    ------
    DataError
        If python-calamine is missing, or it is not a workbook.
    """
    try:
        calamine = require("python_calamine", "reading Excel files", "tables")
    except ImportError as error:
        raise DataError(f"{source}: {error}") from None
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = map(book.get_sheet_by_name, book.sheet_names)
        filled = ((s, [r for r in s.to_python() if any(cell != "" for cell in r)]) for s in sheets)
        sheet, rows = next(((s, rows) for s, rows in filled if len(rows) > 1), (None, []))
    except Exception as error:  # noqa: BLE001  (it has many exception types)
        raise DataError(f"{source}: not a workbook of Excel: {error}") from None
    if sheet is None:
        raise DataError(f"{source}: no sheet has rows below a header")
    first = [list(map(_name_of, row)) for row in rows[:_FIRST_ROWS]]
    width = len(rows[0])
    titles = count_titles(first, width, expected)
    header, body = [cell.strip() for cell in first[titles]], rows[titles + 1 :]
    names, notes = unique_names(header)
    unnamed = {new for new, old in zip(names, header, strict=True) if not old}
    has_no_names = holds_no_names(header, first[titles + 1 :], width, expected)
    if has_no_names and not _has_new_words(rows[titles : titles + _FIRST_ROWS]):
        names, unnamed, body = [f"column {place}" for place in range(width)], set(), rows[titles:]
        notes = [NO_NAMES.format("the first row")]
    columns = {
        column: [None if row[j] == "" else row[j] for row in body] for j, column in enumerate(names)
    }
    table = _table(source, columns)
    table.unnamed = unnamed
    table.notes += notes
    if titles:
        table.notes.append(f"the text above the names {listing(names)} is a title and is not read")
    table.notes += error_notes(data, sheet.name, names, (sheet.start or (0, 0))[1])
    if len(book.sheet_names) > 1:
        table.notes.append(f"of {len(book.sheet_names)} sheets {brief(sheet.name)} is read")
    return table


def _has_new_words(rows: list[list[Any]]) -> bool:
    """Return whether a text of the first row is in none below: few sheets have no names."""
    texts = {cell for cell in rows[0] if isinstance(cell, str) and cell}
    return bool(texts.difference(*rows[1:]))


def _name_of(cell: Any) -> str:
    """Return a cell as a name: that of a year is no decimal number."""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)


def is_arff(data: bytes) -> bool:
    """Return whether text is of this format: @relation, after comments."""
    lines = data[:BEGINNING].splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith(b"%")), b"")
    return first.lower().lstrip().startswith((b"@relation", b"@attribute"))


def read_arff(source: str, data: bytes, words: Collection[str] = ()) -> Table:
    """Read an ARFF file of Weka; the columns of `words` stay text.

    Raises
    ------
    DataError
        If it is invalid or sparse, or the number of cells of a row differs from that of attributes.
    """
    lines = _LINE_END.split(data.decode())
    attributes: list[tuple[str, str]] = []
    start = len(lines)
    for number, line in enumerate(lines):
        word = line.strip().lower()
        if word.startswith("@data"):
            start = number + 1
            break
        if word.startswith("@attribute"):
            match = _ATTRIBUTE.match(line.strip())
            if match is None:
                raise DataError(f"{source}: line {number + 1} declares no attribute")
            attributes.append((match[1].strip("'\""), match[2].strip()))
    names, notes = unique_names([name for name, _ in attributes])
    rows = [
        _arff_row(source, number, line, len(names))
        for number, line in enumerate(lines[start:], start + 1)
        if line.strip() and not line.lstrip().startswith("%")
    ]
    if not rows:
        raise DataError(f"{source}: there are no rows")
    columns: dict[str, Column] = {}
    for j, (name, (_, kind)) in enumerate(zip(names, attributes, strict=True)):
        text = Untyped.of(None if row[j] == "?" else row[j] for row in rows)
        numeric = kind.lower().startswith(("numeric", "real", "integer")) and name not in words
        columns[name] = cells.typed(text.text(), ".") if numeric else text
        if kind.startswith("{"):
            declared = _cells_of(kind[1:])
            other = next((value for value in text.values if value not in declared), "")
            if other:
                said = f"{brief(other)} is none of the values that the file declares"
                notes.append(f"column {brief(name)}: {said}")
    return Table(source, columns, notes=notes)


def _arff_cells(line: str) -> list[str]:
    """Return the cells of a row."""
    quotes = set(_OPENING_QUOTES.findall(line))
    if len(quotes) > 1:
        return _cells_of(line)
    quote = quotes.pop() if quotes else '"'
    row = next(csv.reader([line], quotechar=quote, skipinitialspace=True, escapechar="\\"), [])
    return [cell.strip() for cell in row]


def _cells_of(text: str) -> list[str]:
    """Return cells in quotes of either kind, up to the end or to a brace."""
    found = []
    for match in _CELL.finditer(text):
        _, quoted, plain, end = match.groups()
        found.append(_ESCAPED.sub(r"\1", plain if quoted is None else quoted))
        if end != ",":
            break
    return found


def _arff_row(source: str, number: int, line: str, width: int) -> list[str]:
    if line.lstrip().startswith("{"):
        raise DataError(f"{source}: line {number}: sparse ARFF is not read")
    try:
        row = _arff_cells(line)
    except csv.Error as error:
        raise DataError(f"{source}: line {number}: {error}") from None
    if len(row) != width:
        raise DataError(
            f"{source}: line {number}: number of cells is {len(row)}, but there are {width} "
            "attributes"
        )
    return row


def is_svmlight(data: bytes) -> bool:
    """Return whether text is of this format: a label, then index:value pairs."""
    lines = [line.strip() for line in data[:20_000].splitlines()[:20]]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    return bool(lines) and all(map(_SVMLIGHT.fullmatch, lines[:-1] or lines))


def read_svmlight(source: str, data: bytes) -> Table:
    """Read an svmlight file: the label, an optional qid:number, then index:value pairs.

    Columns are named by the indices in the file, whether these start from 0 or 1, so that a part of
    a file has the same columns as the whole. Absent values are 0.

    Raises
    ------
    DataError
        If a line is not of this format; it names the line.
    """
    labels: list[float] = []
    queries: list[int] = []
    row_of: list[int] = []
    index: list[int] = []
    values: list[float] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        words = line.partition(b"#")[0].split()
        if not words:
            continue
        try:
            labels.append(float(words[0]))
            for pair in words[1:]:
                key, _, value = pair.partition(b":")
                if key == b"qid":
                    queries.append(int(value))
                    continue
                row_of.append(len(labels) - 1)
                index.append(int(key))
                values.append(float(value))
        except ValueError:
            shown = line.decode(errors="replace").strip()
            what = "several labels" if b"," in words[0] else brief(shown)
            raise DataError(f"{source}: line {number} is not of svmlight: {what}") from None
    return _svmlight_table(source, labels, queries, (row_of, index, values))


def _refuse_twice(source: str, row_of: list[int], index: list[int]) -> None:
    """Refuse a row that has two values of one feature."""
    order = np.lexsort((index, row_of))
    rows, indices = np.array(row_of)[order], np.array(index)[order]
    twice = np.flatnonzero((np.diff(rows) == 0) & (np.diff(indices) == 0))
    if len(twice):
        place = twice[0]
        raise DataError(f"{source}: row {rows[place]}: index {indices[place]} is there twice")


def _svmlight_table(
    source: str,
    labels: list[float],
    queries: list[int],
    cells_there: tuple[list[int], list[int], list[float]],
) -> Table:
    row_of, index, values = cells_there
    if not labels or not index:
        raise DataError(f"{source}: there are no rows with features")
    if min(index) < 0:
        raise DataError(f"{source}: an index is below 0")
    if queries and len(queries) != len(labels):
        raise DataError(f"{source}: {len(labels)} rows have {len(queries)} qid")
    features = np.unique(index)
    _refuse_twice(source, row_of, index)
    _memory.require(f"{source}: the dense features", 8 * len(labels) * len(features))
    dense = np.zeros((len(features), len(labels)))
    dense[np.searchsorted(features, index), row_of] = values
    columns: dict[str, Column] = {
        f"feature {feature}": row for feature, row in zip(features.tolist(), dense, strict=True)
    }
    columns["label"] = np.array(labels)
    table = Table(source, columns, target="label", absent=0.0)
    if queries:
        table.columns["qid"] = np.array(queries)
        table.group = "qid"
    return table
