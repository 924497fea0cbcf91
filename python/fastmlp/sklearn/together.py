"""Many fits together: on threads of this process, which share data and the network's core.

A fit leaves the GIL while it computes, so that threads train in parallel, and each has the bits
that it has alone; those of one shape are trained side by side. Processes would have to start,
import and receive the data first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib._parallel_backends import FallbackToBackend, ThreadingBackend

from fastmlp import config
from fastmlp.sklearn import meeting

_MOST_THREADS = 64
"""Fits that are begun at once: enough for vectors of networks of a few shapes."""

_MOST_BYTES = 1 << 28
"""Of the features that these fits hold."""


class _Backend(ThreadingBackend):
    """joblib's threads, of which more are begun than run at once: the others wait in a meeting.

    It is for one `Parallel`, the first that uses it; others, as within the fit of the best
    candidate, get joblib's threads.
    """

    def __init__(self, most_threads: int) -> None:
        super().__init__(nesting_level=0)
        self._most_threads = most_threads
        self._meeting = meeting.Meeting(1, 1)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        at_once = super().effective_n_jobs(n_jobs)
        return at_once if at_once == 1 else max(at_once, self._most_threads)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **settings: Any) -> int:
        if getattr(self, "parallel", parallel) is not parallel:
            raise FallbackToBackend(ThreadingBackend(nesting_level=self.nesting_level))
        threads: int = super().configure(n_jobs, parallel, **settings)
        self._meeting = meeting.Meeting(super().effective_n_jobs(n_jobs), threads)
        return threads

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Any:
        return super().submit(self._meeting.add(func), callback)

    def apply_async(self, func: Callable[[], Any], callback: Any = None) -> Any:
        """`submit` of joblib before 1.5."""
        return super().apply_async(self._meeting.add(func), callback)

    def start_call(self) -> None:
        super().start_call()
        self._meeting.expect_more(more=True)

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        self._meeting.expect_more(more=False)
        with super().retrieval_context():
            yield

    def terminate(self) -> None:
        self._meeting.close()
        super().terminate()


@contextmanager
def on_threads(n_jobs: int | None, X: Any) -> Iterator[None]:
    """Make joblib's `Parallel` run its tasks on threads, and each fit on one of them.

    Parameters
    ----------
    n_jobs : int or None
        How many tasks run at once; None is the limit of threads of the process.
    X : array-like
        The features, of which a fit may hold a copy while it waits for others.
    """
    at_once = config.get_num_threads() if n_jobs is None else n_jobs
    threads = min(_MOST_THREADS, _MOST_BYTES // (8 * max(1, _size(X))))
    with parallel_config(backend=_Backend(threads), n_jobs=at_once):
        yield


def _size(X: Any) -> int:
    try:
        return int(np.size(X))
    except (TypeError, ValueError):  # the fits will refuse it
        return 0


def threads_of_a_fit(asked: int | None) -> int | None:
    """Return how many threads a fit may use, of those it was asked to; None is no limit."""
    return asked if meeting.current() is None else 1
