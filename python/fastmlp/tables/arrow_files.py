"""Parquet, Arrow and Feather files, read by pyarrow."""

import mmap
from pathlib import Path
from typing import Any, Final

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
    try:
        pyarrow = require("pyarrow", f"reading {path.suffix or 'Arrow'} files", "tables")
    except ImportError as error:
        raise DataError(f"{path}: {error}") from None
    with reading(str(path)):
        held = _mapped(path) if data is None else data
        source = pyarrow.BufferReader(pyarrow.py_buffer(held))
        return from_arrow(str(path), _without_index(_table(source, beginning)))


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
