"""Columns of Python objects: numbers, text, times, durations and lists, with gaps."""

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.table import Booleans, Column, Table, Text, Untyped


def of_objects(name: str, array: NDArray[Any]) -> Column:  # noqa: PLR0911  (a case each)
    """Return Python objects as numbers, text, times or vectors."""
    if array.ndim == 2:
        return of_vectors(name, list(array))
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    items = array.tolist()
    held = [item for item in items if not is_null(item)]
    if all(isinstance(item, str | bytes) for item in held):
        return _untyped(name, items)
    if all(map(is_bool, held)):
        missing = np.array([is_null(item) for item in items], bool)
        true = np.array([not gap and item for item, gap in zip(items, missing, strict=True)], bool)
        return Booleans.where(true, missing)
    if all(map(is_number, held)):
        return of_numbers(name, items)
    if all(map(_is_duration, held)):
        return _durations(name, items)
    if all(isinstance(item, list | tuple | np.ndarray) for item in held):
        return of_vectors(name, items)
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
    return isinstance(item, str | bytes) or is_bool(item) or is_number(item)


def _durations(name: str, items: list[Any]) -> NDArray[np.timedelta64]:
    """Return durations in microseconds; those that 64 bits do not hold NumPy would wrap around."""
    known = [None if is_null(item) else item for item in items]
    for item in known:
        if item is not None:
            of_numpy = isinstance(item, np.timedelta64)
            try:
                seconds = item / (np.timedelta64(1, "s") if of_numpy else timedelta(seconds=1))
            except TypeError:  # of months and years
                raise odd_durations(name) from None
            if abs(seconds) >= 2**63 / 1e6:
                raise odd_durations(name)
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


def odd_durations(name: str) -> DataError:
    """Return the error of durations that seconds do not hold."""
    return DataError(
        f"column {brief(name)} holds durations in months or years, or beyond 64 bits of "
        "microseconds"
    )


def is_bool(item: Any) -> bool:
    """Return whether an object is true or false, of Python or NumPy."""
    return isinstance(item, bool | np.bool_)


def is_number(item: Any) -> bool:
    """Return whether an object is a real number."""
    real = int | float | Decimal | np.integer | np.floating
    return isinstance(item, real) and not isinstance(item, bool | np.timedelta64)


def of_numbers(name: str, items: Sequence[Any]) -> Column:
    """Return Python numbers as doubles, NaN where null; as text if doubles round integers.

    Raises
    ------
    DataError
        If one is finite, but beyond the range of a double.
    """
    numbers = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if is_null(item):
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
    words = (_word(item) for item in items if is_number(item))
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
    if is_null(item):
        return None
    if isinstance(item, Decimal) and (whole := cells.as_int(item)) is not None:
        return str(whole)
    if hasattr(item, "isoformat") and not isinstance(item, timedelta):
        has_clock = hasattr(item, "year") and hasattr(item, "hour")
        return str(item.isoformat(" ") if has_clock else item.isoformat())
    return item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else str(item)


def is_null(item: Any) -> bool:
    """Return whether a value means "missing" in Python or pandas."""
    if item is None or type(item).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(item, Decimal):
        return item.is_nan()
    if isinstance(item, np.datetime64 | np.timedelta64):
        return bool(np.isnat(item))
    return isinstance(item, float | np.floating) and bool(item != item)  # noqa: PLR0124


def of_vectors(name: str, items: list[Any]) -> NDArray[np.float64]:
    """Return lists of one length as vectors, NaN where null.

    Raises
    ------
    DataError
        If the lengths differ, or an item is no list of numbers.
    """
    lengths = {len(item) for item in items if not is_null(item)}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(f"column {brief(name)} holds lists of {len(lengths)} different lengths")
    length = lengths.pop()
    result = np.full((len(items), length), np.nan)
    for row, item in enumerate(items):
        if not is_null(item):
            try:
                result[row] = np.asarray(item, np.float64)
            except (TypeError, ValueError, OverflowError):
                raise DataError(
                    f"{_place(row, name)}: {brief(item)} is no list of numbers within float64"
                ) from None
    return result
