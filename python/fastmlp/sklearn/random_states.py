"""`random_state` of an estimator, as what its fit draws from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from sklearn.utils import check_random_state

_IDLE: Final[list[np.random.RandomState]] = []
"""Those that no fit draws from. Creating one takes longer than small steps, as NumPy asks the
system for a seed first; seeding takes far less.
"""

_MOST_IDLE: Final = 16


@contextmanager
def drawing(random_state: int | np.random.RandomState | None) -> Iterator[np.random.RandomState]:
    """Lend what `random_state` means to scikit-learn, only for the time of a ``with`` statement."""
    if type(random_state) is not int:
        yield check_random_state(random_state)
        return
    try:
        lent = _IDLE.pop()
    except IndexError:
        lent = np.random.RandomState()
    try:
        lent.seed(random_state)
        yield lent
    finally:
        if len(_IDLE) < _MOST_IDLE:
            _IDLE.append(lent)
