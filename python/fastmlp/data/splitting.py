"""Splitting samples into a training part and a held-out part."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def stratified(
    labels: NDArray[np.integer[Any]], share: float, order: NDArray[np.integer[Any]]
) -> tuple[Rows, Rows]:
    """Split samples so that both parts have the same proportions of classes.

    The share of every class, rounded to whole samples, is held out; at least one sample of each
    class remains for training.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Classes numbered from 0; all 0 for an unstratified split.
    share : float
        The fraction to hold out, above 0 and below 1.
    order : ndarray of int, shape (n,)
        All row numbers, shuffled: of each class, the first in this order are held out.

    Returns
    -------
    train, held_out : ndarray of int
        Row numbers, ascending; `held_out` may be empty.
    """
    counts = np.bincount(labels)
    exact = counts * share
    taken = np.floor(exact).astype(np.intp)
    # The samples left over by rounding down go to the classes that lost most by it.
    left_over = round(float(exact.sum())) - int(taken.sum())
    taken[np.argsort(taken - exact, kind="stable")[:left_over]] += 1
    taken = np.minimum(taken, np.maximum(counts - 1, 0))
    by_class = order[np.argsort(labels[order], kind="stable")]
    # Whether a sample is held out, without an array of integers for all: there may be many.
    steps = np.zeros(len(labels) + 1, np.int8)
    first = np.cumsum(counts) - counts
    np.add.at(steps, first, taken > 0)
    np.subtract.at(steps, first + taken, taken > 0)
    is_held_out = np.empty(len(labels), np.bool_)
    is_held_out[by_class] = np.cumsum(steps[:-1], dtype=np.int8)
    train, held_out = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
    return train.astype(np.intp, copy=False), held_out.astype(np.intp, copy=False)


def copies_together(
    samples: NDArray[np.integer[Any]], split: Callable[[Rows | slice], tuple[Rows, Rows]]
) -> tuple[Rows, Rows]:
    """Split samples, some of which may be copies, so that all copies of one are in the same part.

    Otherwise a network would be measured on samples that it trains on: those of a bootstrap.

    Parameters
    ----------
    samples : ndarray of int, shape (n,)
        The number of each sample, equal for copies.
    split : callable
        Splits samples of the given positions, different ones, into two parts of their row numbers.

    Returns
    -------
    train, held_out : ndarray of int
        Positions; what `split` returns for all if there are no copies, else ascending.
    """
    _, first, copies = np.unique(samples, return_index=True, return_inverse=True)
    if len(first) == len(samples):
        return split(slice(None))
    is_held_out = np.zeros(len(first), np.bool_)
    is_held_out[split(first)[1]] = True
    is_held_out = is_held_out[copies]
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
