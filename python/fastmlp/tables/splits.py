"""Splitting the rows of a table: by class, or so that rows of one group stay together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.splitting import Rows, stratified
from fastmlp.errors import DataError


def split_rows(
    labels: NDArray[np.integer[Any]],
    share: float,
    seed: int,
    groups: NDArray[np.integer[Any]] | None = None,
) -> tuple[Rows, Rows]:
    """Split rows into a part to train on and a part held out.

    Every class gives its share to the part held out, to the nearest row, and keeps at least one
    row for training. The same seed gives the same split on every platform.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Classes numbered from 0; all 0 for a split without regard to classes.
    share : float
        The share of the part held out, above 0 and below 1.
    seed : int
        In [0, 2^64).
    groups : ndarray of int, shape (n,), optional
        Groups numbered from 0. Rows of one group stay together; classes are not looked at then.

    Returns
    -------
    train, held_out : ndarray of int
        Row numbers, ascending; `held_out` may be empty.

    Raises
    ------
    DataError
        If there is only one group.
    """
    if groups is None:
        return stratified(labels, share, shuffled(len(labels), seed))
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise DataError("all rows are of one group: none can be held out")
    order = shuffled(len(sizes), seed)
    # The groups up to the share, and at least one on either side.
    taken = int(np.searchsorted(np.cumsum(sizes[order]), share * len(labels), side="right"))
    held = np.isin(groups, order[: min(max(taken, 1), len(sizes) - 1)])
    return np.flatnonzero(~held).astype(np.intp), np.flatnonzero(held).astype(np.intp)


def shuffled(count: int, seed: int) -> NDArray[np.intp]:
    """Return the numbers below `count` in an order that follows from the seed.

    Sorting a counter-based generator's raw output shuffles; its bits never change with NumPy.
    """
    return np.argsort(np.random.Philox(key=seed).random_raw(count), kind="stable").astype(np.intp)
