"""Data frames and columns of polars and pyarrow as arrays, through narwhals (extra ``frames``).

pandas data frames convert to arrays by themselves. Column names are read from all three.
"""

import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import imported, require
from fastmlp._validation import brief

_THROUGH_NARWHALS: Final = ("polars", "pyarrow")


def is_frame(value: object) -> bool:
    """Return whether `value` is a data frame, a table or a column of polars or pyarrow."""
    return type(value).__module__.partition(".")[0] in _THROUGH_NARWHALS


def column_names(value: Any) -> tuple[str, ...] | None:
    """Return the column names of a data frame; None if it is not one, or a name is not text."""
    if type(value) is np.ndarray:
        return None
    if type(value).__module__.partition(".")[0] == "pyarrow":
        columns = getattr(getattr(value, "schema", None), "names", ())
    else:
        columns = getattr(value, "columns", ())
    names = tuple(columns) if hasattr(columns, "__iter__") else ()
    return names if names and all(isinstance(name, str) for name in names) else None


def frame_array(name: str, value: Any, advice: str) -> NDArray[Any]:
    """Return a data frame as an array (n, columns), or a column as an array (n,); see `numbers`.

    Raises
    ------
    ImportError
        If narwhals is not installed.
    TypeError
        If it does not contain its values, such as a lazy frame.
    ValueError
        If a column is not numeric or contains a null; the message names the column.
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
        return _column(name, frame, "", advice)
    columns = list(_columns(name, frame, advice))
    if not columns:
        return np.empty((len(frame), 0))
    result = np.empty((len(frame), len(columns)), np.result_type(*columns))
    for j, column in enumerate(columns):
        result[:, j] = column
    return result


def _table(value: Any) -> Any:
    """Convert pyarrow batches and plain arrays, which narwhals does not support."""
    record_batch, array = imported("pyarrow", "RecordBatch"), imported("pyarrow", "Array")
    if record_batch is not None and isinstance(value, record_batch):
        return sys.modules["pyarrow"].Table.from_batches([value])
    if array is not None and isinstance(value, array):
        return sys.modules["pyarrow"].chunked_array([value])
    return value


def _columns(name: str, frame: Any, advice: str) -> Iterator[NDArray[Any]]:
    for column in frame.iter_columns():
        yield _column(name, column, f", column {brief(column.name)}", advice)


def _column(name: str, column: Any, place: str, advice: str) -> NDArray[Any]:
    if column.null_count() > 0:
        row = int(column.is_null().to_numpy().argmax())
        raise ValueError(f"{name} contains null at row {row}{place}")
    where = f"{name}: column {brief(column.name)}" if place else name
    kind = str(column.dtype).partition("(")[0]
    if kind in {"Array", "List"}:
        raise ValueError(
            f"{where} holds several numbers in each row ({column.dtype}); pass them as an array of "
            "a column for each number"
        )
    if kind == "Decimal":
        return np.array([float(value) for value in column.to_list()], np.float64)
    array: NDArray[Any] = column.to_numpy()
    if array.dtype.kind not in "biuf":
        held = "text" if array.dtype.kind in "OUST" else "no numbers"
        if kind == "Object":  # of polars, which may be numbers to Python
            held, advice = "Python objects", "make it a column of numbers"
        raise ValueError(f"{where} holds {held} ({column.dtype}); {advice}")
    return array
