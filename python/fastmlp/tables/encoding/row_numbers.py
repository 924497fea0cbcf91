"""Row numbers whose order in the table is another, of which nothing can be learned."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.reading.stored_numbers import Floats
from fastmlp.tables.reading.table import Rows

_FEWEST: Final = 50
"""Rows from which on numbers below twice their count are hardly ever all different by chance, and
a target that depends on a rank shows it."""
_BY_CHANCE: Final = 0.01
"""How often, at most, a test finds that a target depends on random numbers."""


def are_row_numbers(column: NDArray[Any], rows: Rows, targets: Floats) -> bool:
    """Return whether a column numbers the rows, and the targets do not depend on it.

    Then each number is there once, as far as the table has all rows that were numbered, or at least
    half of them. A rank is so, too, and a count of days: targets tell them apart.

    Parameters
    ----------
    column : ndarray, shape (n,)
        Numbers of the whole table.
    rows : ndarray of int
        The training part.
    targets : ndarray, shape (len(rows), t)
        Its targets.
    """
    count = len(column)
    if len(rows) < _FEWEST or len(np.unique(np.floor(column[:_FEWEST]))) < _FEWEST:
        return False  # which is soon clear of most columns
    if not 0.0 <= float(column.min()) <= float(column.max()) < 2.0 * count:  # nor NaN
        return False
    whole = column.astype(np.int64)
    if (whole != column).any() or np.bincount(whole).max() > 1:
        return False
    places = np.full(2 * count, -1)
    places[whole[rows]] = np.arange(len(rows))
    return not _depends(targets[places[places >= 0]])


def _depends(targets: Floats) -> bool:
    """Return whether targets (n, t) depend on their order, by two tests.

    The largest partial sum, as that of Kolmogorov and Smirnov, shows a trend or a jump; the mean
    difference of neighbours, as von Neumann's, a pattern or groups.
    """
    varied = targets[:, np.ptp(targets, axis=0) > 0.0]
    varied = varied / np.abs(varied).max(axis=0)
    centred = varied - varied.mean(axis=0)
    each = _BY_CHANCE / targets.shape[1]
    spread = np.square(centred).sum(axis=0)
    largest = np.abs(np.cumsum(centred, axis=0)).max(axis=0) / np.sqrt(spread)
    alike = np.abs((centred[1:] * centred[:-1]).sum(axis=0)) / spread * math.sqrt(len(targets))
    least_of_trend = math.sqrt(math.log(2.0 / each) / 2.0)
    least_of_neighbours = math.sqrt(2.0 * math.log(1.0 / each))
    return bool((largest > least_of_trend).any() or (alike > least_of_neighbours).any())
