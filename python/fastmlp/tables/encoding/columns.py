"""The report of how each column is used."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fastmlp._validation import brief
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.encoding.encoders import Encoder, Number, Numbers, RawNumber, Vector
from fastmlp.tables.encoding.kinds import (
    BESIDE_WORDS,
    MARKS,
    MIXED,
    NO_TIMES,
    ROUNDED,
    SECONDS,
    UNITS,
    ZONES,
    Kind,
)
from fastmlp.tables.encoding.scaling import is_near
from fastmlp.tables.encoding.target_means import TargetMeans
from fastmlp.tables.reading import cells, dates
from fastmlp.tables.reading.table import Table, Text


@dataclass(frozen=True)
class ColumnReport:
    """How a column is used.

    Attributes
    ----------
    name : str
        The column.
    kind : str
        "number", "yes/no", "words", "date", "time of day", "vector" or "dropped".
    inputs : int
        The number of inputs of the network.
    how : str
        How it is encoded, and why.
    """

    name: str
    kind: str
    inputs: int
    how: str


class Columns(tuple[ColumnReport, ...]):
    """How each column is used; `str` gives a readable table."""

    __slots__ = ()

    def __str__(self) -> str:
        names = [_shortened(column.name) for column in self]
        wide = max(map(len, names), default=0)
        return "\n".join(
            f"{name:<{wide}}  {column.kind:<11}  {column.inputs or '':>4}  {column.how}"
            for name, column in zip(names, self, strict=True)
        )

    __repr__ = __str__


def _shortened(name: str) -> str:
    """Return a name for a line of a terminal: not long, and without control characters."""
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)
    return shown if len(shown) <= 30 else f"{shown[:27]}..."


def how(kind: Kind, encoder: Encoder) -> str:
    """Describe how a column is used."""
    reason = kind.reason
    missing = ", whether it is missing" if getattr(encoder, "missing", False) else ""
    because = f" ({reason})" if reason else ""
    if isinstance(encoder, RawNumber):
        return f"standardized in the network{because}"
    if isinstance(encoder, Number):
        return _how_number(kind, encoder, missing)
    if isinstance(encoder, Numbers):
        return ", ".join(dates.PARTS[part] for part in encoder.parts) + because
    if isinstance(encoder, Vector):
        return f"{reason or 'numbers'}, centred{missing}"
    if isinstance(encoder, TargetMeans):
        return f"the mean target of each of {counted(len(encoder.words), 'word')}"
    rare = ", the others" if encoder.others else ""
    words = counted(len(encoder.words), "word")
    return f"one input for each of {words}{rare}{missing}{because}"


def _how_number(kind: Kind, encoder: Number, missing: str) -> str:
    if kind.name == "yes/no":
        return f"0 and 1, standardized{missing}"
    pieces = f", {len(encoder.edges) - 1} pieces" if len(encoder.edges) else ""
    because = f" ({kind.reason})" if kind.reason else ""
    median = f", missing is {encoder.median:g}" if missing else ""
    means = ""
    if encoder.means is not None:
        means = f", the mean target of each of {len(encoder.means.values)} numbers"
    return f"standardized{pieces}{because}{median}{missing}{means}"


def needs_preparation(name: str, kind: Kind, encoder: Encoder) -> str:
    """Return why a network cannot take a column as it is; empty if it can."""
    if isinstance(encoder, RawNumber):
        return ""
    column = f"column {brief(name)}"
    if kind.name != "number" or not isinstance(encoder, Number):
        return f"{column} holds {_HELD.get(kind.name, kind.name)}"
    if encoder.missing:
        return f"{column} has missing numbers"
    if len(encoder.edges) or encoder.means is not None:
        return f'{column} is cut into pieces, which numbers="standardized" omits'
    if not is_near(encoder.mean, encoder.deviation):
        return f"{column} varies too little for its size to be float32"
    return ""


def refuse_other_units(table: Table, name: str, trained: str | None) -> None:
    """Refuse numbers of a column that have another unit than in training, unless it is unknown.

    Those without a sign are of the currency of the training, or seconds as the durations of it,
    but may not be percent.

    Raises
    ------
    DataError
        If there is one; it names the first such cell.
    """
    if trained is not None and (found := _of_other_unit(table, name, trained)) is not None:
        row, cell = found
        unit = f"in {trained}" if trained else "without a unit"
        raise DataError(
            f"{table.place(row, name)}: {cell} is of another unit than the numbers of the "
            f"training, which are {unit}"
        )


def _of_other_unit(table: Table, name: str, trained: str) -> tuple[int, str] | None:
    """Return the row and the cell of a number of another unit; None if there is none."""
    column, unit = table.held(name), SECONDS if name in table.durations else ""
    if isinstance(column, Text):
        differ = cells.of_units(column.values, table.decimal, lambda unit: _differs(unit, trained))
        if not differ.any():
            return None
        row = int(np.append(differ, False)[column.codes].argmax())  # the last is for code -1
        return row, brief(column.values[column.codes[row]])
    if not _differs(unit, trained) or column.ndim != 1 or column.dtype.kind not in "iuf":
        return None
    numbers = column[:]
    known = np.isfinite(numbers)
    return (row := int(known.argmax()), f"{numbers[row]:g}{unit}") if known.any() else None


def _differs(unit: str, trained: str) -> bool:
    return unit != trained and (unit != "" or trained == "%")


_HELD: Final = {"date": "dates", "time of day": "times of day", "vector": "vectors"}


def number_notes(table: Table, kinds: dict[str, Kind]) -> list[str]:
    """Return a note for each column whose numbers are rounded, of several units or beside words.

    And for those of two decimal marks, and whose dates or times of day are beside other cells.
    """
    remedies = {
        ROUNDED: "subtract a constant first, or make the column text",
        MARKS: "write all numbers with one mark",
        UNITS: "convert them to one, or make the column text",
        BESIDE_WORDS: "leave the words out to make them numbers",
        MIXED: "if these stand for missing numbers, leave the cells empty",
        ZONES: "those without one are taken as UTC: write all alike",
        NO_TIMES: "if these stand for missing ones, leave the cells empty",
    }
    return [
        f"{table.source}: column {brief(name)}: {kind.reason}; {remedy}"
        for name, kind in kinds.items()
        for reason, remedy in remedies.items()
        if reason in kind.reason
    ]
