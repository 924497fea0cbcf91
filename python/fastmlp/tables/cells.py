"""Cells of text that stand for numbers, for yes and no, or for nothing."""

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
_THOUSANDS: Final = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?", re.ASCII),
}
_FIRST: Final = 1000
_SIGNS: Final = re.compile(r"[$€£¥%\s\u00a0\u202f]")


def is_number(cell: str) -> bool:
    """Say whether a cell is a number written plainly, with a point."""
    return _NUMBER.fullmatch(cell) is not None or _INFINITE.fullmatch(cell) is not None


def number(cell: str, decimal: str = ".") -> float:
    """Return the number that a cell stands for; NaN if it is none.

    Read are plain numbers, those with a decimal comma where `decimal` is one, thousands separated
    (``1,234.5``, ``1 234``), a sign of currency or percent beside the number, and ``(5)`` as -5.
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
    """Return values as numbers, NaN where they are none, and which of those are no missing word."""
    result = np.array([number(value, decimal) for value in values], np.float64).reshape(-1)
    bad = [
        bool(nan) and value not in MISSING_WORDS
        for nan, value in zip(np.isnan(result), values, strict=True)
    ]
    return result, np.array(bad, np.bool_).reshape(-1)


def is_code(cell: str) -> bool:
    """Say whether a cell is digits behind a zero, which as a number would lose it."""
    return _CODE.fullmatch(cell) is not None


def yes_or_no(values: Iterable[str]) -> bool:
    """Say whether values are one pair such as yes and no, beside missing words."""
    words = {value for value in values if value not in MISSING_WORDS}
    return words <= PAIRS.keys() and {word.lower() for word in words} in map(set, _PAIRS)


def typed(text: Text, decimal: str) -> Column:
    """Return numbers if every cell is a plain number or a missing word, else the text itself.

    Whole numbers of which some begin with a zero, as codes do, stay text.
    """
    plain = re.compile(r"[.,]") if decimal == "," else None
    numbers = np.empty(len(text.values) + 1)
    numbers[-1] = math.nan  # the place of code -1
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
    """Return a column of text of pyarrow as numbers where all its cells are, else as `Text`.

    The numbers are those of `typed`, cast at once where the cells are clean.
    """
    if decimal == "." and (array := _cast(cells)) is not None:
        return array
    return typed(arrow_text(cells), decimal)


def arrow_text(cells: Any) -> Text:
    """Return a column of text of pyarrow as `Text`."""
    coded = cells.combine_chunks().dictionary_encode()
    codes = _buffer(coded.indices.cast("int32").fill_null(-1), np.int32)
    return Text.coded(coded.dictionary.to_pylist(), codes)


def arrow_floats(column: Any) -> NDArray[np.float64]:
    """Return a column of doubles of pyarrow, NaN where null.

    By its buffers: ``to_numpy`` imports pandas.
    """
    parts = [_buffer(chunk, np.float64) for chunk in column.fill_null(math.nan).chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def _buffer(array: Any, dtype: type[Any]) -> NDArray[Any]:
    """Return an array of pyarrow without nulls, where it lies."""
    values = np.frombuffer(array.buffers()[1], dtype) if len(array) else np.empty(0, dtype)
    return values[array.offset : array.offset + len(array)]


def _cast(cells: Any) -> NDArray[np.float64] | None:
    """Return cells of pyarrow as numbers; None if one of them needs a closer look."""
    import pyarrow as pa  # noqa: PLC0415  (whoever has such cells has it)
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
    if _has_fractions(array[:_FIRST]):  # else all of them are looked at
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
