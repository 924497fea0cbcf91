"""Text cells that are numbers, yes and no, or missing."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.table import Column, Text

MISSING_WORDS: Final = frozenset({
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None", "<NA>", "#N/A",
    "#NA", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",  # these are pandas'
    "?", ".", "-", "*", "nil",
})  # fmt: skip
"""What a cell says where a number, a date, or yes and no are missing. In text they are words:
``None`` may be a number of airbags, and ``NA`` sodium."""

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
_CODE: Final = re.compile(r"0\d+", re.ASCII)
# More than four separators would be more digits than a double has: a list of numbers.
_THOUSANDS: Final = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3}){1,4}(\.\d*)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3}){1,4}(,\d*)?", re.ASCII),
}
_FIRST: Final = 1000
_SIGNS: Final = re.compile(r"[$€£¥%\s\u00a0\u202f]")


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number, with a decimal point if any."""
    return _NUMBER.fullmatch(cell) is not None or _INFINITE.fullmatch(cell) is not None


def number(cell: str, decimal: str = ".") -> float:
    """Return the number in a cell; NaN if it is not one.

    Accepts plain numbers, a decimal comma if `decimal` is one, separators of thousands
    (``1,234.5``, ``1 234``), a currency or percent sign, and ``(5)`` as -5.
    """
    if is_number(cell) and (decimal == "." or "." not in cell or not _is_thousands(cell, ",")):
        return float(cell)
    cell = _SIGNS.sub("", cell)
    if cell.startswith("(") and cell.endswith(")"):
        cell = f"-{cell[1:-1]}"
    if _is_thousands(cell, decimal):
        cell = cell.replace("," if decimal == "." else ".", "")
    if decimal == ",":
        cell = cell.replace(",", ".", 1)
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


def _is_thousands(cell: str, decimal: str) -> bool:
    return _THOUSANDS[decimal].fullmatch(cell) is not None


def numbers(values: Sequence[str], decimal: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values as numbers, NaN if they are not, and which of these are not missing words."""
    result = np.array([number(value, decimal) for value in values], np.float64).reshape(-1)
    bad = [
        bool(nan) and value not in MISSING_WORDS
        for nan, value in zip(np.isnan(result), values, strict=True)
    ]
    return result, np.array(bad, np.bool_).reshape(-1)


def is_code(cell: str) -> bool:
    """Return whether a cell has a leading zero, which a number would lose."""
    return _CODE.fullmatch(cell) is not None


def yes_or_no(values: Iterable[str]) -> bool:
    """Return whether values are a pair such as yes and no, apart from missing words."""
    words = {value for value in values if value not in MISSING_WORDS}
    return words <= PAIRS.keys() and {word.lower() for word in words} in map(set, _PAIRS)


def typed(text: Text, decimal: str) -> Column:
    """Return numbers if every cell is a plain number or a missing word, else the text.

    Whole numbers of which some have a leading zero, like codes, stay text.
    """
    plain = re.compile(r"[.,]") if decimal == "," else None
    numbers = np.empty(len(text.values) + 1)
    numbers[-1] = math.nan  # for code -1
    found = False
    for place, value in enumerate(text.values):
        if plain is not None and plain.search(value):
            numbers[place] = number(value, decimal)
            if math.isnan(numbers[place]) and value not in MISSING_WORDS:
                return text
        elif is_number(value):
            numbers[place] = float(value)
        elif value in MISSING_WORDS:
            numbers[place] = math.nan
            continue
        else:
            return text
        found = True
    if not found and text.values:
        return text
    if any(map(is_code, text.values)) and not (np.modf(numbers[np.isfinite(numbers)])[0]).any():
        return text
    return numbers[text.codes]


def from_arrow(cells: Any, decimal: str) -> Column:
    """Return a pyarrow column of text as numbers if all its cells are numbers, else as `Text`.

    The numbers are those of `typed`; clean columns are cast as a whole.
    """
    if decimal == "." and (array := _cast(cells)) is not None:
        return array
    return typed(arrow_text(cells), decimal)


def arrow_text(cells: Any) -> Text:
    """Return a pyarrow column of text as `Text`."""
    coded = cells.combine_chunks().dictionary_encode()
    codes = _buffer(coded.indices.cast("int32").fill_null(-1), np.int32)
    return Text.coded(coded.dictionary.to_pylist(), codes)


def arrow_floats(column: Any) -> NDArray[np.float64]:
    """Return a pyarrow column of doubles, NaN where null.

    Uses its buffers, because ``to_numpy`` imports pandas.
    """
    parts = [_buffer(chunk, np.float64) for chunk in column.fill_null(math.nan).chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def _buffer(array: Any, dtype: type[Any]) -> NDArray[Any]:
    """Return a pyarrow array without nulls as a view."""
    values = np.frombuffer(array.buffers()[1], dtype) if len(array) else np.empty(0, dtype)
    return values[array.offset : array.offset + len(array)]


def _cast(cells: Any) -> NDArray[np.float64] | None:
    """Return pyarrow cells as numbers; None if one of them needs `typed`."""
    import pyarrow as pa  # noqa: PLC0415  (installed if there are such cells)
    import pyarrow.compute as pc  # noqa: PLC0415

    if cells.null_count == len(cells):
        return None
    try:
        values = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        missing = pc.is_in(cells, value_set=pa.array(sorted(MISSING_WORDS), cells.type))
        if not pc.any(missing).as_py():
            return None
        try:
            values = pc.cast(pc.if_else(missing, None, cells), pa.float64())
        except pa.ArrowInvalid:
            return None
    array = arrow_floats(values)
    if _has_fractions(array[:_FIRST]):  # otherwise all must be checked
        return array
    known = array[np.isfinite(array)]
    if not len(known):
        return None
    codes = (
        not _has_fractions(known) and pc.any(pc.match_substring_regex(cells, r"^0[0-9]")).as_py()
    )
    return None if codes else array


def _has_fractions(numbers: NDArray[np.float64]) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.isfinite(numbers) & (numbers != np.floor(numbers))).any())
