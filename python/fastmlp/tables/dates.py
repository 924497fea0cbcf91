"""Dates and times of day in text; their format is determined from the whole column.

An ambiguous order of day and month is not guessed, nor is the century of two-digit years.
"""

import math
import re
from collections.abc import Sequence
from datetime import date
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.cells import MISSING_WORDS

Order = Literal[
    "iso", "year first", "day first", "month first", "month by name", "quarter", "time of day"
]
_EPOCH: Final = date(1970, 1, 1).toordinal()
ORDERS: Final[tuple[Order, ...]] = get_args(Order)

_CLOCK: Final = r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))? ?(Z|[+-]\d\d:?\d\d)?)?"
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_YEAR_FIRST: Final = re.compile(
    rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}){_CLOCK})?", re.ASCII
)
_YEAR_LAST: Final = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){_CLOCK}", re.ASCII)
_TWO_DIGITS: Final = re.compile(rf"\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2}}{_CLOCK}", re.ASCII)
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_MONTH: Final = rf"({'|'.join(_MONTHS)})[a-z]*"
_BY_NAME: Final = re.compile(
    rf"(?:{_MONTH}[-/. ]+(\d{{1,2}})|(\d{{1,2}})[-/. ]+{_MONTH})[-/., ]+(\d{{4}}){_CLOCK}",
    re.ASCII | re.IGNORECASE,
)
_QUARTER: Final = re.compile(r"(\d{4})[- :]?(?:[Qq:]([1-4])|[Mm](\d{1,2}))", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?", re.ASCII)


def order_of(  # noqa: PLR0911  (a case each)
    values: Sequence[str],
) -> tuple[Order | None, str]:
    """Return the date format of the distinct values of a column, or None, and the reason.

    Parameters
    ----------
    values : sequence of str
        At least one is not a missing word.

    Returns
    -------
    order : str or None
        None if they are not dates, or ambiguous ones.
    reason : str
        Why dates are not read; empty if the values are not dates.
    """
    words = [value for value in values if value not in MISSING_WORDS]
    if not words or not (words[0][0].isdigit() or words[0][:3].lower() in _MONTHS):
        return None, ""
    for order, pattern in (
        ("iso", _ISO), ("year first", _YEAR_FIRST), ("month by name", _BY_NAME),
        ("quarter", _QUARTER), ("time of day", _TIME),
    ):  # fmt: skip
        if all(map(pattern.fullmatch, words)):
            some: Order = order  # type: ignore[assignment]
            return (some, "") if not np.isnan(days(words, some)).any() else (None, "")
    if all(map(_TWO_DIGITS.fullmatch, words)):
        return None, "the years have two digits, whose century nothing tells"
    found = [_YEAR_LAST.fullmatch(word) for word in words]
    if not all(found):
        return None, ""
    parts = [(int(match[1]), int(match[2])) for match in found if match]
    first, second = (max(numbers) for numbers in zip(*parts, strict=True))
    if first <= 12 and second <= 12:
        return None, "nothing tells whether day or month stands first"
    if first <= 31 and second <= 12:
        return "day first", ""
    return ("month first", "") if first <= 12 and second <= 31 else (None, "")


def days(values: Sequence[str], order: Order) -> NDArray[np.float64]:
    """Return the days since 1970-01-01, with fractions; for times of day, the hours.

    Parameters
    ----------
    values : sequence of str
        Cells; those that are not dates of that order become NaN.
    order : str
        From `order_of`.
    """
    return np.array([_day(value, order) for value in values], np.float64).reshape(-1)


def _day(value: str, order: Order) -> float:  # noqa: PLR0911  (a case each)
    if order == "time of day":
        return _hours(*match.groups()) if (match := _TIME.fullmatch(value)) else math.nan
    if order == "iso":
        return _civil(*map(int, match.groups())) if (match := _ISO.fullmatch(value)) else math.nan
    if order == "quarter":
        match = _QUARTER.fullmatch(value)
        if match is None:
            return math.nan
        return _civil(int(match[1]), 3 * int(match[2]) - 2 if match[2] else int(match[3]), 1)
    if order == "month by name":
        match = _BY_NAME.fullmatch(value)
        if match is None:
            return math.nan
        before, day_after, day_before, after, of_year, *clock = match.groups()
        number = _MONTHS.index((before or after)[:3].lower()) + 1
        return _at(_civil(int(of_year), number, int(day_after or day_before)), *clock)
    match = (_YEAR_FIRST if order == "year first" else _YEAR_LAST).fullmatch(value)
    if match is None:
        return math.nan
    first, second, third, *clock = match.groups()
    year, month, day = {
        "year first": (first, second, third or "1"),
        "day first": (third, second, first),
        "month first": (third, first, second),
    }[order]
    return _at(_civil(int(year), int(month), int(day)), *clock)


def _at(
    day: float, hour: str | None, minute: str | None, second: str | None, zone: str | None
) -> float:
    if hour is None or minute is None:
        return day
    return day + (_hours(hour, minute, second) - _offset(zone)) / 24.0


def _civil(year: int, month: int, day: int) -> float:
    try:
        return float(date(year, month, day).toordinal() - _EPOCH)
    except ValueError:
        return math.nan


def _hours(hour: str, minute: str, second: str | None) -> float:
    if int(hour) > 24 or int(minute) > 59:
        return math.nan
    return int(hour) + int(minute) / 60.0 + float(second or 0) / 3600.0


def _offset(zone: str | None) -> float:
    if zone is None or zone == "Z":
        return 0.0
    hours = int(zone[1:3]) + int(zone[-2:]) / 60.0
    return -hours if zone[0] == "-" else hours


PARTS: Final = ("day", "year", "month", "weekday", "day of the year", "hour")


def parts(day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the features of dates: an array (n, 6) of `PARTS`, NaN where missing.

    The first is the days since 1970-01-01 with fractions; Monday is weekday 0.
    """
    missing = np.isnan(day)
    whole = np.floor(np.where(missing, 0.0, day))
    dates = whole.astype(np.int64).astype("M8[D]")
    year, month = dates.astype("M8[Y]"), dates.astype("M8[M]")
    columns = [
        day,
        year.astype(np.int64) + 1970.0,
        month.astype(np.int64) % 12 + 1.0,
        (dates.astype(np.int64) + 3) % 7,
        (dates - year.astype("M8[D]")).astype(np.int64) + 1.0,
        (day - whole) * 24.0,
    ]
    result = np.stack([np.asarray(column, np.float64) for column in columns], axis=1)
    result[missing] = math.nan
    return result
