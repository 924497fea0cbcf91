"""Table files, Parquet and Arrow IPC, read with pyarrow.

Only this module uses pyarrow. A file is opened when its rows are read, and refused if it has
changed since the stream was created.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastmlp._extras import require
from fastmlp._validation import brief
from fastmlp.errors import DataError

PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather", ".ipc")
_BATCH_ELEMENTS = 2**22
_LARGE_GROUP = 2**26
"""Row groups of more bytes are not read as a whole, but a part of their columns at a time."""
_COLUMN_BUFFER = 2**15


def pyarrow(module: str = "pyarrow") -> Any:
    """Import pyarrow, or say how to install it."""
    return require(module, "reading Parquet and Arrow files", "arrow")


@dataclass(frozen=True)
class TableFile:
    """A file of a data set.

    Attributes
    ----------
    name : str
        Its path.
    filesystem : pyarrow.fs.FileSystem
        Its file system.
    is_parquet : bool
        Whether it is Parquet, or else Arrow IPC.
    stamp : tuple
        Size and modification time when the file was found.
    """

    name: str
    filesystem: Any
    is_parquet: bool
    stamp: tuple[Any, ...]

    @cached_property
    def layout(self) -> tuple[Any, list[int]]:
        """The schema, and the rows of each row group or record batch."""
        with reading(self.name):
            opened = self.open()
            if self.is_parquet:
                metadata = opened.metadata
                rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
                return opened.schema_arrow, rows
            count = opened.num_record_batches
            return opened.schema, [opened.get_batch(i).num_rows for i in range(count)]

    def open(self) -> Any:
        """Return a reader of the file.

        Raises
        ------
        DataError
            If the file has changed.
        """
        now = stamp(self.filesystem, self.name)
        if now != self.stamp:
            what = "is gone" if now[0] is None else "has changed"
            raise DataError(f"{self.name}: the file {what} since the stream was made")
        source = opened_file(self.filesystem, self.name)
        if not self.is_parquet:
            return pyarrow("pyarrow.ipc").open_file(source)
        parquet = pyarrow("pyarrow.parquet")
        opened = parquet.ParquetFile(source)
        groups = range(opened.metadata.num_row_groups)
        largest = max((opened.metadata.row_group(i).total_byte_size for i in groups), default=0)
        if largest < _LARGE_GROUP:
            return opened
        return parquet.ParquetFile(source, metadata=opened.metadata, buffer_size=_COLUMN_BUFFER)


def stamp(filesystem: Any, name: str) -> tuple[Any, ...]:
    """Return a value that changes when the file changes."""
    try:
        info = filesystem.get_file_info(name)
    except UnicodeEncodeError:  # as below
        status = os.stat(name) if os.path.exists(name) else None  # noqa: PTH110, PTH116
        return (status.st_size, status.st_mtime_ns) if status else (None, None)
    return info.size, info.mtime_ns


def opened_file(filesystem: Any, name: str) -> Any:
    """Return an open file for pyarrow, which itself accepts only names in UTF-8."""
    try:
        return filesystem.open_input_file(name)
    except UnicodeEncodeError:
        return pyarrow().PythonFile(_ClosingFile(name), mode="r")


class _ClosingFile(io.FileIO):
    """A file that is closed when it is no longer used, which pyarrow does not do."""

    def __del__(self) -> None:
        self.close()


def batches(opened: Any, block: int, columns: Sequence[str]) -> Iterator[Any]:
    """Yield a row group or record batch of an open file, in record batches of some columns."""
    if hasattr(opened, "iter_batches"):
        size = max(1, _BATCH_ELEMENTS // max(1, len(columns)))
        # On two processors pyarrow's threads slow down the one that trains.
        threads = pyarrow().cpu_count() > 2
        yield from opened.iter_batches(
            size, row_groups=[block], columns=list(columns), use_threads=threads
        )
    else:
        yield opened.get_batch(block).select(list(columns))


class reading:  # noqa: N801  (used as a statement)
    """A context in which errors of pyarrow are raised as a DataError that names the file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Raise a DataError instead."""
        arrow = pyarrow()
        if isinstance(error, OSError | arrow.ArrowException) and not isinstance(error, DataError):
            if isinstance(error, FileNotFoundError | PermissionError):
                return
            reason = " ".join(str(error).split())
            raise DataError(f"{self._name}: the file cannot be read: {reason}") from None


def table_files(source: Any) -> list[TableFile]:
    """Return the files of a path, of several, of a directory or of a pyarrow data set.

    In the order given; those of a directory by name.

    Raises
    ------
    TypeError, DataError
        If `source` is none of these, contains no file, or its suffix is unknown.
    OSError
        If a file does not exist.
    """
    if hasattr(source, "get_fragments"):
        filesystem, found = _dataset_files(source)
    else:
        filesystem = pyarrow("pyarrow.fs").LocalFileSystem()
        found = [(str(path), path.suffix.lower() in PARQUET) for path in _paths(source)]
    if not found:
        raise DataError(f"{source}: there are no files")
    return [
        TableFile(name, filesystem, is_parquet, stamp(filesystem, name))
        for name, is_parquet in found
    ]


def feature_names(schema: Any) -> list[str]:
    """Return the columns of a file that are data: not the index of a pandas frame."""
    pandas = schema.pandas_metadata or {}
    index = [column for column in pandas.get("index_columns", []) if isinstance(column, str)]
    return [name for name in schema.names if name not in index]


def _dataset_files(source: Any) -> tuple[Any, list[tuple[str, bool]]]:
    """Return the file system of a pyarrow data set, and (path, whether Parquet) of its files."""
    if not hasattr(source, "filesystem"):
        raise TypeError(
            f"source must be a data set of files, got {type(source).__name__}: "
            "pass tables in memory to fit directly"
        )
    kinds = {"parquet": True, "arrow": False, "feather": False, "ipc": False}
    found = []
    for fragment in source.get_fragments():
        kind = fragment.format.default_extname
        if kind not in kinds:
            raise DataError(f"{fragment.path}: the file must be Parquet or Arrow, got {kind}")
        found.append((fragment.path, kinds[kind]))
        lost = [n for n in source.schema.names if n not in fragment.physical_schema.names]
        if lost:
            raise DataError(
                f"{fragment.path}: column {brief(lost[0])} of the data set is not in the file; "
                "columns from paths (partitions) are not supported"
            )
    return source.filesystem, found


def _is_hidden(path: Path) -> bool:
    """Return whether a part of the path marks it as hidden."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _refuse_partitions(folder: Path, file: Path) -> None:
    """Raise if directories such as ``day=2`` hold a column, which would be lost without a word."""
    for part in file.relative_to(folder).parent.parts:
        if "=" in part:
            raise DataError(
                f"{file}: column {brief(part.partition('=')[0])} is in the names of directories; "
                "columns from paths (partitions) are not supported"
            )


def _paths(source: Any) -> list[Path]:
    if isinstance(source, str | bytes | os.PathLike):
        source = [source]
    if not isinstance(source, list | tuple):
        raise TypeError(
            "source must be a path, a list of paths or a pyarrow data set, "
            f"got {type(source).__name__}"
        )
    paths: list[Path] = []
    for item in source:
        if not isinstance(item, str | bytes | os.PathLike):
            raise TypeError(f"source must contain paths, got {type(item).__name__}")
        path = Path(os.fsdecode(item))
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if not _is_hidden(p.relative_to(path)))
        known = [p for p in inside if p.suffix.lower() in PARQUET + ARROW]
        if not known:
            kinds = ", ".join(PARQUET + ARROW)
            raise DataError(f"{path}: neither a file nor a directory of files of {kinds}")
        for file in known:
            _refuse_partitions(path, file)
            file.stat()  # raises the system's error if the file does not exist
        paths += known
    return paths
