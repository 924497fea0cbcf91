"""Many fits together: on threads of this process, which share data and the network's core.

A fit leaves the GIL while it computes, so that threads train in parallel, and each has the bits
that it has alone; those of one shape are trained side by side. Processes would have to start,
import and receive the data first.
"""

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib._parallel_backends import FallbackToBackend, ThreadingBackend

from fastmlp import config
from fastmlp.sklearn import meeting

_MOST_WAITING = 32
"""Fits that wait at once on each thread: four vectors of 512 bits in float64, two in float32."""

_MOST_BYTES = 1 << 28
"""Of the features that these fits hold."""


class _Outcome(Future[Any]):
    """What a task returns, as joblib asks for it."""

    def get(self, timeout: float | None = None) -> Any:
        """Return it, or raise its exception."""
        return self.result(timeout)


class _Pool:
    """Tasks of one kind and rank in a meeting, to joblib a pool of `multiprocessing`."""

    def __init__(self, tasks: meeting.Meeting, kind: Hashable, rank: tuple[Any, ...]) -> None:
        self._meeting = tasks
        self._kind = kind
        self._rank = rank

    def apply_async(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        *,
        callback: Callable[[Any], object],
        error_callback: Callable[[Any], object] | None = None,
    ) -> _Outcome:
        """Add a task; one of both callbacks gets what it returns or raises."""
        outcome = _Outcome()

        def task() -> None:
            try:
                result, tell = function(*arguments), callback
                outcome.set_result(result)
            except BaseException as error:  # noqa: BLE001  (joblib raises it)
                result, tell = error, error_callback or callback
                outcome.set_exception(error)
            tell(result)

        self._meeting.add(task, self._kind, self._rank)
        return outcome

    def close(self) -> None:
        """Do nothing: joblib closes pools before it terminates them."""

    def terminate(self) -> None:
        """Begin no more tasks."""
        self._meeting.close()


class _Backend(ThreadingBackend):
    """joblib's threads, which begin later tasks while fits wait for them in a meeting.

    It is for one `Parallel`, the first that uses it; others, as within the fit of the best
    candidate, get joblib's threads.
    """

    def __init__(
        self,
        most_copies: int,
        kind: Callable[..., Hashable],
        rank: Callable[..., tuple[Any, ...]],
    ) -> None:
        super().__init__(nesting_level=0)
        self._most_copies = most_copies  # of the features
        self._kind, self._rank = kind, rank
        self._meeting = meeting.Meeting(1, 1)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        at_once = super().effective_n_jobs(n_jobs)
        return at_once if at_once == 1 else at_once * _MOST_WAITING  # that many are dispatched

    def configure(self, n_jobs: int = 1, parallel: Any = None, **settings: Any) -> int:
        if getattr(self, "parallel", parallel) is not parallel:
            raise FallbackToBackend(ThreadingBackend(nesting_level=self.nesting_level))
        at_most: int = super().configure(n_jobs, parallel, **settings)
        return at_most

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Any:
        return super().submit(self._task(func), callback)

    def apply_async(self, func: Callable[[], Any], callback: Any = None) -> Any:
        """`submit` of joblib before 1.5."""
        return super().apply_async(self._task(func), callback)

    def start_call(self) -> None:
        super().start_call()
        at_once = super().effective_n_jobs(self.parallel.n_jobs)
        self._meeting = meeting.Meeting(at_once, min(_MOST_WAITING, self._most_copies // at_once))

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        self._meeting.finish()
        with super().retrieval_context():
            yield

    def _task(self, func: Any) -> Callable[[], Any]:
        """Prepare the pool for a task, which joblib gives it then."""
        [(_, arguments, named), *_] = func.items
        kind, rank = self._kind(*arguments, **named), self._rank(*arguments, **named)
        self._pool = _Pool(self._meeting, kind, rank)

        def run() -> Any:
            try:
                return func()
            except BaseException:
                self._meeting.fail()  # joblib raises it at once
                raise

        return run


@contextmanager
def on_threads(
    n_jobs: int | None,
    X: Any,
    kind: Callable[..., Hashable] = lambda *_, **__: None,
    rank: Callable[..., tuple[Any, ...]] = lambda *_, **__: (),
) -> Iterator[None]:
    """Make joblib's `Parallel` run its tasks on threads, and each fit on one of them.

    Parameters
    ----------
    n_jobs : int or None
        How many tasks run at once; None is the limit of threads of the process.
    X : array-like
        The features, of which a fit may hold a copy while it waits for others.
    kind : callable
        Returns something equal for tasks whose networks are probably of one shape, from their
        arguments.
    rank : callable
        Returns by what the tasks of one kind are sorted, from their arguments.
    """
    at_once = config.get_num_threads() if n_jobs is None else n_jobs
    copies = _MOST_BYTES // (8 * max(1, _size(X)))
    with parallel_config(backend=_Backend(copies, kind, rank), n_jobs=at_once):
        yield


def _size(X: Any) -> int:
    try:
        return int(np.size(X))
    except (TypeError, ValueError):  # the fits will refuse it
        return 0


def threads_of_a_fit(asked: int | None) -> int | None:
    """Return how many threads a fit may use, of those it was asked to; None is no limit."""
    return asked if meeting.current() is None else 1
