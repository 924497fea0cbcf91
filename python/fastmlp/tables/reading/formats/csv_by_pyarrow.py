"""The columns of a CSV file as pyarrow reads them, block by block."""

import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
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

_BLOCK: Final = 1 << 18  # pyarrow reads 32 of them ahead
_BLOCK_OF_COLUMN: Final = 1 << 9
"""Bytes of a block for each of many columns: each piece of a column costs some time."""
_JOINED: Final = 8
"""Blocks whose pieces are joined."""
_MOST_JOINED: Final = 1 << 25  # bytes
_COPIED: Final = 1 << 23
"""Bytes of text in memory up to which pyarrow has a copy of its own."""
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
_INT8_WORDS: Final = 128
"""As many words have codes of one byte."""


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
        text = _together(found.texts.pop(name))
        unused += text.nbytes
        is_text = name in as_text
        columns[name] = arrow_text(text) if is_text else from_arrow(text, dialect.decimal)
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

    block, retries = max(_BLOCK, _BLOCK_OF_COLUMN * len(names)), 0
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
    texts : dict of str to list of pyarrow.Array
        The parts of the others, for `_together`.
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
        self.texts: dict[str, list[Any]] = {name: [] for name in names if name not in numeric}
        growing: GrowingNumbers | None = None
        unused = 0
        with content.open(start) as file, _without_python(file) as source:
            batches = _batches(reader, source, dialect, types, skipped, block)
            count = max(1, min(_JOINED, _MOST_JOINED // block))
            for batch in _joined(batches, count):
                cells_of = dict(zip(names, batch.columns, strict=True))
                pieces = {name: arrow_numbers(cells_of[name]) for name in numeric}
                self.odd = {name for name, piece in pieces.items() if piece is None}
                if self.odd:
                    return
                if growing is None and numeric:  # blocks of equal size have about as many rows
                    rows = len(batch) * (content.size / min(count * block, content.size))
                    growing = GrowingNumbers(list(numeric), int(1.1 * rows))
                if growing is not None:
                    for name, piece in pieces.items():
                        growing.append(name, np.asarray(piece))
                self.rows += len(batch)
                for name, held in self.texts.items():
                    held.append(_text_piece(cells_of[name], held))
                    unused += cells_of[name].nbytes - held[-1].nbytes
                if unused >= _RELEASED_CODES:
                    release_unused()
                    unused = 0
        self.numbers = {} if growing is None else growing.columns


def _without_python(file: Any) -> Any:
    """Return a file, or a text in memory that is not large, as pyarrow reads it; others as given.

    A thread of pyarrow reads ahead, and may release the file a little after its last block. Where
    that needs Python, a process that ends at this moment is aborted. And Python allocates new
    memory for each block.
    """
    import pyarrow as pa  # noqa: PLC0415

    if isinstance(file, io.BytesIO):
        text = file.read(_COPIED + 1)
        if len(text) > _COPIED:
            file.seek(-len(text), io.SEEK_CUR)
            return file
        copy = pa.allocate_buffer(len(text))
        np.frombuffer(copy, np.uint8)[:] = np.frombuffer(text, np.uint8)
        return pa.BufferReader(copy)
    if not isinstance(getattr(file, "raw", None), io.FileIO):
        return file
    try:
        source = pa.OSFile(file.name)
    except (OSError, UnicodeError):  # a name that is not UTF-8
        return file
    source.seek(file.tell())
    return source


def _joined(batches: Iterable[Any], count: int) -> Iterator[Any]:
    """Yield one batch in place of each `count`, and of those that are left.

    Of the pool of the system a column goes back to it while others stay: see `release_unused`.
    """
    import pyarrow as pa  # noqa: PLC0415

    pool, rest = pa.system_memory_pool(), iter(batches)
    while some := list(islice(rest, count)):
        columns = zip(*(batch.columns for batch in some), strict=True)
        joined = [pa.concat_arrays(pieces, memory_pool=pool) for pieces in columns]
        yield pa.RecordBatch.from_arrays(joined, schema=some[0].schema)


def _text_piece(piece: Any, others: list[Any]) -> Any:
    """Return a part of a column of text, as words and codes if its first part has few words."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if others and others[0].type == piece.type:
        return piece
    coded = pc.dictionary_encode(piece, memory_pool=pa.system_memory_pool())
    if not others and _FEW_WORDS * len(coded.dictionary) > len(piece):
        return piece
    return _with_codes(coded, pa.int8()) if len(coded.dictionary) <= _INT8_WORDS else coded


def _together(pieces: list[Any]) -> Any:
    """Return the parts of a column as one; pyarrow joins words if all have codes of one type."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(pieces[0].type):
        pieces = [_with_codes(piece, pa.int32()) for piece in pieces]
    return pa.chunked_array(pieces)


def _with_codes(coded: Any, kind: Any) -> Any:
    """Return words and codes with codes of another type."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    codes = pc.cast(coded.indices, kind, memory_pool=pa.system_memory_pool())
    return pa.DictionaryArray.from_arrays(codes, coded.dictionary)


def _batches(
    reader: Any,
    file: Any,
    dialect: Dialect,
    types: dict[str, Any],
    skipped: Skipped,
    block: int,
) -> Any:
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
    )
