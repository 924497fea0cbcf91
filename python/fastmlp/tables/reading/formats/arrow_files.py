"""Parquet, Arrow and Feather files, read by pyarrow."""

import io
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from fastmlp._extras import require
from fastmlp.errors import DataError
from fastmlp.streams.tables import reading
from fastmlp.tables.reading.arrow_cells import release_unused
from fastmlp.tables.reading.arrow_tables import arrow_column, from_arrow, refuse_equal, zoned
from fastmlp.tables.reading.table import Column, ColumnStore, Table, Text

PARQUET: Final = (".parquet", ".pq", ".parq")
ARROW: Final = (".arrow", ".feather", ".ipc", ".arrows")
MAGIC: Final = (b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")
"""How the formats begin: Parquet, Arrow's file, Feather of old, Arrow's stream."""

_TOGETHER: Final = 1 << 20
"""Cells that are read together: a column at a time would not use several threads."""
_INT32: Final = np.iinfo(np.int32)


def read_arrow_file(path: Path, data: bytes | None, beginning: bytes) -> Table:
    """Read a file of the format given by its first bytes.

    Parameters
    ----------
    path : Path
        The file, memory-mapped if `data` is None.
    data : bytes or None
        Its decompressed content.
    beginning : bytes
        At least its first 8 bytes.

    Raises
    ------
    DataError
        If pyarrow is missing, or the file cannot be read.
    """
    if beginning.startswith(MAGIC[0]):
        held = path.open("rb") if data is None else io.BytesIO(data)  # mapped pages are memory, too
        with held, _errors(path):
            return _parquet(str(path), held)
    with _read(path, _mapped(path) if data is None else data) as source:
        table = _table(source, beginning)
        names = _names(table.schema)
        return _stored(str(path), table.schema, names, table.num_rows, table.column)


def count_rows(path: Path, beginning: bytes) -> int | None:
    """Return the rows of a file, if some can be read without the others.

    Raises
    ------
    DataError
        As `read_arrow_file`.
    """
    if not beginning.startswith((MAGIC[0], MAGIC[1])):
        return None
    with _read(path, _mapped(path)) as source:
        return sum(_Parts(source).rows)


def read_rows(path: Path, first: int, last: int) -> Table:
    """Read the rows from `first` to before `last` of a file whose rows `count_rows` counts.

    Raises
    ------
    DataError
        As `read_arrow_file`.
    """
    with _read(path, _mapped(path)) as source:
        parts = _Parts(source)
        ends = np.cumsum(parts.rows)
        some = range(
            int(np.searchsorted(ends, first, side="right")), int(np.searchsorted(ends, last)) + 1
        )
        before = int(ends[some[0]]) - parts.rows[some[0]]
        table = parts.read(some).slice(first - before, last - first)
        result = from_arrow(str(path), table.select(_names(table.schema)))
        result.locate = lambda row: f"row {first + row}"
        return result


class _Parts:
    """The row groups of a Parquet file, or the record batches of an Arrow file.

    Attributes
    ----------
    rows : list of int
        Of each part.
    """

    def __init__(self, source: Any) -> None:
        self._parquet = source.read(4) == MAGIC[0]
        source.seek(0)
        if self._parquet:
            from pyarrow import parquet  # noqa: PLC0415

            self._file = parquet.ParquetFile(source)
            about = self._file.metadata
            groups = range(about.num_row_groups)
            self.rows: list[int] = [about.row_group(i).num_rows for i in groups]
        else:
            from pyarrow import ipc  # noqa: PLC0415

            self._file = ipc.open_file(source)
            batches = range(self._file.num_record_batches)
            self.rows = [self._file.get_batch(i).num_rows for i in batches]

    def read(self, some: range) -> Any:
        """Return parts that follow each other as one table."""
        if self._parquet:
            return self._file.read_row_groups(list(some))
        import pyarrow as pa  # noqa: PLC0415

        batches = [self._file.get_batch(i) for i in some]
        return pa.Table.from_batches(batches, self._file.schema)


def _parquet(source: str, held: IO[bytes]) -> Table:
    """Read a Parquet file, a few columns at a time."""
    from pyarrow import parquet  # noqa: PLC0415

    file = parquet.ParquetFile(held, pre_buffer=False)
    names, rows = _names(file.schema_arrow), file.metadata.num_rows
    together = max(1, _TOGETHER // max(1, rows))
    read: dict[str, Any] = {}

    def column(name: str) -> Any:
        if name not in read:
            read.clear()
            release_unused()
            first = names.index(name)
            some = names[first : first + together]
            table = file.read(columns=some)  # and of "a" and "a.b", if "a" is asked for
            read.update((each, table.column(each)) for each in some)
        return read.pop(name)

    table = _stored(source, file.schema_arrow, names, rows, column)
    release_unused()
    return table


def _stored(
    source: str, schema: Any, names: list[str], rows: int, column: Callable[[str], Any]
) -> Table:
    """Return the table of columns that `column` reads, numbers in few bytes."""
    refuse_equal(source, names)
    makers = ((name, partial(_smaller, source, name, column)) for name in names)
    table = Table.of(source, makers, ColumnStore(names, rows))
    table.zoned = zoned(schema)
    return table


def _smaller(source: str, name: str, column: Callable[[str], Any]) -> Column:
    """Return a column of a file; whole numbers of 8 bytes in 4, if they fit."""
    found = arrow_column(name, column(name), source)
    if isinstance(found, Text) or found.dtype not in (np.int64, np.uint64) or not len(found):
        return found
    fits = _INT32.min <= found.min() and found.max() <= _INT32.max
    return found.astype(np.int32) if fits else found


@contextmanager
def _read(path: Path, held: Any) -> Iterator[Any]:
    """Give a source of pyarrow for the content of a file, with our errors."""
    with _errors(path) as pyarrow:
        yield pyarrow.BufferReader(pyarrow.py_buffer(held))


@contextmanager
def _errors(path: Path) -> Iterator[Any]:
    """Give pyarrow, and turn errors about the content of a file into ours."""
    try:
        pyarrow = require("pyarrow", f"reading {path.suffix or 'Arrow'} files", "tables")
    except ImportError as error:
        raise DataError(f"{path}: {error}") from None
    with reading(str(path)):
        yield pyarrow


def _mapped(path: Path) -> mmap.mmap:
    """Memory-map a file with Python, which also opens names that are not UTF-8."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _table(source: Any, beginning: bytes) -> Any:
    if beginning.startswith(MAGIC[2]):
        from pyarrow import feather  # noqa: PLC0415

        return feather.read_table(source)
    from pyarrow import ipc  # noqa: PLC0415

    is_file = beginning.startswith(MAGIC[1])
    return (ipc.open_file if is_file else ipc.open_stream)(source).read_all()


def _names(schema: Any) -> list[str]:
    """Return the columns without the index of a pandas frame, which numbers or names the rows."""
    described = (schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in described if isinstance(name, str)]
    return [name for name in schema.names if name not in index]
