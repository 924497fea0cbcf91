"""Layouts of cells, such as 0000-00-00: whether a cell is a number or a date depends on it alone.

A column has few layouts, so that patterns are matched once for each, not for each cell, and the
cells of a layout, whose digits stand at the same places, are converted together.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_AS_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")


def layouts(cells: Sequence[str]) -> list[str]:
    """Return each cell with 0 in place of every digit."""
    together = _zeros("\n".join(cells)).split("\n") if cells else []
    return together if len(together) == len(cells) else [_zeros(cell) for cell in cells]


def _zeros(text: str) -> str:
    return text.encode(errors="surrogatepass").translate(_AS_ZERO).decode(errors="surrogatepass")


def by_layout(cells: Sequence[str]) -> Iterator[tuple[str, NDArray[np.intp] | slice]]:
    """Yield each layout, and the places of its cells."""
    found = layouts(cells)
    different = dict.fromkeys(found)
    if len(different) == 1:
        yield found[0], slice(None)
        return
    yield from places_of(found, different)


def places_of(
    found: Sequence[str], wanted: Iterable[str]
) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each of the wanted layouts, and its places among those that were found."""
    numbers = {layout: number for number, layout in enumerate(wanted, start=1)}
    if not numbers:
        return
    codes = np.array([numbers.get(layout, 0) for layout in found], np.intp)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(numbers) + 1))
    for layout, start, end in zip(numbers, ends[:-1], ends[1:], strict=True):
        yield layout, order[start:end]


def decimals(layout: str, cells: Sequence[str]) -> NDArray[np.float64]:
    """Return the numbers in cells of a layout such as -0,000.00, of at most 15 digits.

    A double holds whole numbers of 15 digits and the power of ten that divides them, so that the
    quotient is the double nearest to the number, as from `float`.
    """
    digits = np.frombuffer("".join(cells).encode(), np.uint8).reshape(len(cells), -1)
    total = np.zeros(len(cells), np.int64)
    for place, character in enumerate(layout):
        if character == "0":
            total = 10 * total + (digits[:, place] - np.uint8(ord("0")))
    result = total / 10.0 ** len(layout.partition(".")[2])
    return -result if layout[0] == "-" else result


class Matched:
    """Cells of one layout, which is ASCII, and its match with a pattern."""

    def __init__(self, cells: Sequence[str], match: re.Match[str]) -> None:
        self._cells, self._match = cells, match
        characters = np.frombuffer("".join(cells).encode(), np.uint8)
        self._digits = characters.reshape(len(cells), -1) - np.uint8(ord("0"))

    def has(self, group: int) -> bool:
        """Return whether the layout has a group of the pattern."""
        return self._match[group] is not None

    def text(self, group: int) -> str:
        """Return a group that has no digits, and is the same in all cells."""
        return self._match[group]

    def whole(self, group: int, first: int = 0, last: int | None = None) -> NDArray[np.int64]:
        """Return the whole numbers (n,) in a group, or in a slice of it."""
        start, end = self._match.span(group)
        total = np.zeros(len(self._cells), np.int64)
        for place in range(start, end)[first:last]:
            total = 10 * total + self._digits[:, place]
        return total

    def number(self, group: int) -> NDArray[np.float64]:
        """Return the numbers (n,) in a group, which may have fractions."""
        start, end = self._match.span(group)
        if self._match[group].isdigit():
            return self.whole(group).astype(np.float64)
        return np.array([float(cell[start:end]) for cell in self._cells])
