"""The columns of a CSV file as pyarrow reads them, block by block."""

import io
import re
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np

from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.arrow_cells import arrow_numbers, arrow_text, from_arrow, release_unused
from fastmlp.tables.reading.formats.dialect import Dialect
from fastmlp.tables.reading.formats.opening import Content
from fastmlp.tables.reading.stored_numbers import GrowingNumbers
from fastmlp.tables.reading.table import Column, ColumnStore

_BLOCK: Final = 1 << 20  # pyarrow reads 32 of them ahead
_LARGEST_BLOCK: Final = 1 << 30
_FIRST_ROWS: Final = 500
_RELEASED: Final = 1 << 25
"""Bytes of text to encode before unused memory is returned: new pages cost time."""
_RELEASED_CODES: Final = 1 << 23
"""The same while blocks are read, of text that codes have taken the place of."""
_COLUMN: Final = re.compile(r"column #(\d+)")
_MOST_RETRIES: Final = 3
_FEW_WORDS: Final = 4
"""Rows to a word, on average, from which on text is held as words and their codes."""


@dataclass
class Skipped:
    """Rows whose number of cells differs from the header's."""

    rows: list[tuple[int, int]] = field(default_factory=list)
    """Of each the row, counting those skipped, and the number of its cells."""
    texts: list[str] = field(default_factory=list)
    """Of those of several lines the text."""


def pyarrow_csv(dialect: Dialect) -> Any:
    """Return pyarrow's reader if it is installed and supports this dialect."""
    if dialect.blanks or dialect.delimiter == " ":
        return None
    try:
        from pyarrow import csv as reader  # noqa: PLC0415
    except ImportError:
        return None
    return reader


def by_pyarrow(
    source: str,
    reader: Any,
    content: Content,
    start: int,
    dialect: Dialect,
    names: list[str],
    skipped: Skipped,
    as_text: Collection[str],
) -> MutableMapping[str, Column]:
    """Read the columns of a CSV file from the position `start` on; the columns `as_text` are text.

    Raises
    ------
    DataError
        If pyarrow cannot read it.
    """
    if not content.lines(start).strip():
        return {name: np.empty(0) for name in names}
    numeric = _numbers_at_first(content, start, dialect, names)
    numeric = {name: how for name, how in numeric.items() if name not in as_text}

    def parse(numeric: dict[str, bool], block: int) -> _Parsed:
        return _Parsed(reader, content, start, dialect, names, numeric, skipped, block)

    found = _parsed(source, names, numeric, parse)
    if not found.rows:
        return {name: np.empty(0) for name in names}
    columns, unused = ColumnStore(list(found.texts), found.rows), 0
    for name in names:
        if unused >= _RELEASED:
            release_unused()
            unused = 0
        if name in found.numbers:
            columns.store(name, found.numbers[name])
            continue
        unused += found.texts[name].nbytes
        if name in as_text:
            columns[name] = arrow_text(found.texts.pop(name))
        else:
            columns[name] = from_arrow(found.texts.pop(name), dialect.decimal)
    release_unused()
    return columns


def _parsed(
    source: str,
    names: list[str],
    numeric: dict[str, bool],
    parse: Callable[[dict[str, bool], int], "_Parsed"],
) -> "_Parsed":
    """Return what `parse` returns; again if a column is not numbers, or a row exceeds a block."""
    import pyarrow as pa  # noqa: PLC0415

    block, retries = _BLOCK, 0
    while True:
        try:
            found = parse(numeric, block)
            if not found.odd:
                return found
            odd = found.odd
        except pa.ArrowInvalid as error:
            message = " ".join(str(error).split())
            if "conversion error" in message:  # a word further down
                place, retries, odd = _COLUMN.search(message), retries + 1, set(numeric)
                if place is not None and retries <= _MOST_RETRIES:
                    odd = {names[int(place[1])]}
            elif "straddl" in message and block < _LARGEST_BLOCK:
                block, odd = min(8 * block, _LARGEST_BLOCK), set()
            else:
                raise DataError(f"{source}: {message}") from None
        numeric = {name: how for name, how in numeric.items() if name not in odd}


def _numbers_at_first(
    content: Content, start: int, dialect: Dialect, names: list[str]
) -> dict[str, bool]:
    """Return the columns whose first cells are numbers, or missing, and whether with fractions.

    pyarrow parses those with fractions itself, in less time and memory. Whole numbers are read as
    text first, because leading zeros would be lost; with decimal commas also because points may
    separate their thousands.
    """
    rows = dialect.reader(content.lines(start).decode(errors="ignore"))
    first = [row for _, row in islice(rows, _FIRST_ROWS) if len(row) == len(names)]
    found = {}
    for name, column in zip(names, zip(*first, strict=True), strict=True) if first else ():
        words = {cell.strip() for cell in column} - cells.MISSING_WORDS
        fractions = any(dialect.decimal in word for word in words)
        if dialect.decimal == ",":
            if not fractions or any("." in word for word in words):
                continue
            words = {word.replace(",", ".") for word in words}
        if words and all(map(cells.is_number, words)) and not any(map(cells.is_code, words)):
            found[name] = fractions
    return found


class _Parsed:
    """The columns of a file as pyarrow reads them, block by block.

    Attributes
    ----------
    numbers : dict of str to column
        Those that are numbers in every block.
    texts : dict of str to pyarrow.ChunkedArray
        The others.
    rows : int
    odd : set of str
        Those that a block shows not to be numbers; the rest of the file is not read.
    """

    def __init__(
        self,
        reader: Any,
        content: Content,
        start: int,
        dialect: Dialect,
        names: list[str],
        numeric: dict[str, bool],
        skipped: Skipped,
        block: int,
    ) -> None:
        import pyarrow as pa  # noqa: PLC0415

        self.odd: set[str] = set()
        self.rows = 0
        skipped.rows.clear()
        skipped.texts.clear()
        types = {name: pa.float64() if numeric.get(name) else pa.string() for name in names}
        chunks: dict[str, list[Any]] = {name: [] for name in names if name not in numeric}
        growing: GrowingNumbers | None = None
        unused = 0
        with content.open(start) as file, _in_reused_buffers(file) as source:
            for batch in _batches(reader, source, dialect, types, skipped, block):
                cells_of = dict(zip(names, batch.columns, strict=True))
                pieces = {name: arrow_numbers(cells_of[name]) for name in numeric}
                self.odd = {name for name, piece in pieces.items() if piece is None}
                if self.odd:
                    return
                if growing is None and numeric:  # blocks of equal size have about as many rows
                    rows = len(batch) * (content.size / min(block, content.size))
                    growing = GrowingNumbers(list(numeric), int(1.1 * rows))
                if growing is not None:
                    for name, piece in pieces.items():
                        growing.append(name, np.asarray(piece))
                self.rows += len(batch)
                for name, held in chunks.items():
                    held.append(_text_piece(cells_of[name], held))
                    unused += cells_of[name].nbytes - held[-1].nbytes
                if unused >= _RELEASED_CODES:
                    release_unused()
                    unused = 0
        self.numbers = {} if growing is None else growing.columns
        self.texts = {name: pa.chunked_array(held) for name, held in chunks.items() if held}


def _in_reused_buffers(file: Any) -> Any:
    """Return a file of the system as pyarrow reads it in less time than by Python; others as given.

    Python allocates new memory for each block.
    """
    import pyarrow as pa  # noqa: PLC0415

    if not isinstance(getattr(file, "raw", None), io.FileIO):
        return file
    try:
        source = pa.OSFile(file.name)
    except (OSError, UnicodeError):  # a name that is not UTF-8
        return file
    source.seek(file.tell())
    return source


def _text_piece(piece: Any, others: list[Any]) -> Any:
    """Return a part of a column of text, as words and codes if its first part has few words."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if others and others[0].type == piece.type:
        return piece
    coded = pc.dictionary_encode(piece, memory_pool=pa.system_memory_pool())
    if others:
        return coded
    return coded if _FEW_WORDS * len(coded.dictionary) <= len(piece) else piece


def _batches(
    reader: Any,
    file: Any,
    dialect: Dialect,
    types: dict[str, Any],
    skipped: Skipped,
    block: int,
) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    def on_invalid(row: Any) -> str:
        if row.text.strip():
            skipped.rows.append(((row.number or 1) - 1, row.actual_columns))
            if "\n" in row.text.strip():
                skipped.texts.append(row.text)
        return "skip"

    return reader.open_csv(
        file,
        # One thread, and newlines allowed in cells: otherwise an unclosed quote would silently
        # lose the rows up to the next quote.
        reader.ReadOptions(use_threads=False, column_names=list(types), block_size=block),
        reader.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.quoted else False,
            escape_char=dialect.escape or False,
            newlines_in_values=dialect.quoted,
            invalid_row_handler=on_invalid,
        ),
        reader.ConvertOptions(
            column_types=types,
            null_values=sorted(cells.MISSING_WORDS),  # for numbers; text columns keep these words
            check_utf8=False,
            decimal_point=dialect.decimal,
        ),
        # Of this pool a column goes back to the system while others stay: see `release_unused`.
        memory_pool=pa.system_memory_pool(),
    )
