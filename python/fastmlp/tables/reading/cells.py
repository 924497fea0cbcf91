"""Text cells that are numbers, yes and no, or missing."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.reading.layouts import Alike, Strings, decimals
from fastmlp.tables.reading.table import Booleans, Column, Text

MISSING_WORDS: Final = frozenset({
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None", "<NA>", "#N/A",
    "#NA", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",  # these are pandas'
    "NAN", "Nan", "?", ".", "-", "*", "nil",
})  # fmt: skip
"""What a cell says where a number, a date, or yes and no are missing. In text they are words:
``None`` may be a number of airbags, and ``NA`` sodium."""

_MISSING_LAYOUTS: Final = frozenset(Strings.of(sorted(MISSING_WORDS)).layouts)

_PAIRS: Final = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"))
PAIRS: Final = {
    spelled: word == yes
    for yes, no in _PAIRS
    for word in (yes, no)
    for spelled in (word, word.capitalize(), word.upper())
}
"""What means yes and no, as it is spelled."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE: Final = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_LONG_WHOLE: Final = re.compile(r"[+-]?0{16,300}")
_CODE: Final = re.compile(r"0\d+", re.ASCII)
# More than four separators would be more digits than a double has: a list of numbers. No thousands
# begin with 0, so that 0,500 is a half. In India, all but the last three digits stand in pairs.
_THOUSANDS: Final = {
    ".": re.compile(r"[+-]?[1-9](\d{0,2}(,\d{3}){1,4}|\d?(,\d\d){1,4},\d{3})(\.\d*)?", re.ASCII),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3}){1,4}(,\d*)?", re.ASCII),
}
_MARK: Final = re.compile(r"[.,]")
_DECIMAL: Final = re.compile(r"[+-]?[0,]+(\.0*)?")  # a layout; `number` checks its commas
EXACT: Final = 2.0**53
"""From here on, a double does not hold every whole number."""
_THOUSAND: Final = 1000.0
_EXACT_DIGITS: Final = 15  # a double holds every whole number of 15 digits
_MOST_DIGITS: Final = 308  # of a number within float64
_FIRST: Final = 1000
_MINUS: Final = "\N{MINUS SIGN}"
_UNITS: Final = "$€£¥%"
_BESIDE: Final = _UNITS + " \t\u00a0\u2007\u2009\u202f"
_GROUPS: Final = re.compile(  # of one separator, a blank or an apostrophe
    r"[1-9]\d{0,2}([ \u00a0\u2007\u2009\u202f'\u2019])\d{3}(\1\d{3}){0,3}([.,]\d*)?", re.ASCII
)


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number, with a decimal point if any."""
    return _NUMBER.fullmatch(cell) is not None or _INFINITE.fullmatch(cell) is not None


def number(cell: str, decimal: str = ".") -> float:
    """Return the number in a cell; NaN if it is not one.

    Accepts plain numbers, a decimal comma if `decimal` is one, separators of thousands
    (``1,234.5``, ``12,34,567``, ``1 234``, ``1'234``), a currency or percent sign at an end, and
    ``(5)`` or a typeset minus as -5.
    """
    if is_number(cell) and (decimal == "." or "." not in cell or not is_thousands(cell, ",")):
        return float(cell)
    cell = _bare(cell)
    if is_thousands(cell, decimal):
        cell = cell.replace("," if decimal == "." else ".", "")
    if decimal == ",":
        cell = cell.replace(",", ".", 1)
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


def _bare(cell: str) -> str:
    """Return a cell without signs of units around it, and blanks or apostrophes in thousands."""
    sign, cell = "", cell.strip(_BESIDE)
    if cell.startswith("(") and cell.endswith(")"):
        sign, cell = "-", cell[1:-1].strip(_BESIDE)
    elif cell.startswith(("+", "-", _MINUS)):
        sign, cell = cell[0].replace(_MINUS, "-"), cell[1:].lstrip(_BESIDE)
    if (groups := _GROUPS.fullmatch(cell)) is not None:
        cell = cell.replace(groups[1], "")
    return sign + cell


def units(values: Sequence[str], decimal: str) -> dict[str, str]:
    """Return the units of numbers, signs of currencies and percent or "", each with a cell."""
    found: dict[str, str] = {}
    strings = Strings.of(values)
    for layout, unit in _units(strings, decimal).items():
        if unit not in found:
            found[unit] = strings.first_of(layout)
    return found


def of_units(
    values: Sequence[str], decimal: str, is_asked: Callable[[str], bool]
) -> NDArray[np.bool_]:
    """Return which values are numbers of a unit that is asked for."""
    strings = Strings.of(values)
    asked = [layout for layout, unit in _units(strings, decimal).items() if is_asked(unit)]
    result = np.zeros(len(strings), np.bool_)
    for cells in strings.alike(asked):
        result[cells.places] = True
    return result


def _units(strings: Strings, decimal: str) -> dict[str, str]:
    """Return the unit of each layout of numbers."""
    return {
        layout: "".join(sign for sign in _UNITS if sign in layout)
        for layout in strings.layouts
        if not math.isnan(number(example(layout), decimal))
    }


def is_thousands(cell: str, decimal: str) -> bool:
    """Return whether a cell is a number with separators of thousands."""
    return _THOUSANDS[decimal].fullmatch(cell) is not None


def has_thousands(values: Sequence[str], decimal: str) -> bool:
    """Return whether some numbers are thousands, such as 1,500, which might have decimals, too.

    They have none where other cells have the decimal mark: beside 4.99, 1,500 is a thousand.
    """
    other = "," if decimal == "." else "."
    found = list(map(example, Strings.of(values).layouts))
    marked = [cell for cell in found if decimal in cell and not is_thousands(cell, other)]
    thousands = [cell for cell in found if is_thousands(cell, decimal)]
    if not all(math.isnan(number(cell, decimal)) for cell in marked):
        return False
    return not all(math.isnan(number(cell, other)) for cell in thousands)


def numbers(values: Sequence[str], decimal: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values as numbers, NaN if they are not, and which of these are not missing words.

    Both may be returned to others, and must not be changed.
    """
    strings = Strings.of(values)
    if decimal in strings.parsed:
        known: tuple[NDArray[np.float64], NDArray[np.bool_]] = strings.parsed[decimal]
        return known
    readers = {
        layout: reader
        for layout in strings.layouts
        if (reader := _reader(layout, decimal)) is not None
    }
    result = np.full(len(strings), math.nan)
    for cells in strings.alike(readers):
        result[cells.places] = readers[cells.layout](cells)
    if decimal == ",":
        for cells in strings.alike(_of_two_marks(strings, result)):
            result[cells.places] = math.nan
    bad = np.isnan(result)
    if bad.any():
        bad &= ~are_missing(strings)
    if readers:  # words would take memory, and no time
        strings.parsed[decimal] = result, bad
    return result, bad


def _of_two_marks(strings: Strings, numbers: NDArray[np.float64]) -> list[str]:
    """Return the layouts of numbers with a point, if it is a decimal mark in some of them.

    With decimal commas, 1.25 is no thousands, and then 1.125 beside it may be a number or 1125.
    """
    readings = {
        layout: [number(example(layout), mark) for mark in ".,"]
        for layout in strings.layouts
        if layout.count(".") == 1 and "," not in layout
    }
    known = {layout: found for layout, found in readings.items() if not math.isnan(found[1])}
    of_both = [layout for layout, (point, comma) in known.items() if point != comma]
    are_decimals, are_thousands = len(of_both) < len(known), False
    for cells in strings.alike(of_both):
        is_thousands = np.abs(numbers[cells.places]) >= _THOUSAND  # those of 0.125 are none
        are_thousands |= bool(is_thousands.any())
        are_decimals |= not is_thousands.all()
    return list(known) if are_decimals and are_thousands else []


def are_missing(values: Sequence[str]) -> NDArray[np.bool_]:
    """Return which values are missing words."""
    strings = Strings.of(values)
    result = np.zeros(len(strings), np.bool_)
    for cells in strings.alike(_MISSING_LAYOUTS):
        result[cells.places] = [text in MISSING_WORDS for text in cells.texts()]
    return result


def known_layouts(values: Sequence[str]) -> list[str]:
    """Return the different layouts of those values that are no missing words."""
    strings = Strings.of(values)
    missing = {
        cells.layout
        for cells in strings.alike(_MISSING_LAYOUTS)
        if all(text in MISSING_WORDS for text in cells.texts())
    }
    return [layout for layout in strings.layouts if layout not in missing]


def _reader(layout: str, decimal: str) -> Callable[[Alike], Any] | None:
    """Return the function that reads the numbers of a layout as `number` does; None for none."""
    if math.isnan(number(example(layout), decimal)):
        return None
    if decimal == "." and _DECIMAL.fullmatch(layout) and layout.count("0") <= _EXACT_DIGITS:
        return _thousands if "," in layout else decimals
    if decimal == "." and is_number(layout):
        return lambda cells: list(map(float, cells.texts()))
    return lambda cells: [number(cell, decimal) for cell in cells.texts()]


def example(layout: str) -> str:
    """Return a cell of a layout that begins with no 0, as numbers with thousands do."""
    return layout.replace("0", "1")


def _thousands(cells: Alike) -> NDArray[np.float64]:
    """Return the numbers in cells such as -1,000.00 of one layout; NaN for leading zeros."""
    result = decimals(cells)
    first = cells.characters[:, int(cells.layout[0] in "+-")]
    result[first == ord("0")] = math.nan
    return result


def is_code(cell: str) -> bool:
    """Return whether a cell has a leading zero, which a number would lose."""
    return _CODE.fullmatch(cell) is not None


def has_code(values: Sequence[str]) -> bool:
    """Return whether one of the values has a leading zero."""
    strings = Strings.of(values)
    whole = (layout for layout in strings.layouts if len(layout) > 1 and not layout.strip("0"))
    return any((cells.characters[:, 0] == ord("0")).any() for cells in strings.alike(whole))


def are_rounded(values: Sequence[str]) -> bool:
    """Return whether float64 rounds some of the values that are whole numbers, written as digits.

    Such numbers are mostly identifiers, of which it would make several equal.
    """
    strings = Strings.of(values)
    long = [layout for layout in strings.layouts if _LONG_WHOLE.fullmatch(layout)]
    return any(int(cell) != float(cell) for cells in strings.alike(long) for cell in cells.texts())


def is_rounded(item: object) -> bool:
    """Return whether a double does not hold a whole number."""
    if (number := as_int(item)) is None:
        return False
    size = abs(number)
    return size >= EXACT and size // (size & -size) >= EXACT  # without factors of 2


def as_int(item: object) -> int | None:
    """Return an integer, or a `Decimal` within float64 without a fraction, as int."""
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, Decimal) and item.is_finite() and item.adjusted() <= _MOST_DIGITS:
        return int(item) if item == item.to_integral_value() else None
    return None


def exact(cell: str, decimal: str) -> float:
    """Return the number in a cell, an int if a double would round it."""
    return int(cell) if are_rounded([cell]) else number(cell, decimal)


def yes_or_no(values: Iterable[str]) -> bool:
    """Return whether values are a pair such as yes and no, apart from missing words."""
    words = set()
    for value in values:
        if value in PAIRS:
            words.add(value.lower())
        elif value not in MISSING_WORDS:
            return False
    return words in map(set, _PAIRS)


def typed(text: Text, decimal: str) -> Column:
    """Return numbers if every cell is a plain number or a missing word, else the text.

    Lists such as ``[0.5, 2]``, all of one length, are vectors.
    Whole numbers stay text if some have a leading zero, like codes, or are rounded by float64.
    """
    values = text.values
    if (vectors := _vectors(text)) is not None:
        return vectors
    if not _are_plain(values[:_FIRST], decimal) or not _are_plain(values, decimal):
        return text  # the first values tell this soon of most columns of text
    if len(values) and not known_layouts(values):
        return text
    found, bad = numbers(values, decimal)
    if bad.any():
        return text
    if not has_fractions(found) and (has_code(values) or are_rounded(values)):
        return text
    return np.append(found, math.nan)[text.codes]  # the last is for code -1


def _vectors(text: Text) -> NDArray[np.float64] | None:
    """Return the lists (n, k) of numbers in all cells, NaN where missing; None if they are none."""
    rows: list[list[float]] = []
    length = 0
    for value in text.values:
        numbers = _list(value)
        if numbers is None and value not in MISSING_WORDS:
            return None
        if numbers is not None:
            length = length or len(numbers)
            if len(numbers) != length:
                return None
        rows.append(numbers or [])
    if length < 2:
        return None
    gap = [math.nan] * length
    return np.array([*(row or gap for row in rows), gap])[text.codes]  # the last is for code -1


def _list(cell: str) -> list[float] | None:
    """Return the finite numbers of a list such as ``[0.5, 2]``; None if a cell is none."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    numbers = [number.strip() for number in cell[1:-1].split(",")]
    if not all(map(is_number, numbers)):
        return None
    result = list(map(float, numbers))
    return result if all(map(math.isfinite, result)) else None


def _are_plain(values: Sequence[str], decimal: str) -> bool:
    """Return whether values are plain numbers; with a decimal comma also if they have marks.

    Those with a sign of a unit are not: in training and prediction it must be the same.
    """

    def is_plain(layout: str) -> bool:
        if decimal == "," and _MARK.search(layout) and not any(sign in layout for sign in _UNITS):
            return not math.isnan(number(example(layout), ","))
        return is_number(layout)

    return all(map(is_plain, known_layouts(values)))


def has_fractions(numbers: NDArray[np.float64]) -> bool:
    """Return whether some finite numbers are not whole."""
    with np.errstate(invalid="ignore"):
        return bool((np.isfinite(numbers) & (numbers != np.floor(numbers))).any())


def holds_nothing(column: Column) -> bool:
    """Return whether all cells of a column are missing, so that its type is unknown."""
    if isinstance(column, Text):
        return not isinstance(column, Booleans) and not known_layouts(column.values)
    return column.ndim == 1 and column.dtype.kind == "f" and bool(np.isnan(column).all())
