"""Many numbers as exact hexadecimal literals of C, in arrays of characters: millions a second."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_AT_ONCE: Final = 1 << 16
_HEXADECIMAL: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_IN_LINE: Final = {4: 5, 8: 3}
"""Numbers in a line of at most 100 characters, by the bytes of each."""


def literals(values: NDArray[Any]) -> str:
    """Return numbers (n,) as `c_statements.literal` has them, after commas, in indented lines."""
    parts = [
        _lines(values[start : start + _AT_ONCE], start) for start in range(0, len(values), _AT_ONCE)
    ]
    return "    " + b"".join(parts).decode("ascii").rstrip(", \n")


def _lines(values: NDArray[Any], first: int) -> bytes:
    """Return the text of numbers, each with what separates it from the next.

    Each row of a matrix has the characters of one number, 0 where there is none.
    """
    bits = values.astype(np.float64).view(np.uint64)
    exponent, mantissa = bits >> 52 & 0x7FF, bits & ((1 << 52) - 1)
    power = exponent.astype(np.int64) - 1023
    power[exponent == 0] = -1022
    power[(exponent == 0) & (mantissa == 0)] = 0
    ends = (np.arange(first + 1, first + 1 + len(values)) % _IN_LINE[values.itemsize]) == 0
    columns = [_if(bits >> 63 != 0, "-"), *"0x", np.where(exponent > 0, ord("1"), ord("0"))]
    columns.append(_if(mantissa != 0, "."))
    for place in range(48, -4, -4):
        is_there = mantissa & ((1 << (place + 4)) - 1) != 0  # or one of those after it
        columns.append(np.where(is_there, _HEXADECIMAL[mantissa >> place & 15], 0))
    columns += ["p", np.where(power < 0, ord("-"), ord("+"))]
    size = np.abs(power)
    for place in (1000, 100, 10, 1):
        is_there = (size >= place) | (place == 1)
        columns.append(np.where(is_there, ord("0") + size // place % 10, 0))
    columns += ["f"] if values.itemsize == 4 else []
    columns += [",", np.where(ends, ord("\n"), ord(" ")), *[_if(ends, " ")] * 4]
    table = np.empty((len(values), len(columns)), np.uint8)
    for i, column in enumerate(columns):
        table[:, i] = ord(column) if isinstance(column, str) else column
    text: bytes = table[table != 0].tobytes()
    return text


def _if(condition: NDArray[Any], character: str) -> NDArray[Any]:
    return np.where(condition, ord(character), 0)
