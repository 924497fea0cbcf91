"""Integers that scaling cannot keep apart, as it reads them in float64."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._conversion import numbers

_EXACT: Final = 2**53
"""Up to which float64 has every integer."""

_FEWEST_STEPS: Final = 64
"""Steps of float64 in a standard deviation, below which rounding moves numbers by up to 1/128."""


class IntegerRanges:
    """The least and the largest integer of each column, exact; nothing of columns of floats."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, int]] = []

    def add(self, array: NDArray[Any]) -> None:
        """Add rows (rows, columns) of any real type."""
        if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or array.size == 0:
            return
        ends = [*zip(array.min(axis=0).tolist(), array.max(axis=0).tolist(), strict=True)]
        pairs = zip(self._ends or ends, ends, strict=True)
        self._ends = [(min(a, c), max(b, d)) for (a, b), (c, d) in pairs]

    def refuse_rounded(self, name: str, deviation_of: Callable[[int], float]) -> None:
        """Refuse different integers that are nearly or wholly equal once they are float64.

        Raises
        ------
        ValueError
            If the deviation of a column, which `deviation_of` returns, is too few steps.
        """
        for column, (least, most) in enumerate(self._ends):
            largest = max(-least, most)
            if least == most or largest <= _EXACT:
                continue
            step = float(np.spacing(float(largest)))
            if deviation_of(column) < _FEWEST_STEPS * step:
                where = f" in column {column}" if len(self._ends) > 1 else ""
                raise ValueError(
                    f"{name} holds integers from {least} to {most}{where}, which "
                    f"float64 rounds to multiples of {step:g}: subtract a constant from them "
                    "first, as integers"
                )


def refuse_rounded_integers(name: str, given: Any, advice: str = "encode it as numbers") -> None:
    """Refuse such integers in anything that `numbers` takes, (n,) or (n, columns).

    The columns of a pandas data frame are read one by one, as beside floats they become floats.
    """
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        for j, label in enumerate(given.columns):
            _refuse_in(f"{name}, column {brief(label)},", numbers(name, given.iloc[:, j], advice))
    else:
        _refuse_in(name, numbers(name, given, advice))


def _refuse_in(name: str, array: NDArray[Any]) -> None:
    columns = array.reshape(len(array), -1) if array.ndim == 1 and len(array) else array
    if columns.ndim == 2:
        ranges = IntegerRanges()
        ranges.add(columns)
        ranges.refuse_rounded(name, lambda j: float(columns[:, j].astype(np.float64).std()))
