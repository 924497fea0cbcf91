"""Frames and columns of polars and pyarrow as arrays, through narwhals (extra ``frames``).

Those of pandas are arrays already.
"""

import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import require

_THROUGH_NARWHALS: Final = ("polars", "pyarrow")


def is_frame(value: object) -> bool:
    """Say whether `value` is a frame, a table or a column of polars or pyarrow."""
    return type(value).__module__.partition(".")[0] in _THROUGH_NARWHALS


def frame_array(name: str, value: Any) -> NDArray[Any]:
    """Return a frame as an array (n, columns), or a column as an array (n,).

    Raises
    ------
    ImportError
        If narwhals is not installed.
    TypeError
        If it is none of those that hold their values, such as a lazy frame.
    ValueError
        If a column holds what is no number, or a null; it names the column.
    """
    library = type(value).__module__.partition(".")[0]
    narwhals = require("narwhals", f"{name} of {library}", "frames")
    try:
        frame = narwhals.from_native(_table(value), eager_only=True, allow_series=True)
    except TypeError as error:
        raise TypeError(
            f"{name} must hold its values, got {library}'s {type(value).__name__}: "
            "collect() it, or pass a table"
        ) from error
    if not hasattr(frame, "iter_columns"):
        return _column(name, frame, "")
    columns = list(_columns(name, frame))
    if not columns:
        return np.empty((len(frame), 0))
    result = np.empty((len(frame), len(columns)), np.result_type(*columns))
    for j, column in enumerate(columns):
        result[:, j] = column
    return result


def _table(value: Any) -> Any:
    """Return what narwhals knows instead of pyarrow's batches and plain arrays."""
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(value, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([value])
    if pyarrow is not None and isinstance(value, pyarrow.Array):
        return pyarrow.chunked_array([value])
    return value


def _columns(name: str, frame: Any) -> Iterator[NDArray[Any]]:
    for column in frame.iter_columns():
        yield _column(name, column, f", column {column.name!r}")


def _column(name: str, column: Any, place: str) -> NDArray[Any]:
    if column.null_count() > 0:
        row = int(column.is_null().to_numpy().argmax())
        raise ValueError(f"{name} contains null at row {row}{place}")
    array: NDArray[Any] = column.to_numpy()
    if array.dtype.kind not in "biuf":
        held = "text" if array.dtype.kind in "OUST" else "no numbers"
        where = f"{name}: column {column.name!r}" if place else name
        raise ValueError(f"{where} holds {held} ({column.dtype}); encode it as numbers")
    return array
