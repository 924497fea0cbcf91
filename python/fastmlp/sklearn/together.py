"""Many fits together: on threads of this process, which share data and the network's core.

A fit leaves the GIL while it computes, so that threads train in parallel, and each has the bits
that it has alone. Processes would have to start, import and receive the data first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from joblib import parallel_config

from fastmlp import config

_lock = threading.Lock()
_limits: list[int] = []


@contextmanager
def on_threads(n_jobs: int | None) -> Iterator[None]:
    """Make joblib's `Parallel` run its tasks on threads, and each fit on one of them.

    Parameters
    ----------
    n_jobs : int or None
        How many tasks run at once; None is the limit of threads of the process.
    """
    at_once = config.get_num_threads() if n_jobs is None else n_jobs
    with parallel_config(backend="threading", n_jobs=at_once):
        if at_once == 1:
            yield
            return
        with _lock:
            _limits.append(1)
        try:
            yield
        finally:
            with _lock:
                _limits.remove(1)


def threads_of_a_fit(asked: int | None) -> int | None:
    """Return how many threads a fit may use, of those it was asked to; None is no limit."""
    return 1 if _limits else asked
