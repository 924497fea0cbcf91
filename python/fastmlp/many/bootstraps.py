"""Bootstraps: samples drawn with replacement, class by class."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_PURPOSE: Final = 2
"""The second word of Philox's key, so that no other draws of a seed are the same."""


class Bootstraps(list[NDArray[np.intp]]):
    """`rows` for `train_many`, of which `validation_fraction` holds out all copies of one or none.

    A network would be measured on samples that it trains on otherwise.
    """


def bootstrap(classes: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """Draw as many rows as there are, with replacement within each class.

    Row i of the result is of the class of row i. The draws depend on the arguments only: Philox
    (Salmon et al., 2011) gives the same numbers in every version of NumPy.

    Parameters
    ----------
    classes : ndarray of int, shape (n,)
        The class of each row; all 0 for numbers.
    seed : int
        In [0, 2^64).
    """
    raw = np.random.Philox(key=np.array([seed, _PURPOSE], np.uint64)).random_raw(len(classes))
    uniform = (raw >> np.uint64(32)).astype(np.uint64)
    rows = np.empty(len(classes), np.intp)
    for label in np.unique(classes):
        of_class = np.flatnonzero(classes == label)
        drawn = uniform[of_class] * np.uint64(len(of_class)) >> np.uint64(32)
        rows[of_class] = of_class[drawn.astype(np.intp)]
    return rows
