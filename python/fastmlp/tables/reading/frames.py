"""Data frames of pandas, polars, pyarrow and other Arrow libraries, and mappings of arrays."""

from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import require
from fastmlp._validation import brief, described
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.arrow_tables import (
    arrow_column,
    from_arrow,
    has_zone,
    refuse_equal,
)
from fastmlp.tables.reading.objects import (
    is_bool,
    is_null,
    is_number,
    odd_durations,
    of_numbers,
    of_objects,
)
from fastmlp.tables.reading.table import Booleans, Column, Table, Untyped


def is_frame(value: object) -> bool:
    """Return whether a value is a frame that `from_frame` reads."""
    if _is_of_pandas(value):
        return hasattr(value, "columns")
    return hasattr(value, "__arrow_c_stream__") or _is_batch(value)


def _is_of_pandas(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "pandas"


def _is_batch(value: object) -> bool:
    return hasattr(value, "__arrow_c_array__") and hasattr(value, "schema")


def from_frame(frame: Any) -> Table:
    """Read a frame of pandas, polars or pyarrow.

    Raises
    ------
    DataError
        If two columns have the same name.
    TypeError
        If it is a column alone.
    ImportError
        If it is not a pandas frame and pyarrow is not installed.
    """
    if _is_of_pandas(frame):
        names = [str(name) for name in frame.columns]
        refuse_equal("table", names)
        makers = [partial(_pandas_column, name, frame.iloc[:, j]) for j, name in enumerate(names)]
        table = Table.of("table", zip(names, makers, strict=True))
        kinds = zip(names, frame.dtypes, strict=True)
        table.zoned = {name for name, kind in kinds if has_zone(kind)}
        return table
    return from_arrow("table", _arrow_table(frame))


def twice_readable(frame: Any) -> Any:
    """Return a frame as it is, but a stream of Arrow, which can be read once, as a table."""
    return frame if _is_of_pandas(frame) else _arrow_table(frame)


def _arrow_table(frame: Any) -> Any:
    pyarrow = require("pyarrow", f"a frame of {type(frame).__module__.partition('.')[0]}", "tables")
    if _is_batch(frame) and not hasattr(frame, "__arrow_c_stream__"):
        frame = pyarrow.Table.from_batches([pyarrow.record_batch(frame)])
    try:
        return pyarrow.table(frame)
    except (TypeError, ValueError, NotImplementedError) as error:
        _refuse_unreadable(frame)
        raise TypeError(f"table must have named columns, got {described(frame)}: {error}") from None


def _refuse_unreadable(frame: Any) -> None:
    """Raise for the first column of a frame that pyarrow cannot read, such as Int128 of polars."""
    import pyarrow as pa  # noqa: PLC0415

    for name in getattr(frame, "columns", []):
        try:
            pa.chunked_array(frame[name])
        except (TypeError, ValueError, NotImplementedError):
            raise DataError(
                f"table: column {brief(name)} holds {frame[name].dtype}, which pyarrow cannot read"
            ) from None


def from_mapping(columns: Mapping[Any, Any]) -> Table:
    """Read a mapping of names to arrays.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If there are no columns, or they have different lengths.
    """
    if not columns:
        raise DataError("the table has no columns: the mapping is empty")
    for name in columns:
        if not isinstance(name, str):
            raise TypeError(f"the names of columns must be str, got {described(name)}")
    table = Table.of("table", column_makers(columns))
    table.zoned = {name for name, values in columns.items() if has_zone(_type_of(values))}
    first = next(iter(table.columns))
    for name, column in table.columns.items():
        if len(column) != len(table):
            raise ValueError(
                f"column {brief(name)} has {counted(len(column), 'row')}, "
                f"but {brief(first)} has {len(table)}"
            )
    return table


def _type_of(values: Any) -> Any:
    return getattr(values, "dtype", getattr(values, "type", None))


def column_makers(columns: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Column]]]:
    """Yield names and functions that return columns, for `Table.of`."""
    for name, values in columns.items():
        yield name, partial(from_array, name, values)


def from_array(name: str, values: Any) -> Column:
    """Return the column of an array, a list or a column of a frame.

    Raises
    ------
    DataError
        If its type is not supported.
    TypeError
        If it is text, or has no order, or no length.
    """
    if isinstance(values, str | bytes):
        raise TypeError(
            f"column {brief(name)} must be an array or a list, got {described(values)}: "
            "for one row, a list of one"
        )
    if isinstance(values, Set | Mapping | Iterator) or hasattr(values, "columns"):
        raise TypeError(f"column {brief(name)} must be an array or a list, got {described(values)}")
    if isinstance(values, np.ma.MaskedArray):
        values = _unmasked(values)
    if _is_of_pandas(values):
        return _pandas_column(name, values)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        pyarrow = require("pyarrow", "a column of Arrow", "tables")
        return arrow_column(name, pyarrow.chunked_array(values))
    array = np.asarray(values) if isinstance(values, np.ndarray) else _array_of(values)
    if array.dtype.kind in "OUS" and array.ndim:
        return of_objects(name, array)
    if array.ndim == 2 and array.dtype.kind in "biuf" and array.shape[1]:
        return array if array.shape[1] > 1 else array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biufMm":
        raise DataError(
            f"column {brief(name)} must be numbers, text or times of shape (n,), or vectors of "
            f"shape (n, k), got {array.dtype} {array.shape}"
        )
    return _plain(name, array)


def _unmasked(values: Any) -> Any:
    """Return a masked array with gaps, NaN or NaT, in place of what is masked."""
    if not np.ma.getmaskarray(values).any():
        return values.data
    if values.dtype.kind in "mM":
        return values.filled(np.array("NaT", values.dtype))
    if values.ndim == 2 and values.dtype.kind in "biuf":
        return values.astype(np.float64).filled(np.nan)
    return values.filled(np.nan) if values.dtype.kind == "f" else values.tolist()


def _array_of(values: Any) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):  # lists of different lengths; a large integer
        array = np.empty(0, object)
    kind = array.dtype.kind
    hides = array.ndim == 1 and kind in "iuf" and any(map(is_bool, values))  # as 1 and 0
    large = array.ndim == 1 and kind == "f" and bool((np.abs(array) >= cells.EXACT).any())
    rounds = large and any(map(cells.is_rounded, values))
    if kind in "USO" or hides or rounds:
        array = np.empty(len(values), object)
        array[:] = list(values)
    return array


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers, booleans, times and durations; long doubles as doubles."""
    if array.dtype.kind == "m" and np.datetime_data(array.dtype)[0] in {"Y", "M"}:
        raise odd_durations(name)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    return array


def _pandas_column(name: str, series: Any) -> Column:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biufMm" and (isinstance(series.dtype, np.dtype) or _is_sparse(series.dtype)):
        return _plain(name, np.asarray(series))
    if hasattr(series, "cat"):
        values = [None if is_null(value) else str(value) for value in series.cat.categories]
        codes = series.cat.codes.to_numpy().astype(np.int32)
        return _from_values(name, values, codes, list(series.cat.categories))
    if kind == "b":  # pandas' nullable types
        missing = np.asarray(series.isna(), bool)
        return Booleans.where(series.to_numpy(bool, na_value=False), missing)
    if kind in "iuf":
        return _nullable_numbers(name, series)
    if kind == "M":
        return _pandas_times(name, series)
    return of_objects(name, series.to_numpy(object))


def _pandas_times(name: str, series: Any) -> Column:
    """Return times as datetime64, those with a time zone in UTC."""
    if hasattr(series.dtype, "pyarrow_dtype"):
        return arrow_column(name, getattr(series, "array", series).__arrow_array__())
    return np.asarray(series.to_numpy("M8[us]"))


def _is_sparse(kind: Any) -> bool:
    """Return whether a type of pandas stores only what differs from one value."""
    return hasattr(kind, "subtype") and hasattr(kind, "fill_value")


def _nullable_numbers(name: str, series: Any) -> Column:
    """Return the numbers of a nullable type of pandas: as doubles if some are missing."""
    if series.dtype.kind in "iu":
        if not series.isna().any():
            return np.asarray(series.to_numpy(series.dtype.numpy_dtype))
        if any(map(cells.is_rounded, series.dropna().tolist())):
            return of_objects(name, series.to_numpy(object))
    numbers: NDArray[np.float64] = series.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return numbers


def _from_values(
    name: str, values: list[str | None], codes: NDArray[np.int32], kinds: list[Any]
) -> Column:
    """Return categories as numbers if they are numbers, else as text."""
    if kinds and all(map(is_bool, kinds)):
        return Booleans.where(np.array([*kinds, False])[codes], codes < 0)
    if kinds and all(map(is_number, kinds)):
        if any(map(cells.is_rounded, kinds)):
            return of_numbers(name, [None if code < 0 else kinds[code] for code in codes.tolist()])
        return np.array([*kinds, np.nan], np.float64)[codes]
    return Untyped.coded(values, codes)
