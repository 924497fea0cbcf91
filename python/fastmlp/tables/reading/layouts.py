"""The layout of a cell, such as 0000-00-00, is its text with 0 in place of every digit.

Whether a cell is a number or a date depends on its layout alone, and a column has few of them. So
patterns are matched once for each layout, and the cells of one layout, whose digits stand at the
same places, are converted together.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

_ZERO: Final = ord("0")
_BLOCK_BYTES: Final = 1 << 18  # what is computed from as many stays in a core's cache
_COMPARED: Final = 8  # layouts that are found by comparing; the others by looking each cell up
_FIRST: Final = 16
_INT32_DIGITS: Final = 9  # of numbers that an int32 holds, which takes less time


@dataclass(frozen=True, eq=False)
class Alike:
    """Cells of one layout.

    Attributes
    ----------
    layout : str
        The cells, with 0 in place of every digit.
    places : ndarray of int, shape (n,)
        Where they stand among all cells.
    characters : ndarray of uint8, shape (n, length)
        Their UTF-8.
    """

    layout: str
    places: NDArray[np.intp]
    characters: NDArray[np.uint8]

    def texts(self) -> list[str]:
        """Return the cells as strings."""
        data, length = self.characters.tobytes(), self.characters.shape[1]
        count = len(self.places)
        return [_decoded(data[length * i : length * (i + 1)]) for i in range(count)]


class Strings(Sequence[str]):
    """Strings in one buffer, as Arrow has them; a Python string is made when it is asked for.

    Parameters
    ----------
    characters : ndarray of uint8
        The UTF-8 of all.
    ends : ndarray of int, shape (n + 1,)
        String i is ``characters[ends[i] : ends[i + 1]]``.

    Attributes
    ----------
    parsed : dict
        What `cells.numbers` and `dates.days` have made of them, not to be changed: the kind of a
        column depends on it, and then its encoding.
    """

    def __init__(self, characters: NDArray[np.uint8], ends: NDArray[Any]) -> None:
        self._characters, self._ends = characters, ends
        self.parsed: dict[Any, Any] = {}

    def __reduce__(self) -> tuple[type["Strings"], tuple[NDArray[np.uint8], NDArray[Any]]]:
        return Strings, (self._characters, self._ends)  # nothing of what was made of them

    @classmethod
    def of(cls, values: Sequence[str]) -> "Strings":
        """Return values in one buffer."""
        if isinstance(values, cls):
            return values
        together = "".join(values)
        encoded = together.encode(errors="surrogatepass")
        lengths = [
            len(value) if together.isascii() else len(value.encode(errors="surrogatepass"))
            for value in values
        ]
        return cls(np.frombuffer(encoded, np.uint8), np.cumsum([0, *lengths], dtype=np.int64))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Strings": ...
    def __getitem__(self, index: int | slice) -> "str | Strings":
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"the step of a slice must be 1, got {step}")
            return Strings(self._characters, self._ends[first : max(first, last) + 1])
        index = range(len(self))[index]
        return _decoded(self._characters[self._ends[index] : self._ends[index + 1]].tobytes())

    def __iter__(self) -> Iterator[str]:
        for index in range(min(_FIRST, len(self))):  # these often tell enough
            yield self[index]
        yield from self._list[_FIRST:] if len(self) > _FIRST else ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _list(self) -> list[str]:
        places = self._ends.tolist()
        first = places[0]
        text = self._characters[first : places[-1]].tobytes()
        if text.isascii():
            whole = text.decode()
            return [whole[a - first : b - first] for a, b in pairwise(places)]
        return [_decoded(text[a - first : b - first]) for a, b in pairwise(places)]

    def take(self, places: NDArray[np.intp]) -> "Strings":
        """Return the strings at some places."""
        lengths = np.diff(self._ends)[places]
        ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        characters = np.empty(ends[-1], np.uint8)
        block = max(1, _BLOCK_BYTES // max(1, int(lengths.max(initial=1))))
        for start in range(0, len(places), block):
            some = slice(start, start + block)
            shift = self._ends[places[some]] - ends[:-1][some]
            here = np.arange(ends[start], ends[min(start + block, len(places))])
            at = here + np.repeat(shift, lengths[some])
            characters[here] = self._characters[at]
        return Strings(characters, ends)

    def without_empty(self) -> "tuple[Strings, NDArray[np.bool_]]":
        """Return the strings that are not empty, and which of all these are."""
        filled = np.diff(self._ends) > 0
        if filled.all():
            return self, filled
        ends = np.concatenate([self._ends[:1], self._ends[1:][filled]])
        return Strings(self._characters, ends), filled

    def are_stripped(self) -> bool:
        """Return whether all begin and end with a visible ASCII character; none may be empty."""
        for places in (self._ends[:-1], self._ends[1:] - 1):
            outer = self._characters[places]
            if not ((outer > ord(" ")) & (outer < 127)).all():
                return False
        return True

    @property
    def layouts(self) -> Sequence[str]:
        """The different layouts."""
        return self._numbered[0]

    def first_of(self, layout: str) -> str:
        """Return the first cell of one of the layouts."""
        found, numbers = self._numbered
        return self[int((numbers == found.index(layout)).argmax())]

    def place_of(self, text: str) -> int | None:
        """Return the place of the first that is equal to a text, not empty; None if none is."""
        wanted = np.frombuffer(text.encode(errors="surrogatepass"), np.uint8)
        places = np.flatnonzero(np.diff(self._ends) == len(wanted))
        if not len(places):
            return None
        equal = (self._matrix(places) == wanted).all(axis=1)
        return int(places[equal.argmax()]) if equal.any() else None

    def alike(self, layouts: Iterable[str]) -> Iterator[Alike]:
        """Yield the cells of each of some layouts."""
        found, numbers = self._numbered
        wanted = set(layouts)
        asked = np.array([layout in wanted for layout in found], np.bool_)
        if not asked.any():
            return
        if len(found) == 1:
            yield Alike(found[0], np.arange(len(self)), self._matrix(None))
            return
        places = np.flatnonzero(asked[numbers])
        places = places[np.argsort(numbers[places], kind="stable")]
        ends = np.cumsum(np.bincount(numbers[places], minlength=len(found)))
        for number in np.flatnonzero(asked).tolist():
            some = places[ends[number - 1] if number else 0 : ends[number]]
            yield Alike(found[number], some, self._matrix(some))

    def _matrix(self, places: NDArray[np.intp] | None) -> NDArray[np.uint8]:
        """Return the characters of strings of one length, (n, length); None means all strings."""
        starts = self._ends[:-1]
        length = int(self._ends[1] - starts[0])
        if places is None:
            return self._characters[starts[0] : self._ends[-1]].reshape(len(starts), length)
        length = int(self._ends[places[0] + 1] - starts[places[0]])
        if length == 0:
            return np.empty((len(places), 0), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(self._characters, length)
        result: NDArray[np.uint8] = windows[starts[places]]
        return result

    @cached_property
    def _numbered(self) -> tuple[list[str], NDArray[np.int32]]:
        """The different layouts, and the number of that of each string."""
        found: dict[bytes, int] = {}
        numbers = np.empty(len(self), np.int32)
        for places in self._by_length():
            numbers[places] = _numbers_of(self._matrix(places), found)
        return [_decoded(layout) for layout in found], numbers

    def _by_length(self) -> Iterator[NDArray[np.intp]]:
        """Yield the places of strings of one length, of as many at a time as stay in cache."""
        lengths = np.diff(self._ends)
        if not len(lengths):
            return
        order = np.arange(len(lengths))
        if (lengths != lengths[0]).any():
            short = lengths.astype(np.uint16) if lengths.max() < 1 << 16 else lengths
            order = np.argsort(short, kind="stable")
        ascending = lengths[order]
        bounds = [0, *(np.flatnonzero(np.diff(ascending)) + 1).tolist(), len(order)]
        for first, last in pairwise(bounds):
            block = max(1, _BLOCK_BYTES // max(1, int(ascending[first])))
            for start in range(first, last, block):
                yield order[start : min(start + block, last)]


def _decoded(text: bytes) -> str:
    return text.decode(errors="surrogatepass")


def _numbers_of(characters: NDArray[np.uint8], found: dict[bytes, int]) -> NDArray[np.int32]:
    """Return the number of the layout of each string of one length; adds new ones to `found`."""
    count, length = characters.shape
    padded = np.zeros((count, 8 * max(1, -(-length // 8))), np.uint8)
    digits = characters - np.uint8(_ZERO)
    digits *= digits < 10  # the others, which wrap around, become 0
    np.subtract(characters, digits, out=padded[:, :length])
    words, left = padded.view(np.uint64), np.arange(count)
    numbers = np.empty(count, np.int32)
    for _ in range(_COMPARED):
        same = words[:, 0] == words[0, 0]
        for j in range(1, words.shape[1]):
            same &= words[:, j] == words[0, j]
        layout = words[0].tobytes()[:length]
        numbers[left[same]] = found.setdefault(layout, len(found))
        left, words = left[~same], words[~same]
        if not len(left):
            return numbers
    data, width = words.tobytes(), 8 * words.shape[1]
    starts = range(0, len(data), width)
    numbers[left] = [found.setdefault(data[i : i + length], len(found)) for i in starts]
    return numbers


def _whole(cells: Alike, places: Sequence[int]) -> NDArray[np.int64]:
    """Return the whole numbers (n,) of the digits at some places of cells."""
    kind = np.int32 if len(places) <= _INT32_DIGITS else np.int64
    total: NDArray[Any] = np.zeros(len(cells.places), kind)
    for place in places:
        total *= 10
        total += cells.characters[:, place] - np.uint8(_ZERO)
    return total.astype(np.int64, copy=False)


def decimals(cells: Alike) -> NDArray[np.float64]:
    """Return the numbers in cells of a layout such as -0,000.00, of at most 15 digits.

    A double holds whole numbers of 15 digits and the power of ten that divides them, so that the
    quotient is the double nearest to the number, as from `float`.
    """
    layout = cells.layout
    total = _whole(cells, [place for place, character in enumerate(layout) if character == "0"])
    result = total / 10.0 ** len(layout.partition(".")[2])
    return -result if layout[0] == "-" else result


class Matched:
    """Cells of one layout, which is ASCII, and its match with a pattern."""

    def __init__(self, cells: Alike, match: re.Match[str]) -> None:
        self._cells, self._match = cells, match

    def has(self, group: int) -> bool:
        """Return whether the layout has a group of the pattern."""
        return self._match[group] is not None

    def text(self, group: int) -> str:
        """Return a group that has no digits, and is the same in all cells."""
        return self._match[group]

    def whole(self, group: int, first: int = 0, last: int | None = None) -> NDArray[np.int64]:
        """Return the whole numbers (n,) in a group, or in a slice of it."""
        start, end = self._match.span(group)
        return _whole(self._cells, range(start, end)[first:last])

    def number(self, group: int) -> NDArray[np.float64]:
        """Return the numbers (n,) in a group, which may have fractions."""
        start, end = self._match.span(group)
        if self._match[group].isdigit():
            return self.whole(group).astype(np.float64)
        return np.array([float(cell[start:end]) for cell in self._cells.texts()])
