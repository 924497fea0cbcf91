"""The kind of a column: decided by its cells in the training part, with a reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.tables.reading import cells, dates
from fastmlp.tables.reading.table import Booleans, Column, Rows, Text

Name = Literal["number", "yes/no", "words", "date", "time of day", "vector", "dropped"]

NAMES: Final[tuple[Name, ...]] = get_args(Name)
FEW_WORDS: Final = 30
NUMBERS_ROWS: Final = "numbers the rows"
SHUFFLED_ROWS: Final = (
    "numbers the rows in another order, in which the target has no trend and no groups"
)
ROUNDED: Final = "float64 rounds its numbers to multiples of "
SECONDS: Final = "s"
MIXED: Final = "holds numbers, but "
NO_TIMES: Final = " of the cells are none, such as "
BESIDE_WORDS: Final = "its numbers have a word beside them, as in "
UNITS: Final = "its numbers have different units, as in "
MARKS: Final = "holds numbers with another decimal mark than the table, such as "
ZONES: Final = "some times have a time zone and others have none, as in "
AS_WORDS: Final = ": read as words"
_MOSTLY: Final = 0.9
_HALF: Final = 0.5
_SOME: Final = 0.1
_OF_MOST: Final[dict[dates.Order, str]] = {"time of day": "times of day", "iso": "dates"}
_ASKED: Final = 1000
_LONG_TEXT: Final = 6.0  # words per cell, on average
_UNIT: Final = r"[^\W\d_]{1,12}[²³]?"
_NUMBER_AND_WORD: Final = re.compile(rf"[+-]?\d[\d.,]*(?P<blank>\s?)(?P<word>°?{_UNIT}(/{_UNIT})?)")
_CURRENCY_AND_NUMBER: Final = re.compile(  # other words, as in ISO 9000, are part of a name
    "(?P<word>AED|ARS|AUD|BDT|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK"
    "|JPY|KRW|KWD|MAD|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|QAR|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH"
    r"|USD|VND)(?P<blank>\s)[+-]?\d[\d.,]*"
)
_TIME: Final = r"\d+(?:\.\d+)? ?(?:d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"
_DURATION: Final = re.compile(
    rf"{_TIME}(?P<more>(?:,? ?{_TIME})*)|P(?=T?\d)(?:\d+[WD])*(?P<time>T(?:\d+(?:\.\d+)?[HMS])+)?"
    r"|\d+(?P<clock>:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?)"
)
_FEWEST_NUMBERS: Final = 10
_MOST_UNITS: Final = 3
_ROW_NAMES: Final = re.compile(
    r"(Unnamed: \d+|id|_id|rownames?|row[ _]?names?|index|idx)", re.IGNORECASE
)
_IDENTIFIER: Final = re.compile(r"(id|idno|uid|pid|uuid|guid|.*[_ .-]id|.*[a-z]I[Dd])")


@dataclass(frozen=True)
class Kind:
    """The kind of a column.

    Attributes
    ----------
    name : str
        "dropped" if nothing can be learned from it.
    reason : str
        Why, if that is not obvious.
    order : str or None
        The format of its dates.
    unit : str or None
        The sign of its numbers, of a currency or percent, "s" for durations, "" if they have none;
        None if they have different ones, or a file of an earlier version does not tell. Of dates
        the time zone as in `time_zones`, "" if there is no time of day, or such a file.
    """

    name: Name
    reason: str = ""
    order: dates.Order | None = None
    unit: str | None = ""


def kind_of(  # noqa: PLR0911  (a case each)
    column: Column, rows: Rows, name: str, decimal: str, *, unnamed: bool = False
) -> Kind:
    """Decide the kind of a column from some of its rows."""
    if isinstance(column, Text):
        return _text_kind(column, rows, name, decimal, unnamed=unnamed)
    if column.ndim == 2:
        if column.dtype.kind in "iu" and (unit := rounding(column)):
            return Kind("vector", f"{ROUNDED}{unit:g}")
        return Kind("vector", f"{column.shape[1]} numbers of one unit")
    values = column[rows]
    if column.dtype.kind == "M":
        known = values[~np.isnat(values)]
        if len(known) == 0 or (known == known[0]).all():
            return _nothing(len(known), len(values), known)
        days = bool((known.astype("M8[D]") == known).all())
        return Kind("date", "", "iso" if days else "year first")
    known = values
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        known = values[finite]
    if len(known) == 0 or ((known == known[0]).all() and len(known) == len(values)):
        return _nothing(len(known), len(values), known)
    if reason := _row_number(column, known, name, len(values), unnamed=unnamed):
        return Kind("dropped", reason)
    return Kind("yes/no") if column.dtype.kind == "b" else _number_kind(known, len(values))


def of_durations(kind: Kind) -> Kind:
    """Return the kind of a column of durations, given that of their seconds."""
    if kind.name != "number":
        return kind
    return replace(kind, unit=SECONDS, reason=kind.reason or "durations in seconds")


def _nothing(known: int, count: int, values: NDArray[Any]) -> Kind:
    if known == 0:
        return Kind("dropped", "holds nothing")
    if known == count:
        return Kind("dropped", f"is always {values[0]}")
    return Kind("number", "")


def _number_kind(known: NDArray[Any], count: int) -> Kind:
    unit = rounding(known) or _unit_that_merges(known)
    if not unit:
        return Kind("number")
    reason = f"{ROUNDED}{unit:g}"
    doubles = known.astype(np.float64)
    if len(known) == count and (doubles == doubles[0]).all():
        return Kind("dropped", f"{reason}, which are all equal")
    return Kind("number", reason)


def rounding(numbers: NDArray[Any]) -> float:
    """Return to multiples of what float64 rounds whole numbers, if it may matter; 0 otherwise.

    It matters to a float32 network if the numbers differ by less than 2^24 such multiples.
    """
    if not len(numbers):
        return 0.0
    least, most = float(numbers.min()), float(numbers.max())
    unit = float(np.spacing(max(abs(least), abs(most))))
    return unit if unit > 1.0 and most - least < unit * 2.0**24 else 0.0


def _unit_that_merges(numbers: NDArray[Any]) -> float:
    """Return to multiples of what float64 rounds integers, if it makes some equal; 0 otherwise."""
    if numbers.dtype.kind not in "iu" or not len(numbers):
        return 0.0
    unit = float(np.spacing(max(abs(float(numbers.min())), abs(float(numbers.max())))))
    distinct = np.unique(numbers) if unit > 1.0 else numbers[:0]
    return unit if len(np.unique(distinct.astype(np.float64))) < len(distinct) else 0.0


def _row_number(
    column: NDArray[Any], known: NDArray[Any], name: str, count: int, *, unnamed: bool
) -> str:
    """Return why numbers are only identifiers of rows; empty if they may be more.

    Row numbers count up in the whole column, also where the training part lacks some rows.
    """
    if len(known) < count or count < 2 or known.dtype.kind == "b":
        return ""
    if count > 9 and (_count_up(column) or _count_up(known)):
        return NUMBERS_ROWS
    reason = _identifier(name, count, unnamed=unnamed)
    each_its_own = reason and (known == np.floor(known)).all() and len(np.unique(known)) == count
    return reason if each_its_own else ""


def _identifier(name: str, count: int, *, unnamed: bool) -> str:
    """Return why a column with another whole number in each row is not used; empty if it is."""
    if unnamed or _ROW_NAMES.fullmatch(name):
        return NUMBERS_ROWS
    identifier = count > 20 and _IDENTIFIER.fullmatch(name)
    return "is a number for each row, an identifier" if identifier else ""


def _count_up(numbers: NDArray[Any]) -> bool:
    """Return whether numbers count from 0 or 1."""
    if numbers[0] not in {0, 1}:
        return False
    with np.errstate(over="ignore"):
        return bool((np.diff(numbers.astype(np.float64)) == 1.0).all())


def _text_kind(  # noqa: C901, PLR0911  (a case each)
    text: Text, rows: Rows, name: str, decimal: str, *, unnamed: bool
) -> Kind:
    counts = text.counts(rows)
    there = np.flatnonzero(counts)
    values, counts = text.values_at(there), counts[there]
    known, total = int(counts.sum()), len(rows)
    if not cells.known_layouts(values):
        return Kind("dropped", "holds nothing")
    if len(values) == 1 and known == total:
        return Kind("dropped", f"is always {brief(values[0])}")
    if isinstance(text, Booleans) or cells.yes_or_no(values):
        return Kind("yes/no")
    order, reason = dates.order_of(values)
    if order is not None:
        return Kind("time of day" if order == "time of day" else "date", f"{order}", order)
    numeric, bad = cells.numbers(values, decimal)
    mostly = int(counts[~np.isnan(numeric)].sum()) > 9 * int(counts[bad].sum())
    numbers = mostly and not cells.has_code(values)
    mixed = _other_mark(values, counts, bad, decimal) if bad.any() else ""
    if mixed and (not numbers or cells.has_thousands(text.values_at(there[~bad]), decimal)):
        return _of_two_marks(values, known, mixed)
    if numbers and not cells.are_rounded(values):
        found = _number_kind(numeric[np.isfinite(numeric)], total)
        units = cells.units(values, decimal)
        unit = common_unit(units)
        reason = found.reason or mixed_units(units) or (f"in {unit}" if unit else "")
        return replace(found, reason=reason, unit=unit)
    if numbers:
        each_its_own = len(values) == known == total
        if each_its_own and (why := _identifier(name, total, unnamed=unnamed)):
            return Kind("dropped", why)
        if kind := _rounded_kind(numeric[np.isfinite(numeric)]):
            return kind
    if unnamed and len(values) == known:
        return Kind("dropped", "names the rows")
    if reason and len(values) > FEW_WORDS:
        return Kind("dropped", f"holds dates, but {reason}")
    prose = _prose(values, known)
    least = _SOME if prose else _HALF
    mixed = "" if numbers else _mixed(values, counts, numeric, bad, least)
    mixed = mixed or _mixed_times(values, counts) or beside_words(values)
    if prose:
        return Kind("dropped", f"{prose}, {mixed}" if mixed else prose)
    why = "float64 rounds its numbers" if numbers else mixed or (reason and f"dates, but {reason}")
    return Kind("words", f"{why}{AS_WORDS}" if why else "")


def _of_two_marks(values: Sequence[str], known: int, mixed: str) -> Kind:
    """Return the kind of numbers with both marks, of which thousands may be fractions, too."""
    return Kind("dropped", mixed) if _prose(values, known) else Kind("words", f"{mixed}{AS_WORDS}")


def common_unit(units: dict[str, str]) -> str | None:
    """Return the sign of numbers of these `cells.units`, "" for none; None if they differ."""
    return None if mixed_units(units) else max(units, default="")


def mixed_units(units: dict[str, str]) -> str:
    """Return which cells have numbers of different `cells.units`; empty if there are none.

    Those without a sign are of a currency that others have, but may not be percent.
    """
    different = [unit for unit in units if unit or "%" in units]
    examples = (brief(units[unit]) for unit in different)
    return f"{UNITS}{' and '.join(examples)}" if len(different) > 1 else ""


def _other_mark(
    values: Sequence[str], counts: NDArray[np.intp], bad: NDArray[np.bool_], decimal: str
) -> str:
    """Return a cell with the other decimal mark, if nearly all cells are numbers with either."""
    numeric, never = cells.numbers(values, "," if decimal == "." else ".")
    others = bad & ~np.isnan(numeric)
    neither = int(counts[bad & never].sum())
    if not others.any() or neither > _SOME * int(counts.sum()) or cells.has_code(values):
        return ""
    return f"{MARKS}{brief(values[int(others.argmax())])}"


def _mixed(
    values: Sequence[str],
    counts: NDArray[np.intp],
    numeric: NDArray[np.float64],
    bad: NDArray[np.bool_],
    least: float,
) -> str:
    """Return which cells keep a column of numbers from being one; empty if fewer are numbers."""
    others = int(counts[bad].sum())
    numbers = int(counts[~np.isnan(numeric)].sum())
    if numbers <= least * (numbers + others) or cells.has_code(values):
        return ""
    which = np.flatnonzero(bad)
    most = values[int(which[counts[which].argmax()])]
    return f"{MIXED}{others / int(counts.sum()):.1%} of the cells are words such as {brief(most)}"


def _mixed_times(values: Sequence[str], counts: NDArray[np.intp]) -> str:
    """Return which cell keeps a column of times of day or ISO dates from being one."""
    for order, what in _OF_MOST.items():
        if (others := dates.others_than(values, order)) is not None and others.any():
            which = np.flatnonzero(others)
            share, most = counts[which].sum() / counts.sum(), values[int(which[0])]
            return f"holds {what}, but {share:.1%}{NO_TIMES}{brief(most)}"
    return ""


def beside_words(values: Sequence[str]) -> str:
    """Return which cell has a number and a word such as kg, if nearly all do; empty otherwise.

    Or several, as 1h 30m has, and 90:30 means. Codes such as 12B are none.
    """
    some = values[:_ASKED]
    durations = [match for value in some if (match := _DURATION.fullmatch(value))]
    if len(durations) >= max(_FEWEST_NUMBERS, _MOSTLY * len(some)):
        several = [match[0] for match in durations if any(match.groups())]
        if several:
            return f"{UNITS}{brief(several[0])}"
    for pattern in (_NUMBER_AND_WORD, _CURRENCY_AND_NUMBER):
        found = [match for value in some if (match := pattern.fullmatch(value))]
        if len(found) >= max(_FEWEST_NUMBERS, _MOSTLY * len(some)):
            break
    else:
        return ""
    words = {match["word"] for match in found}
    is_code = min(map(len, words)) == 1 and not any(match["blank"] for match in found)
    if len(words) > _MOST_UNITS or (is_code and not any("." in match[0] for match in found)):
        return ""
    return f"{BESIDE_WORDS}{brief(found[0][0])}"


def _rounded_kind(doubles: NDArray[np.float64]) -> Kind | None:
    """Return the kind of distinct whole numbers that doubles round; None if they are words."""
    if rounding(doubles):
        return None
    if len(np.unique(doubles)) == len(doubles):
        return Kind("number")
    if len(doubles) <= FEW_WORDS:
        return None
    return Kind("number", f"{ROUNDED}{np.spacing(np.abs(doubles).max()):g}")


def _prose(values: Sequence[str], known: int) -> str:
    """Return why text is not used: too long, or too many distinct values; empty if it is."""
    some = values[:3000]
    words = 1.0 + "".join(some).count(" ") / len(some)
    if len(values) > 20 and len(values) > _MOSTLY * known:
        return "is free text" if words > 4 else "is a name or identifier for nearly each row"
    return "is free text" if len(values) > 20 and words > _LONG_TEXT else ""
