"""Tables of pyarrow, and their columns of any type."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.arrow_cells import arrow_decimals, arrow_text, arrow_times, decoded
from fastmlp.tables.reading.objects import of_numbers, of_objects, of_vectors
from fastmlp.tables.reading.table import Booleans, Column, Table, Untyped


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
    result = Table.of(source, zip(names, makers, strict=True))
    result.zoned = zoned(table.schema)
    return result


def zoned(schema: Any) -> set[str]:
    """Return the columns whose times have a time zone."""
    return {str(field.name) for field in schema if has_zone(field.type)}


def has_zone(kind: Any) -> bool:
    """Return whether the times of a type have a time zone, of pandas, pyarrow or polars."""
    for inner in ("pyarrow_dtype", "value_type"):
        kind = getattr(kind, inner, kind)
    return bool(getattr(kind, "tz", None) or getattr(kind, "time_zone", None))


def refuse_equal(source: str, names: list[str]) -> None:
    """Raise `DataError` if two columns of a file or frame have the same name."""
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{source}: {names.count(name)} columns are named {brief(name)}")


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
        return _numbers(name, column)
    if kinds.is_date(kind) or kinds.is_timestamp(kind):
        return _moments(f"{source}: column {brief(name)}", column)
    if kinds.is_time(kind):
        return arrow_times(column)
    if kinds.is_duration(kind):
        return np.asarray(column.to_numpy(), f"m8[{kind.unit}]")
    if kinds.is_string(kind) or kinds.is_large_string(kind):
        text = arrow_text(column.cast(pa.large_string()))
        return Untyped(text.values, text.codes, merged=text.merged)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return of_vectors(name, column.to_pylist() if column.null_count else list(_lists(column)))
    if kinds.is_binary(kind) or kinds.is_large_binary(kind):
        return of_objects(name, np.array(column.to_pylist(), object))
    raise DataError(
        f"{source}: column {brief(name)} holds {kind}, which is neither number, text nor time"
    )


def _moments(place: str, column: Any) -> NDArray[np.datetime64]:
    """Return dates and times in microseconds; digits beyond them are lost."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    shorter = pc.CastOptions(pa.timestamp("us"), allow_time_truncate=True)
    try:
        return np.asarray(pc.cast(column, options=shorter).to_numpy(), "M8[us]")
    except pa.ArrowInvalid as error:  # beyond the year 294246
        raise DataError(f"{place}: {error}") from None


def _numbers(name: str, column: Any) -> Column:
    import pyarrow as pa  # noqa: PLC0415

    is_decimal = pa.types.is_decimal(column.type)
    array: NDArray[Any] = (
        arrow_decimals(column)
        if is_decimal
        else column.to_numpy()  # integers with nulls come as float64 with NaN
    )
    if array.dtype.kind == "f" and (is_decimal or str(column.type) in {"int64", "uint64"}):
        items = column.to_pylist() if (np.abs(array) >= cells.EXACT).any() else []
        return of_numbers(name, items) if any(map(cells.is_rounded, items)) else array
    return array


def _lists(column: Any) -> Any:
    for chunk in column.chunks:
        yield from chunk.to_numpy(zero_copy_only=False)
