"""Dates and times of day in text; their format is determined from the whole column.

An ambiguous order of day and month is not guessed, nor is the century of two-digit years.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.reading.cells import MISSING_WORDS, are_missing, known_layouts
from fastmlp.tables.reading.layouts import Matched, Strings

Order = Literal[
    "iso", "year first", "day first", "month first", "month by name", "quarter", "time of day"
]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)

_HOURS: Final = r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?([AaPp][Mm]))?"
_CLOCK: Final = rf"(?:[T ,]+{_HOURS} ?(Z|[+-]\d\d:?\d\d)?)?"
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_MOMENT: Final = re.compile(rf"(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){_CLOCK}", re.ASCII)
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
_QUARTER: Final = re.compile(r"(\d{4})[- :]?(?:[Qq:](\d)|[Mm](\d{1,2}))", re.ASCII)
_TIME: Final = re.compile(_HOURS, re.ASCII)
_PATTERNS: Final[dict[Order, re.Pattern[str]]] = {
    "iso": _ISO, "year first": _YEAR_FIRST, "month by name": _BY_NAME, "quarter": _QUARTER,
    "time of day": _TIME, "day first": _YEAR_LAST, "month first": _YEAR_LAST,
}  # fmt: skip
_DATES: Final = (_MOMENT, _YEAR_FIRST, _YEAR_LAST, _TWO_DIGITS, _BY_NAME, _QUARTER)
_WITH_CLOCK: Final = (_MOMENT, _YEAR_FIRST, _YEAR_LAST, _BY_NAME)
_OF_CLOCK: Final = 5  # groups, of which the last is the time zone
_YEAR_AT_THE_END: Final = ("day first", "month first")
_ASKED: Final = 100
_YEAR_LATER: Final = (*_YEAR_AT_THE_END, "month by name")
_PLACES: Final = {  # the groups of year, month and day
    "iso": (1, 2, 3), "year first": (1, 2, 3), "day first": (3, 2, 1), "month first": (3, 1, 2)
}  # fmt: skip

Whole = NDArray[np.int64]


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
    first = next((value for value in values if value not in MISSING_WORDS), "")
    patterns = (*_PATTERNS.values(), _TWO_DIGITS)
    of_first = known_layouts([first])
    if not any(pattern.fullmatch(layout) for pattern in patterns for layout in of_first):
        return None, ""
    strings = Strings.of(values)
    found = known_layouts(strings)
    for order, pattern in _PATTERNS.items():
        if order not in _YEAR_AT_THE_END and all(map(pattern.fullmatch, found)):
            wrong = np.isnan(days(strings, order))
            return (order, "") if not (wrong & ~are_missing(strings)).any() else (None, "")
    if all(map(_TWO_DIGITS.fullmatch, found)):
        return None, "the years have two digits and no century"
    if not all(map(_YEAR_LAST.fullmatch, found)):
        are_dates = all(any(form.fullmatch(layout) for form in _DATES) for layout in found)
        return None, "they have several formats" if are_dates else ""
    matched = list(_matched(strings, _YEAR_LAST))
    left, middle = (max(int(cells.whole(i).max()) for _, cells in matched) for i in (1, 2))
    if left <= 12 and middle <= 12:
        return None, "the day or the month may come first"
    if left <= 31 and middle <= 12:
        return "day first", ""
    return ("month first", "") if left <= 12 and middle <= 31 else (None, "")


def others_than(values: Sequence[str], order: Order) -> NDArray[np.bool_] | None:
    """Return which values are neither missing nor of an order; None if these are most of them."""
    some = known_layouts(values[:_ASKED])
    if 2 * sum(_PATTERNS[order].fullmatch(layout) is not None for layout in some) < len(some):
        return None  # which is soon clear
    strings = Strings.of(values)
    others = np.isnan(days(strings, order)) & ~are_missing(strings)
    return others if 2 * others.sum() < len(values) else None


def days(values: Sequence[str], order: Order) -> NDArray[np.float64]:
    """Return the days since 1970-01-01, with fractions; for times of day, the hours.

    Parameters
    ----------
    values : sequence of str
        Cells; those that are not dates of that order become NaN. Days of the order "iso" may have a
        time of day, as other programs write them, and where the year comes last a cell may be such
        a day, too: it has one reading.
    order : str
        From `order_of`.

    Returns
    -------
    ndarray of float64, shape (n,)
        It may be returned to others, and must not be changed.
    """
    strings = Strings.of(values)
    if order in strings.parsed:
        known: NDArray[np.float64] = strings.parsed[order]
        return known
    result = np.full(len(strings), math.nan)
    orders: tuple[Order, ...] = (order, "iso") if order in _YEAR_LATER else (order,)
    for form in orders:
        for places, cells in _matched(strings, _MOMENT if form == "iso" else _PATTERNS[form]):
            result[places] = _days(cells, form)
    strings.parsed[order] = result
    return result


def of_other_order(values: Sequence[str], order: Order) -> NDArray[np.bool_]:
    """Return which cells are dates only if day and month change places: they contradict `order`."""
    result = np.zeros(len(values), np.bool_)
    if order in _YEAR_AT_THE_END:
        other: Order = "month first" if order == "day first" else "day first"
        for places, cells in _matched(values, _YEAR_LAST):
            result[places] = np.isnan(_days(cells, order)) & ~np.isnan(_days(cells, other))
    return result


def moments(values: Sequence[str]) -> dict[bool, str]:
    """Return an example of the moments with a time zone, and of those without: dates have none."""
    strings = Strings.of(values)
    found: dict[bool, str] = {}
    for layout in strings.layouts:
        match = next(filter(None, (form.fullmatch(layout) for form in _WITH_CLOCK)), None)
        if match is not None and match.groups()[-_OF_CLOCK] is not None:
            is_zoned = match.groups()[-1] is not None
            if is_zoned not in found:
                found[is_zoned] = strings.first_of(layout)
    return found


def _matched(
    values: Sequence[str], pattern: re.Pattern[str]
) -> Iterator[tuple[NDArray[np.intp], Matched]]:
    """Yield the places of the cells of each layout that matches, and these cells."""
    strings = Strings.of(values)
    matches = {layout: match for layout in strings.layouts if (match := pattern.fullmatch(layout))}
    for cells in strings.alike(matches):
        yield cells.places, Matched(cells, matches[cells.layout])


def _days(cells: Matched, order: Order) -> NDArray[np.float64]:
    """Return the days of cells of one layout; NaN for days that the calendar lacks."""
    if order == "time of day":
        return _hours(cells, 1)
    if order == "quarter":  # a fifth one begins in month 13
        begins = 3 * cells.whole(2) - 2 if cells.has(2) else cells.whole(3)
        return _civil(cells.whole(1), begins, 1)
    if order == "month by name":
        name, day = (1, 2) if cells.has(1) else (4, 3)
        number = _MONTHS.index(cells.text(name)[:3].lower()) + 1
        return _at(_civil(cells.whole(5), number, cells.whole(day)), cells, 6)
    year, month, day = _PLACES[order]
    of_month = cells.whole(day) if cells.has(day) else 1
    civil = _civil(cells.whole(year), cells.whole(month), of_month)
    return _at(civil, cells, 4)


def _civil(year: Whole, month: Whole | int, day: Whole | int) -> NDArray[np.float64]:
    months = 12 * (year - 1970) + month - 1
    least, most = int(months.min(initial=0)), int(months.max(initial=0))
    first = np.arange(least, most + 2).astype("M8[M]").astype("M8[D]").astype(np.int64)
    begins, length = first[months - least], np.diff(first)[months - least]
    exists = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    return np.where(exists, begins + (day - 1), math.nan)


def _at(day: NDArray[np.float64], cells: Matched, clock: int) -> NDArray[np.float64]:
    """Return days with the time of day, if the layout has one: groups from `clock`."""
    if not cells.has(clock):
        return day
    return day + (_hours(cells, clock) - _offset(cells, clock + 4)) / 24.0


def _hours(cells: Matched, clock: int) -> NDArray[np.float64]:
    hour, minute = cells.whole(clock), cells.whole(clock + 1)
    second = cells.number(clock + 2) if cells.has(clock + 2) else np.zeros(len(hour))
    wrong = (hour > 24) | (minute > 59)
    if cells.has(clock + 3):  # 12 AM is midnight
        wrong |= (hour < 1) | (hour > 12)
        hour = hour % 12 + 12 * (cells.text(clock + 3).upper() == "PM")
    return np.where(wrong, math.nan, hour + minute / 60.0 + second / 3600.0)


def _offset(cells: Matched, zone: int) -> NDArray[np.float64] | float:
    """Return the hours of a time zone such as +01:30, group `zone`."""
    if not cells.has(zone) or cells.text(zone) == "Z":
        return 0.0
    hours = cells.whole(zone, 1, 3) + cells.whole(zone, -2) / 60.0
    return -hours if cells.text(zone)[0] == "-" else hours


PARTS: Final = ("day", "year", "month", "weekday", "day of the year", "hour")


def parts(day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the features of dates: an array (n, 6) of `PARTS`, NaN where missing.

    The first is the days since 1970-01-01 with fractions; Monday is weekday 0.
    """
    missing = np.isnan(day)
    whole = np.floor(np.where(missing, 0.0, day))
    result = np.empty((len(PARTS), len(day)))  # a part after the other: each is used alone
    result[0], result[1:5], result[5] = day, _of_calendar(whole), (day - whole) * 24.0
    result[:, missing] = math.nan
    return result.T


def _of_calendar(day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return year, month, weekday and day of the year of whole days, an array (4, n)."""
    whole = day.astype(np.int64)
    least, most = int(whole.min(initial=0)), int(whole.max(initial=0))
    few = most - least < len(whole)  # then each day is converted once
    dates = (np.arange(least, most + 1) if few else whole).astype("M8[D]")
    year, month = dates.astype("M8[Y]"), dates.astype("M8[M]")
    columns = [
        year.astype(np.int64) + 1970,
        month.astype(np.int64) % 12 + 1,
        (dates.astype(np.int64) + 3) % 7,
        (dates - year.astype("M8[D]")).astype(np.int64) + 1,
    ]
    result = np.array(columns, np.float64)
    return np.take(result, whole - least, axis=1) if few else result
