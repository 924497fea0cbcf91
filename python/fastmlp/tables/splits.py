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
    """Split rows into a training part and a held-out part.

    The split is stratified: of every class the given share is held out, rounded to the nearest
    row, and at least one row remains for training. The same seed gives the same split on every
    platform.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Classes numbered from 0; all 0 for a split that is not stratified.
    share : float
        The share of the held-out part, above 0 and below 1.
    seed : int
        In [0, 2^64).
    groups : ndarray of int, shape (n,), optional
        Groups numbered from 0. Rows of one group stay together; classes are then ignored.

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
    # Groups up to the share, and at least one on either side.
    taken = int(np.searchsorted(np.cumsum(sizes[order]), share * len(labels), side="right"))
    held = np.isin(groups, order[: min(max(taken, 1), len(sizes) - 1)])
    return np.flatnonzero(~held).astype(np.intp), np.flatnonzero(held).astype(np.intp)


def shuffled(count: int, seed: int) -> NDArray[np.intp]:
    """Return the numbers below `count` in an order determined by the seed.

    Sorts by the raw output of a counter-based generator, whose bits do not depend on the version of
    NumPy.
    """
    return np.argsort(np.random.Philox(key=seed).random_raw(count), kind="stable").astype(
        np.intp, copy=False
    )


def folds_of(count: int, groups: NDArray[np.integer[Any]] | None, seed: int) -> NDArray[np.int8]:
    """Return the fold of each row, of 5; rows of one group are in the same."""
    if groups is not None:
        of_groups = folds_of(int(groups.max()) + 1, None, seed)
        return np.take(of_groups, groups)
    folds = np.empty(count, np.int8)
    folds[shuffled(count, seed)] = np.arange(count) % 5
    return folds
