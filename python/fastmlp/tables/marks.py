"""The decimal mark of numbers in text: what the cells tell, and how tables in memory follow it."""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from fastmlp._validation import brief
from fastmlp.errors import DataError
from fastmlp.tables import cells
from fastmlp.tables.layouts import Strings
from fastmlp.tables.table import Booleans, Table, Text, Untyped

COMMA_NUMBER: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_POINT_NUMBER: Final = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)
_OPEN_NUMBER: Final = re.compile(r"[+-]?[1-9]\d{0,2}[,.]\d{3}", re.ASCII)
"""A number whose mark separates thousands or decimals, such as 1,000."""
_MARK: Final = re.compile(r"[.,]")
_BESIDE_DIGITS: Final = re.compile(r"\s*[$€£¥%]\s*|(?<=\d)\s(?=\d)")
"""Signs of currencies and percent, and blanks that separate thousands."""
_FIRST: Final = 10_000
"""Distinct cells of a column in memory that are asked for the mark."""


@dataclass(frozen=True)
class Evidence:
    """What cells tell of the decimal mark.

    Attributes
    ----------
    votes : int
        Positive for a comma, negative for a point: from numbers such as 7,5 that have no other
        reading; if there are none, from separators such as those of 1,234,567.
    clear_points : int
        How many numbers have a point that cannot separate thousands.
    commas, points : list of str
        The numbers with one comma, or one point.
    """

    votes: int
    clear_points: int
    commas: list[str]
    points: list[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Evidence":
        """Ask cells."""
        marked = [text for text in texts if _MARK.search(text)]
        bare = [_BESIDE_DIGITS.sub("", text) for text in marked]
        clear_points = sum(_is_clear(text) for text in bare if _POINT_NUMBER.fullmatch(text))
        clear_commas = sum(_is_clear(text) for text in bare if COMMA_NUMBER.fullmatch(text))
        votes = clear_commas - clear_points
        if votes == 0:
            votes = _grouped(bare, ",") - _grouped(bare, ".")
        points = [text for text in marked if _POINT_NUMBER.fullmatch(text)]
        commas = [text for text in marked if COMMA_NUMBER.fullmatch(text)]
        return cls(votes, clear_points, commas, points)

    def note(self, decimal: str) -> str:
        """Return the note that a mark may be another one, if a comma or point leaves it open."""
        text = (self.commas + self.points)[0]
        return (
            f"the mark in {text} may be a decimal mark or separate thousands: it is read as "
            f"{_reading(text, decimal)}"
        )


def _is_clear(text: str) -> bool:
    """Return whether the mark of a number with a comma or a point cannot separate thousands."""
    return _OPEN_NUMBER.fullmatch(text) is None


def _grouped(texts: list[str], decimal: str) -> int:
    """Count the numbers with several marks, such as 1,234,567, which leave one decimal mark."""
    return sum(cells.is_thousands(text, decimal) and len(_MARK.findall(text)) > 1 for text in texts)


def in_memory(
    table: Table, expected: Collection[str], words: Collection[str], known: str | None
) -> Table:
    """Find the decimal mark of text in memory, and make numbers of the columns that are some.

    If the cells leave it open, it is a point; but in a table for a model whose text had commas, a
    column whose cells read differently with each mark cannot be read.

    Parameters
    ----------
    table : Table
        Of a mapping, a frame, or a file that tells text from numbers; it is changed.
    expected, words : collection of str
        The columns that are known to exist, and those that stay text.
    known : {".", ","} or None
        The mark of the training.
    """
    texts = {
        name: column
        for name, column in table.columns.items()
        if isinstance(column, Text) and not isinstance(column, Booleans)
    }
    ours = [name for name in table.columns if name in expected] or list(texts)
    found = Evidence.of(
        text for name in ours if name in texts for text in _cells_of(texts[name], _FIRST)
    )
    if found.votes:
        table.decimal, table.certainty = "," if found.votes > 0 else ".", "clear"
        if table.decimal == "," != known:
            table.notes.append("commas within text are read as decimal marks")
    else:
        table.decimal = known or "."
        if found.commas or found.points:
            table.certainty = "guessed"
            if known is None:
                table.notes.append(found.note("."))
    for name, column in texts.items():
        plain = Text(column.values, column.codes) if isinstance(column, Untyped) else column
        if name in words:
            table.columns[name] = plain
        elif table.decimal == "," and (error := _of_two_readings(table, name, found.votes)):
            table.unusable[name] = error
            del table.columns[name]
        elif isinstance(column, Untyped):
            table.columns[name] = cells.typed(plain, table.decimal)
    if texts and not table.columns:
        raise next(iter(table.unusable.values()))
    return table


def _cells_of(column: Text, most: int) -> Iterable[str]:
    """Return the first distinct cells, without those that were numbers rather than text."""
    first = column.values[:most]
    if isinstance(column, Untyped) and column.numbers:
        return [text for text in first if text not in column.numbers]
    return first


def _of_two_readings(table: Table, name: str, votes: int) -> DataError | None:
    """Return an error that names the first cell of text that a comma reads as another number.

    If other cells tell that commas are decimal marks, only numbers among text are such cells.
    """
    column = table.columns[name]
    assert isinstance(column, Text)
    numbers = column.numbers if isinstance(column, Untyped) else frozenset()
    if not len(column.values) or (votes and not numbers):
        return None
    strings = Strings.of(column.values)
    two = [layout for layout in strings.layouts if _has_two_readings(cells.example(layout))]
    places = [
        int(place)
        for alike in strings.alike(two)
        for place, text in zip(alike.places, alike.texts(), strict=True)
        if _has_two_readings(text) and (not votes or text in numbers)
    ]
    if not places:
        return None
    text, place = column.values[min(places)], table.place(column.first_row(min(places)), name)
    point, comma = (_reading(text, mark) for mark in ".,")
    if votes:
        return DataError(
            f"{place}: the number {text} stands among text with decimal commas, as which it would "
            f"be {comma}: give numbers"
        )
    return DataError(
        f"{place}: {brief(text)} is {point} with a decimal point and {comma} with a decimal comma, "
        "and no cell of the table tells which: give numbers, or a text file"
    )


def _has_two_readings(text: str) -> bool:
    point, comma = cells.number(text, "."), cells.number(text, ",")
    return point != comma and not (math.isnan(point) and math.isnan(comma))


def _reading(text: str, decimal: str) -> str:
    number = cells.number(text, decimal)
    return "no number" if math.isnan(number) else f"{number:.15g}"
