"""`Table`: named columns as they were read, before their kinds are decided."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, Self, TypeGuard, get_args

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._text import counted, folded, listing, nearest
from fastmlp.errors import DataError
from fastmlp.tables.reading.layouts import Strings
from fastmlp.tables.reading.stored_numbers import GrowingNumbers, StoredNumbers

Rows = NDArray[np.intp]
Codes = NDArray[np.signedinteger[Any]]
Certainty = Literal["", "guessed", "clear"]
_FEWEST: Final = 1 << 12
"""Rows of which fewer stay an array: there is nothing to gain."""
CERTAINTIES: Final[tuple[Certainty, ...]] = get_args(Certainty)


@dataclass(frozen=True)
class Text:
    """A column of text: its distinct values, and the code of each row.

    Attributes
    ----------
    values : sequence of str
        The distinct cells, without surrounding blanks; none is empty.
    codes : ndarray of int8, int16 or int32, shape (n,)
        For each row the index of its cell in `values`; -1 if the cell is empty or null. The type
        also holds the number of values.
    parsed : dict
        What `cell_values.values_of` has made of the values.
    merged : str
        A cell that is another one but for blanks around it; empty if there is none.
    """

    values: Sequence[str]
    codes: Codes
    parsed: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    merged: str = field(default="", repr=False, compare=False)

    @classmethod
    def of(cls, cells: Iterable[str | None]) -> Self:
        """Make a column from cells; None and blank cells are empty."""
        places: dict[str | None, int] = {}
        codes = [places.setdefault(cell, len(places)) for cell in cells]
        return cls.coded(list(places), np.array(codes, np.int32))

    @classmethod
    def coded(cls, values: Sequence[str | None], codes: Codes) -> Self:
        """Make a column from values and codes; strips values, merges equal, drops empty ones."""
        if known := _clean(values):
            return cls(known, narrow(codes, len(known)))
        places: dict[str, int] = {}
        written: dict[str, str] = {}
        merged = ""
        new = np.full(len(values) + 1, -1, np.int32)  # the last is for code -1
        for old, value in enumerate(values):
            if value is not None and (stripped := value.strip()):
                new[old] = places.setdefault(stripped, len(places))
                if written.setdefault(stripped, value) != value:
                    merged = merged or max(value, written[stripped], key=len)
        return cls(list(places), narrow(new, len(places))[codes], merged=merged)

    def __len__(self) -> int:
        return len(self.codes)

    def counts(self, rows: Rows | None = None) -> NDArray[np.intp]:
        """Count how often each value occurs in some rows, each given once, or in all."""
        codes = self.codes if rows is None or len(rows) == len(self) else self.codes[rows]
        return np.bincount(codes + 1, minlength=len(self.values) + 1)[1:]

    def values_at(self, places: NDArray[np.intp]) -> Sequence[str]:
        """Return the values at different places, ascending."""
        if len(places) == len(self.values):
            return self.values
        if isinstance(self.values, Strings):
            return self.values.take(places)
        return [self.values[place] for place in places]

    def first_row(self, value: int) -> int:
        """Return the first row with this code."""
        return int((self.codes == value).argmax())


def narrow(codes: Codes, count: int) -> Codes:
    """Return codes of `count` values in the smallest type that also holds their number."""
    kinds = (np.int8, np.int16, np.int32)
    kind = next(kind for kind in kinds if count <= np.iinfo(kind).max)
    return codes.astype(kind, copy=False)


def _clean(values: Sequence[str | None]) -> list[str]:
    """Return values that are different, stripped and not empty; an empty list for others."""
    known = [value for value in values if value]
    is_clean = len(known) == len(values) == len(set(known)) and list(map(str.strip, known)) == known
    return known if is_clean else []


@dataclass(frozen=True)
class Untyped(Text):
    """A column that its frame or file says is text.

    It becomes numbers if all its cells are, once the decimal mark is known, except for targets.

    Attributes
    ----------
    numbers : set of str
        The cells that were numbers rather than text: their mark is a point.
    """

    numbers: frozenset[str] = frozenset()

    def text(self) -> Text:
        """Return the column as text."""
        return Text(self.values, self.codes, merged=self.merged)


@dataclass(frozen=True)
class Booleans(Text):
    """A column of true and false of which some are missing, which an array of bool cannot be.

    As text it has the values "False" and "True", so that the codes are 0, 1 and -1.
    """

    @classmethod
    def where(cls, true: NDArray[np.bool_], missing: NDArray[np.bool_]) -> "Column":
        """Make a column; an array of bool if nothing is missing, NaN if everything is."""
        if not missing.any():
            return true
        if missing.all():
            return np.full(len(missing), np.nan)
        return cls(["False", "True"], np.where(missing, -1, true).astype(np.int8))

    def numbers(self) -> NDArray[np.float64]:
        """Return 0 and 1, NaN where missing."""
        numbers: NDArray[np.float64] = np.array([0.0, 1.0, np.nan])[self.codes]
        return numbers


Column = NDArray[Any] | Text
"""Numbers (n,) with NaN where missing, true and false (n,), times (n,) of datetime64, vectors
(n, k), text, or true and false with gaps."""


def is_written(column: Column) -> TypeGuard[Untyped]:
    """Return whether a frame or file says that a column is text, in which 1 is a word, too."""
    return isinstance(column, Untyped) and not column.numbers


def is_boolean(column: Column) -> bool:
    """Return whether a column is true and false, with or without gaps."""
    if isinstance(column, Text):
        return isinstance(column, Booleans)
    return column.dtype.kind == "b" and column.ndim == 1


def _are_doubles(column: Column) -> bool:
    return not isinstance(column, Text) and column.ndim == 1 and column.dtype == np.float64


class ColumnStore(MutableMapping[str, Column]):
    """Columns by name, in order; many doubles are stored as `StoredNumbers`.

    They become doubles when they are looked up: only columns in use take the memory of doubles.

    Parameters
    ----------
    names : sequence of str, optional
        Those that may be numbers; others are added with `store`.
    rows : int
        Of each.
    """

    def __init__(self, names: Sequence[str] = (), rows: int = 0) -> None:
        self._growing = GrowingNumbers(names, rows) if names and rows >= _FEWEST else None
        self._held: dict[str, Column | StoredNumbers] = {}

    def store(self, name: str, numbers: StoredNumbers) -> None:
        """Add a column that is stored already."""
        self._held[name] = numbers

    def __setitem__(self, name: str, column: Column) -> None:
        growing = self._growing
        is_new = growing is not None and name in growing.columns and name not in self._held
        if growing is None or not is_new or not _are_doubles(column):
            self._held[name] = column
        else:
            growing.append(name, column)  # type: ignore[arg-type]
            self.store(name, growing.columns[name])

    def __getitem__(self, name: str) -> Column:
        held = self._held[name]
        return held[:] if isinstance(held, StoredNumbers) else held

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __copy__(self) -> "ColumnStore":
        other = ColumnStore()
        other._held = dict(self._held)
        return other

    def hold_in_memory(self, name: str, column: Column | StoredNumbers) -> None:
        """Add a column of which single rows will be looked up; stored numbers stay small."""
        self._held[name] = column.in_memory() if isinstance(column, StoredNumbers) else column

    def held(self, name: str) -> Column | StoredNumbers:
        """Return a column as it is stored: some of its rows are found without all."""
        return self._held[name]


@dataclass
class Table:
    """Columns of equal length, and their source.

    Attributes
    ----------
    source : str
        Its name in messages: the path of the file, or "table".
    columns : mapping of str to column
        In order, by name; a `ColumnStore` where they are the table's own.
    decimal : {".", ","}
        The decimal mark of numbers in text.
    certainty : {"", "guessed", "clear"}
        Of the decimal mark of a text file; empty if no number has a mark.
    notes : list of str
        Decisions made while reading, one sentence each.
    target : str or None
        The target, if the format defines one.
    group : str or None
        The column of groups, if the format defines one.
    unnamed : set of str
        The columns that had no name, such as row names.
    absent : float or None
        The value of absent columns; None if columns must be present.
    locate : callable
        The position of a row, for messages: "line 7", "row 6".
    durations : set of str
        The columns of numbers that were durations: these are in seconds.
    zoned : set of str
        The columns of datetime64 that had a time zone: these are in UTC.
    unusable : dict of str to DataError
        The columns that cannot be read, and why: an error only if they are needed.
    path : Path or None
        The file, folder or pattern that it was read from.
    """

    source: str
    columns: MutableMapping[str, Column]
    decimal: str = "."
    notes: list[str] = field(default_factory=list)
    target: str | None = None
    group: str | None = None
    unnamed: set[str] = field(default_factory=set)
    absent: float | None = None
    locate: Callable[[int], str] = lambda row: f"row {row}"
    certainty: Certainty = ""
    unusable: dict[str, DataError] = field(default_factory=dict)
    path: Path | None = None
    durations: set[str] = field(default_factory=set)
    zoned: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.held(next(iter(self.columns)))) if self.columns else 0

    def held(self, name: str) -> Column | StoredNumbers:
        """Return a column as it is stored, for its length and some of its rows."""
        columns = self.columns
        return columns.held(name) if isinstance(columns, ColumnStore) else columns[name]

    def part(self, first: int, last: int) -> "Table":
        """Return the table of some rows, whose columns are views if they are not stored numbers."""
        columns: dict[str, Column] = {}
        for name in self.columns:
            column = self.held(name)
            if isinstance(column, Text):
                columns[name] = replace(column, codes=column.codes[first:last], parsed={})
            else:
                columns[name] = column[first:last]
        return replace(self, columns=columns, locate=lambda row: self.locate(first + row))

    def column(self, name: str) -> Column:
        """Return a column by its name, or by its number if columns have no names.

        Raises
        ------
        DataError
            If there is no such column.
        """
        return self.columns[self.resolve(name)]

    def resolve(self, name: str) -> str:
        """Return the full name of a column: ``"3"`` means ``"column 3"`` if that exists."""
        for candidate in (name, f"column {name}"):
            if candidate in self.columns:
                return candidate
            if candidate in self.unusable:
                raise self.unusable[candidate]
        names = list(self.columns)
        raise DataError(
            f"{self.source}: there is no column {brief(name)}; "
            f"columns are {listing(names)}{nearest(name, names)}"
        )

    @classmethod
    def of(
        cls,
        source: str,
        makers: Iterable[tuple[str, Callable[[], Column]]],
        columns: MutableMapping[str, Column] | None = None,
    ) -> "Table":
        """Make a table from functions that return its columns, at least one of which can be read.

        They are put into `columns`, which may store them; durations of timedelta64 as seconds.

        Raises
        ------
        DataError
            That of the first column, if none can be read.
        """
        table = cls(source, {} if columns is None else columns)
        for name, make in makers:
            try:
                column = make()
                if not isinstance(column, Text) and column.dtype.kind == "m":
                    table.durations.add(name)
                    column = column / np.timedelta64(1, "s")
                table.columns[name] = column
            except DataError as error:
                text = str(error).removeprefix("table: ")
                known = text.startswith(f"{source}: ")
                table.unusable[name] = DataError(text if known else f"{source}: {text}")
        if table.unusable and not table.columns:
            raise next(iter(table.unusable.values()))
        return table

    def add_absent(self, names: Iterable[str]) -> None:
        """Add the columns that a sparse format omits."""
        if self.absent is not None:
            for name in names:
                if name not in self.columns:
                    self.columns[name] = np.full(len(self), self.absent)

    def refuse_absent(self, names: Sequence[str]) -> NoReturn:
        """Raise for columns that it lacks, or that cannot be read."""
        if names[0] in self.unusable:
            raise self.unusable[names[0]]
        others = f", nor {counted(len(names) - 1, 'other')}" if len(names) > 1 else ""
        alike = [name for name in self.columns if folded(name) == folded(names[0])]
        hint = f"; rename {brief(alike[0])}" if alike else ""
        raise DataError(
            f"{self.source}: there is no column {brief(names[0])}{others}; "
            f"columns are {listing(list(self.columns))}{hint}"
        )

    def place(self, row: int, name: str) -> str:
        """Describe the position of a cell: file, row and column."""
        return f"{self.source}: {self.locate(row)}, column {brief(name)}"
