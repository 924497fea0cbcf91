"""Parquet, Arrow and Feather files, read by pyarrow."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from fastmlp._extras import require
from fastmlp.errors import DataError
from fastmlp.streams.tables import reading
from fastmlp.tables.frames import from_arrow
from fastmlp.tables.table import Table

PARQUET: Final = (".parquet", ".pq", ".parq")
ARROW: Final = (".arrow", ".feather", ".ipc", ".arrows")
MAGIC: Final = (b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")
"""How the formats begin: Parquet, Arrow's file, Feather of old, Arrow's stream."""


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
    held = _mapped(path) if data is None else data
    with _read(path, held) as source:
        return from_arrow(str(path), _without_index(_table(source, beginning)))


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
        return from_arrow(str(path), _without_index(table))


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


@contextmanager
def _read(path: Path, held: Any) -> Iterator[Any]:
    """Give a source of pyarrow for the content of a file, with our errors."""
    try:
        pyarrow = require("pyarrow", f"reading {path.suffix or 'Arrow'} files", "tables")
    except ImportError as error:
        raise DataError(f"{path}: {error}") from None
    with reading(str(path)):
        yield pyarrow.BufferReader(pyarrow.py_buffer(held))


def _mapped(path: Path) -> mmap.mmap:
    """Memory-map a file with Python, which also opens names that are not UTF-8."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _table(source: Any, beginning: bytes) -> Any:
    if beginning.startswith(MAGIC[0]):
        from pyarrow import parquet  # noqa: PLC0415

        return parquet.ParquetFile(source).read()
    if beginning.startswith(MAGIC[2]):
        from pyarrow import feather  # noqa: PLC0415

        return feather.read_table(source)
    from pyarrow import ipc  # noqa: PLC0415

    is_file = beginning.startswith(MAGIC[1])
    return (ipc.open_file if is_file else ipc.open_stream)(source).read_all()


def _without_index(table: Any) -> Any:
    """Drop the index of a pandas frame, which numbers or names the rows."""
    described = (table.schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in described if isinstance(name, str) and name in table.column_names]
    return table.drop_columns(index) if index else table
