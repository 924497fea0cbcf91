"""CSV files: a header row, numeric features, and one target column of any kind.

The standard ``csv`` module reads, so quotes and line ends follow its rules. What cannot be trained
on is refused with the line and the column where it stands.
"""

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._text import listing
from fastmlp.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader


@dataclass
class Table:
    """What a CSV file holds, row by row.

    Attributes
    ----------
    target_name : str
        The name of the target column.
    features : list of str
        The names of all other columns, in the order of the file.
    values : array of double
        Their numbers, row after row.
    target : list of str
        The text of the target column, without surrounding blanks.
    lines : array of int
        The line of the file on which each row ends, for messages.
    """

    target_name: str
    features: list[str]
    values: "array[float]" = field(default_factory=lambda: array("d"))
    target: list[str] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("q"))

    def matrix(self) -> NDArray[np.float64]:
        """Return the features as an array (rows, columns), without a copy."""
        return np.frombuffer(self.values).reshape(len(self.target), len(self.features))


def read_csv(path: Path, target: str | None) -> Table:
    """Read a comma-separated file in UTF-8.

    Parameters
    ----------
    path : Path
        The file.
    target : str or None
        The name of the target column; None is refused with the list of columns.

    Returns
    -------
    Table
        All features as numbers, the target as text.

    Raises
    ------
    DataError
        If the file is empty, not text, without a header or data rows, ragged, lacks the target
        column, or holds a cell that is empty, not a number or not finite.
    OSError
        If the file cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(_text_lines(path, file), skipinitialspace=True, strict=True)
        try:
            return _read_rows(path, reader, target)
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}") from None


def target_numbers(path: Path, table: Table) -> NDArray[np.float64]:
    """Return the target column as numbers.

    Raises
    ------
    DataError
        If a cell is not a finite number; the message tells its line.
    """
    result = np.empty(len(table.target))
    for row, cell in enumerate(table.target):
        result[row] = _number(path, table.lines[row], table.target_name, cell)
    return result


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, finite or not."""
    try:
        _to_float(cell)
    except ValueError:
        return False
    return True


def chosen_column(path: Path, names: list[str], target: str | None) -> int:
    """Return where the target column stands.

    Raises
    ------
    DataError
        If it is not named, or there is none of that name.
    """
    if target is None:
        raise DataError(f"{path}: name the target with --target; columns are {listing(names)}")
    if target not in names:
        raise DataError(f"{path}: there is no column {brief(target)}; columns are {listing(names)}")
    return names.index(target)


def _text_lines(path: Path, file: TextIO) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        # Bytes that are not UTF-8 were read as lone surrogates, which do not encode.
        if "\0" in line or not (line.isascii() or _encodes(line)):
            raise DataError(f"{path}: line {number} is not text in UTF-8; is this a CSV file?")
        yield line


def _encodes(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_rows(path: Path, reader: "Reader", target: str | None) -> Table:
    rows = ((reader.line_num, [cell.strip() for cell in row]) for row in reader if row)
    header_line, header = next(rows, (0, []))
    if not header:
        raise DataError(f"{path}: the file is empty")
    position = _target_position(path, header_line, header, target)
    table = Table(header[position], header[:position] + header[position + 1 :])
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}: line {line}: number of cells is {len(row)}, "
                f"but the header names {len(header)} columns"
            )
        label = row.pop(position)
        if not label:
            raise DataError(
                f"{path}: line {line}, column {brief(table.target_name)}: the cell is empty"
            )
        table.target.append(label)
        table.lines.append(line)
        table.values.extend(_numbers(path, line, table.features, row))
    if not table.target:
        raise DataError(f"{path}: there are no rows below the header")
    return table


def _target_position(path: Path, line: int, header: list[str], target: str | None) -> int:
    if all(is_number(name) for name in header):
        raise DataError(f"{path}: line {line} holds only numbers; it must name the columns")
    for position, name in enumerate(header):
        if not name:
            raise DataError(
                f"{path}: line {line}: column {position + 1} has no name "
                "(from pandas, write with index=False)"
            )
        if name in header[:position]:
            raise DataError(f"{path}: line {line}: two columns are named {brief(name)}")
    if len(header) == 1:
        raise DataError(
            f"{path}: line {line}: there is only one column, {brief(header[0])}; a target and at "
            "least one feature are needed, separated by commas"
        )
    return chosen_column(path, header, target)


def _numbers(path: Path, line: int, names: list[str], row: list[str]) -> list[float]:
    try:
        numbers = [_to_float(cell) for cell in row]
        if all(map(math.isfinite, numbers)):
            return numbers
    except ValueError:
        pass
    # Something is wrong: go again, cell by cell, to say what.
    return [_number(path, line, name, cell) for name, cell in zip(names, row, strict=True)]


def _number(path: Path, line: int, column: str, cell: str) -> float:
    place = f"{path}: line {line}, column {brief(column)}"
    if not cell:
        raise DataError(f"{place}: the cell is empty")
    try:
        number = _to_float(cell)
    except ValueError:
        raise DataError(f"{place}: {_shortened(cell)} is not a number") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: {_shortened(cell)} is not finite")
    return number


def _to_float(cell: str) -> float:
    if "_" in cell:  # Python reads 12_3 as 123; in a file it is a name
        raise ValueError(cell)
    return float(cell)


def _shortened(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")
