"""`ParquetStream`: Parquet and Arrow files, read a row group at a time."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.data._text import listing, nearest
from fastmlp.data.stream import Rows, Stream
from fastmlp.errors import DataError
from fastmlp.streams.tables import (
    TableFile,
    batches,
    feature_names,
    pyarrow,
    reading,
    table_files,
)


class ParquetStream(Stream):
    """Rows of Parquet or Arrow IPC (Feather) files; needs ``fastmlp[arrow]``.

    Files are read in the order given, those of a directory by name; names that start with a dot or
    an underscore are skipped in directories. Blocks are row groups or record batches; blocks of
    thousands of rows, many in a window, shuffle well. Columns contain numbers without nulls and
    have the same names in each file.

    Parameters
    ----------
    source : path, list of paths, or pyarrow.dataset.Dataset
        Files with the suffix .parquet, .pq, .arrow, .feather or .ipc, or directories of them.
    target : str or list of str
        The target column, or one for each output.
    features : list of str, optional
        The feature columns, in this order; None is all others, in the order of the file, except the
        index of a pandas data frame.
    sample_weight : str, optional
        The column of sample weights.
    window_rows : int, optional
        Rows that are shuffled together; None is 2^22 divided by the features. See `Stream`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type.
    DataError
        If a file cannot be read, lacks a column, or has a column that is not numeric.
    OSError
        If a file does not exist.
    ImportError
        If pyarrow is not installed.

    Examples
    --------
    >>> stream = ParquetStream("trips/", target="fare")  # doctest: +SKIP
    >>> net.fit(stream, epochs=5)  # doctest: +SKIP
    """

    def __init__(
        self,
        source: Any,
        target: str | Sequence[str],
        features: Sequence[str] | None = None,
        sample_weight: str | None = None,
        *,
        window_rows: int | None = None,
    ) -> None:
        pyarrow()
        if window_rows is not None:
            self.window_rows = _validation.integer("window_rows", window_rows, minimum=1)
        self._files = table_files(source)
        self._single = isinstance(target, str)
        self._targets = _names("target", [target] if isinstance(target, str) else target)
        self._weights = [] if sample_weight is None else _names("sample_weight", [sample_weight])
        taken = {*self._targets, *self._weights}
        if features is None:
            names = feature_names(self._files[0].layout[0])
            self._features = [name for name in names if name not in taken]
            if not self._features:
                raise DataError(f"{self._files[0].name}: there is no column besides the target")
        else:
            self._features = _names("features", features)
        self.feature_names = tuple(self._features)
        columns = self.columns()
        for file in self._files:
            _check_schema(file, columns)
        for name in columns:
            if columns.count(name) > 1:
                raise ValueError(
                    f"column {_validation.brief(name)} is named twice among features, target, "
                    "weight"
                )
        blocks = [(file, i) for file in self._files for i in range(len(file.layout[1]))]
        self._blocks = blocks
        self._block_rows = [rows for file in self._files for rows in file.layout[1]]
        self._starts = [0, *np.cumsum(self._block_rows, dtype=np.int64).tolist()]

    def __repr__(self) -> str:
        return (
            f"ParquetStream({len(self._files)} files, {self.n_rows:,} rows, "
            f"{self.n_features:,} features)"
        )

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return len(self._features)

    @property
    def block_rows(self) -> Sequence[int]:
        """Rows of each row group or record batch."""
        return self._block_rows

    def read(self, start: int, stop: int) -> Rows:
        """Return some rows."""
        return self.reader()(start, stop)

    def reader(self) -> Callable[[int, int], Rows]:
        """Return a function that reads the parts of a block one after another."""
        return _Reader(self).read

    def place(self, row: int) -> tuple[str, int]:
        """Return the file that a row comes from, and its row there."""
        block = self.block_of(row)
        file = self._blocks[block][0]
        first = block - self._blocks[block][1]
        return file.name, row - self._starts[first]

    def feature_name(self, feature: int) -> str:
        """Return the name of a column."""
        return repr(self._features[feature])

    def target_name(self) -> str:
        """Return the name of the target column."""
        return f"column {self._targets[0]!r}" if self._single else f"columns {self._targets}"

    def block_of(self, row: int) -> int:
        """Return the index of the block of a row."""
        return bisect.bisect_right(self._starts, row) - 1

    def block_at(self, row: int) -> tuple[TableFile, int, int]:
        """Return the file of a row's block, the block's index in it, and its first row."""
        block = self.block_of(row)
        return *self._blocks[block], self._starts[block]

    def rows_of_batch(self, batch: Any) -> tuple[NDArray[Any], ...]:
        """Return X, y and weights of a record batch; nulls are NaN."""
        X = _matrix(batch.select(self._features))
        targets = [_numbers(batch.column(name)) for name in self._targets]
        y = targets[0] if self._single else np.stack(targets, axis=1)
        return X, y, *(_numbers(batch.column(name)) for name in self._weights)

    def columns(self) -> list[str]:
        """Return the names of all columns that are read."""
        return [*self._features, *self._targets, *self._weights]


class _Reader:
    """Reads blocks of a stream, and continues at its last position."""

    def __init__(self, stream: ParquetStream) -> None:
        self._stream = stream
        self._opened: dict[str, Any] = {}
        self._begun: dict[int, tuple[int, Iterator[Any], Any]] = {}

    def read(self, start: int, stop: int) -> Rows:
        """Return rows of one block: views, copied only if they are from several batches."""
        stream = self._stream
        file, number, first = stream.block_at(start)
        with reading(file.name):
            at, coming, kept = self._begun.pop(first, (-1, iter(()), None))
            if at != start:
                at, coming, kept = first, self._batches(file, number), None
            parts = []
            while at < stop:
                batch = next(coming, None) if kept is None else kept
                if batch is None:
                    break  # fewer rows than expected: reported by the caller, which counts them
                kept = batch.slice(stop - at) if at + batch.num_rows > stop else None
                used = batch.slice(max(0, start - at), stop - at)
                at = min(stop, at + batch.num_rows)
                if used.num_rows:
                    parts.append(stream.rows_of_batch(used))
            if at < first + stream.block_rows[stream.block_of(start)]:
                self._begun[first] = (at, coming, kept)
        if len(parts) == 1:
            return parts[0]  # type: ignore[return-value]
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))  # type: ignore[return-value]

    def _batches(self, file: TableFile, number: int) -> Iterator[Any]:
        if file.name not in self._opened:
            if len(self._opened) == _MOST_OPEN:
                self._opened.pop(next(iter(self._opened)))
            self._opened[file.name] = file.open()
        return batches(self._opened[file.name], number, self._stream.columns())


_MOST_OPEN = 16
"""Files that are kept open."""


def _names(argument: str, names: Any) -> list[str]:
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be names of columns, got {_validation.described(names)}")
    if not names:
        raise ValueError(f"{argument} must name at least one column")
    return list(names)


def _check_schema(file: TableFile, columns: list[str]) -> None:
    """Refuse a file that lacks one of these columns, or in which one is not numeric."""
    types = pyarrow("pyarrow.types")
    schema, _ = file.layout
    for name in columns:
        count = schema.names.count(name)
        if count > 1:
            raise DataError(f"{file.name}: {count} columns are named {_validation.brief(name)}")
        if count == 0:
            raise DataError(
                f"{file.name}: there is no column {_validation.brief(name)}; columns are "
                f"{listing(schema.names)}{nearest(name, schema.names)}"
            )
        kind = schema.field(name).type
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise DataError(
                f"{file.name}: column {_validation.brief(name)} holds {kind}, not numbers"
            )


def _matrix(batch: Any) -> NDArray[Any]:
    """Return the columns of a record batch side by side."""
    columns, kinds = batch.columns, set(batch.schema.types)
    mixed = len(kinds) > 1 or any(column.null_count for column in columns)
    if mixed or pyarrow("pyarrow.types").is_boolean(kinds.pop()):
        numbers = np.stack([_numbers(column) for column in columns], axis=1)
        return numbers.astype(np.float64) if mixed else numbers
    matrix: NDArray[Any] = np.asarray(batch.to_tensor(row_major=True))
    return matrix


def _numbers(column: Any) -> NDArray[Any]:
    """Return a column as an array; nulls are NaN."""
    array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array.astype(np.float64) if array.dtype.kind == "O" else array
