"""Data frames of pandas, polars, pyarrow and other Arrow libraries, and mappings of arrays.

Over 400 lines, as each library, and each type of object, says in its own way what is missing.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import require
from fastmlp._validation import brief, described
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.arrow_cells import (
    arrow_decimals,
    arrow_text,
    arrow_times,
    decoded,
)
from fastmlp.tables.reading.table import Booleans, Column, Table, Text, Untyped


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
        _refuse_equal(names)
        makers = [partial(_pandas_column, name, frame.iloc[:, j]) for j, name in enumerate(names)]
        return Table.of("table", zip(names, makers, strict=True))
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
    first = next(iter(table.columns))
    for name, column in table.columns.items():
        if len(column) != len(table):
            raise ValueError(
                f"column {brief(name)} has {counted(len(column), 'row')}, "
                f"but {brief(first)} has {len(table)}"
            )
    return table


def _refuse_equal(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{names.count(name)} columns are named {brief(name)}")


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
        return _objects(name, array)
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
    hides = array.ndim == 1 and kind in "iuf" and any(map(_is_boolean, values))  # as 1 and 0
    large = array.ndim == 1 and kind == "f" and bool((np.abs(array) >= cells.EXACT).any())
    rounds = large and any(map(cells.is_rounded, values))
    if kind in "USO" or hides or rounds:
        array = np.empty(len(values), object)
        array[:] = list(values)
    return array


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers, booleans, times and durations; long doubles as doubles."""
    if array.dtype.kind == "m" and np.datetime_data(array.dtype)[0] in {"Y", "M"}:
        raise _of_odd_durations(name)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    return array


def _pandas_column(name: str, series: Any) -> Column:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biufMm" and (isinstance(series.dtype, np.dtype) or _is_sparse(series.dtype)):
        return _plain(name, np.asarray(series))
    if hasattr(series, "cat"):
        values = [None if _is_null(value) else str(value) for value in series.cat.categories]
        codes = series.cat.codes.to_numpy().astype(np.int32)
        return _from_values(name, values, codes, list(series.cat.categories))
    if kind == "b":  # pandas' nullable types
        missing = np.asarray(series.isna(), bool)
        return Booleans.where(series.to_numpy(bool, na_value=False), missing)
    if kind in "iuf":
        return _nullable_numbers(name, series)
    if kind == "M":
        return _pandas_times(name, series)
    return _objects(name, series.to_numpy(object))


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
            return _objects(name, series.to_numpy(object))
    numbers: NDArray[np.float64] = series.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return numbers


def _from_values(
    name: str, values: list[str | None], codes: NDArray[np.int32], kinds: list[Any]
) -> Column:
    """Return categories as numbers if they are numbers, else as text."""
    if kinds and all(map(_is_boolean, kinds)):
        return Booleans.where(np.array([*kinds, False])[codes], codes < 0)
    if kinds and all(map(_is_number, kinds)):
        if any(map(cells.is_rounded, kinds)):
            return _numbers(name, [None if code < 0 else kinds[code] for code in codes.tolist()])
        return np.array([*kinds, np.nan], np.float64)[codes]
    return Untyped.coded(values, codes)


def _objects(name: str, array: NDArray[Any]) -> Column:  # noqa: PLR0911  (a case each)
    """Return Python objects as numbers, text, times or vectors."""
    if array.ndim == 2:
        return _vectors(name, list(array))
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    items = array.tolist()
    held = [item for item in items if not _is_null(item)]
    if all(isinstance(item, str | bytes) for item in held):
        return _untyped(name, items)
    if all(map(_is_boolean, held)):
        missing = np.array([_is_null(item) for item in items], bool)
        true = np.array([not gap and item for item, gap in zip(items, missing, strict=True)], bool)
        return Booleans.where(true, missing)
    if all(map(_is_number, held)):
        return _numbers(name, items)
    if all(map(_is_duration, held)):
        return _durations(name, items)
    if all(isinstance(item, list | tuple | np.ndarray) for item in held):
        return _vectors(name, items)
    _refuse_times_and_durations(name, items)
    for item in held:
        if not _is_written(item):
            kind = type(item).__name__
            raise DataError(
                f"column {brief(name)} holds {kind}, which is neither number, text nor time"
            )
    return _untyped(name, items)


def _is_written(item: Any) -> bool:
    """Return whether a cell of a text file holds an object: text, true, a number or a time."""
    of_time = np.datetime64 | np.timedelta64 | timedelta
    if hasattr(item, "isoformat") or isinstance(item, of_time):
        return True
    return isinstance(item, str | bytes) or _is_boolean(item) or _is_number(item)


def _durations(name: str, items: list[Any]) -> NDArray[np.timedelta64]:
    """Return durations in microseconds; those that 64 bits do not hold NumPy would wrap around."""
    known = [None if _is_null(item) else item for item in items]
    for item in known:
        if item is not None:
            of_numpy = isinstance(item, np.timedelta64)
            try:
                seconds = item / (np.timedelta64(1, "s") if of_numpy else timedelta(seconds=1))
            except TypeError:  # of months and years
                raise _of_odd_durations(name) from None
            if abs(seconds) >= 2**63 / 1e6:
                raise _of_odd_durations(name)
    return np.array(known, "m8[us]")


def _refuse_times_and_durations(name: str, items: list[Any]) -> None:
    """Refuse durations among times of day: as text, 2:00:00 is either."""
    kinds = {_is_duration(item): row for row, item in enumerate(items) if _is_clock(item)}
    if len(kinds) > 1:
        raise DataError(
            f"{_place(kinds[True], name)}: {brief(str(items[kinds[True]]))} is a duration, but row "
            f"{kinds[False]} has a time of day: give one or the other"
        )


def _is_duration(item: Any) -> bool:
    return isinstance(item, timedelta | np.timedelta64)


def _is_clock(item: Any) -> bool:
    """Return whether an object is a duration or a time of day without a date."""
    return _is_duration(item) or (hasattr(item, "isoformat") and not hasattr(item, "year"))


def _of_odd_durations(name: str) -> DataError:
    return DataError(
        f"column {brief(name)} holds durations in months or years, or beyond 64 bits of "
        "microseconds"
    )


def _is_boolean(item: Any) -> bool:
    return isinstance(item, bool | np.bool_)


def _is_number(item: Any) -> bool:
    real = int | float | Decimal | np.integer | np.floating
    return isinstance(item, real) and not isinstance(item, bool | np.timedelta64)


def _numbers(name: str, items: Sequence[Any]) -> Column:
    """Return Python numbers as doubles, NaN where null; as text if doubles round integers.

    Raises
    ------
    DataError
        If one is finite, but beyond the range of a double.
    """
    numbers = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if _is_null(item):
            continue
        try:
            number = float(item)
        except OverflowError:  # of an int; others become infinite
            number = math.inf
        if math.isinf(number) and item not in {math.inf, -math.inf}:
            raise DataError(f"{_place(row, name)}: {brief(item)} is too large for float64")
        numbers[row] = number
    return cells.typed(_text(name, items), ".") if any(map(cells.is_rounded, items)) else numbers


def _place(row: int, name: str) -> str:
    return Table("table", {}).place(row, name)


def _untyped(name: str, items: Sequence[Any]) -> Untyped:
    text = _text(name, items)
    words = (_word(item) for item in items if _is_number(item))
    numbers = frozenset(filter(None, words))
    return Untyped(text.values, text.codes, merged=text.merged, numbers=numbers)


def _text(name: str, items: Sequence[Any]) -> Text:
    """Return Python objects as text."""

    def word(row: int, item: Any) -> str | None:
        try:
            return _word(item)
        except ValueError:  # an integer of thousands of digits
            raise DataError(f"{_place(row, name)}: {brief(item)} is too large") from None

    return Text.of(word(row, item) for row, item in enumerate(items))


def _word(item: Any) -> str | None:
    if _is_null(item):
        return None
    if isinstance(item, Decimal) and (whole := cells.as_int(item)) is not None:
        return str(whole)
    if hasattr(item, "isoformat") and not isinstance(item, timedelta):
        has_clock = hasattr(item, "year") and hasattr(item, "hour")
        return str(item.isoformat(" ") if has_clock else item.isoformat())
    return item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else str(item)


def _is_null(item: Any) -> bool:
    """Return whether a value means "missing" in Python or pandas."""
    if item is None or type(item).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(item, Decimal):
        return item.is_nan()
    if isinstance(item, np.datetime64 | np.timedelta64):
        return bool(np.isnat(item))
    return isinstance(item, float | np.floating) and bool(item != item)  # noqa: PLR0124


def _vectors(name: str, items: list[Any]) -> NDArray[np.float64]:
    lengths = {len(item) for item in items if not _is_null(item)}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(f"column {brief(name)} holds lists of {len(lengths)} different lengths")
    length = lengths.pop()
    result = np.full((len(items), length), np.nan)
    for row, item in enumerate(items):
        if not _is_null(item):
            try:
                result[row] = np.asarray(item, np.float64)
            except (TypeError, ValueError, OverflowError):
                raise DataError(
                    f"{_place(row, name)}: {brief(item)} is no list of numbers within float64"
                ) from None
    return result


def from_arrow(source: str, table: Any) -> Table:
    """Read a pyarrow table.

    Raises
    ------
    DataError
        If two columns have the same name, or the type of one is not supported.
    """
    names = [str(name) for name in table.column_names]
    refuse_equal(source, names)
    makers = [partial(arrow_column, name, table.column(j), source) for j, name in enumerate(names)]
    return Table.of(source, zip(names, makers, strict=True))


def refuse_equal(source: str, names: list[str]) -> None:
    """Raise `DataError` if two columns of a file or frame have the same name."""
    try:
        _refuse_equal(names)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None


def arrow_column(  # noqa: PLR0911  (a case each)
    name: str, column: Any, source: str = "table"
) -> Column:
    """Return the column of a pyarrow column.

    Raises
    ------
    DataError
        If its type is not supported.
    """
    import pyarrow as pa  # noqa: PLC0415

    column = decoded(column)
    kinds, kind = pa.types, column.type
    if kinds.is_null(kind):
        return np.full(len(column), np.nan)
    if kinds.is_boolean(kind):
        missing = column.is_null().to_numpy().astype(bool)
        return Booleans.where(column.fill_null(False).to_numpy().astype(bool), missing)
    if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind):
        return _arrow_numbers(name, column)
    if kinds.is_date(kind) or kinds.is_timestamp(kind):
        return _arrow_moments(f"{source}: column {brief(name)}", column)
    if kinds.is_time(kind):
        return arrow_times(column)
    if kinds.is_duration(kind):
        return np.asarray(column.to_numpy(), f"m8[{kind.unit}]")
    if kinds.is_string(kind) or kinds.is_large_string(kind):
        text = arrow_text(column.cast(pa.large_string()))
        return Untyped(text.values, text.codes, merged=text.merged)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return _vectors(name, column.to_pylist() if column.null_count else list(_lists(column)))
    if kinds.is_binary(kind) or kinds.is_large_binary(kind):
        return _objects(name, np.array(column.to_pylist(), object))
    raise DataError(
        f"{source}: column {brief(name)} holds {kind}, which is neither number, text nor time"
    )


def _arrow_moments(place: str, column: Any) -> NDArray[np.datetime64]:
    """Return dates and times in microseconds; digits beyond them are lost."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    shorter = pc.CastOptions(pa.timestamp("us"), allow_time_truncate=True)
    try:
        return np.asarray(pc.cast(column, options=shorter).to_numpy(), "M8[us]")
    except pa.ArrowInvalid as error:  # beyond the year 294246
        raise DataError(f"{place}: {error}") from None


def _arrow_numbers(name: str, column: Any) -> Column:
    import pyarrow as pa  # noqa: PLC0415

    is_decimal = pa.types.is_decimal(column.type)
    array: NDArray[Any] = (
        arrow_decimals(column)
        if is_decimal
        else column.to_numpy()  # integers with nulls come as float64 with NaN
    )
    if array.dtype.kind == "f" and (is_decimal or str(column.type) in {"int64", "uint64"}):
        items = column.to_pylist() if (np.abs(array) >= cells.EXACT).any() else []
        return _numbers(name, items) if any(map(cells.is_rounded, items)) else array
    return array


def _lists(column: Any) -> Any:
    for chunk in column.chunks:
        yield from chunk.to_numpy(zero_copy_only=False)
