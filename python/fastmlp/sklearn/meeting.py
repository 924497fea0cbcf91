"""`Meeting`: fits that wait for others of their shape, and are trained side by side.

While a fit waits, its thread runs the next task, above it on the stack. A thread for each fit would
cost more: every switch takes Python to another processor, whose caches know nothing of it.
"""

import sys
import threading
from bisect import insort
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from operator import itemgetter
from queue import SimpleQueue
from typing import Any

import numpy as np

from fastmlp.sklearn.plain_fits import PlainFit, lanes_of, train

_MOST_VECTORS = 4
"""Of fits that one thread trains in one call."""

_Task = tuple[tuple[Any, ...], Callable[[], None]]
"""Its rank, and what it runs."""

_here = threading.local()
"""The `meeting` of this thread, if it runs a task of one."""


def current() -> "Meeting | None":
    """Return the meeting whose task this thread runs."""
    return getattr(_here, "meeting", None)


def computing() -> AbstractContextManager[None]:
    """Let other threads run Python while this one computes, or waits for one of them.

    Fits that begin meanwhile, as in callbacks, are no tasks of the meeting, and wait for no others.
    """
    meeting = current()
    return nullcontext() if meeting is None else meeting.computing()


class Closed(Exception):  # noqa: N818  (no error: nobody sees it)
    """Ends the tasks of a meeting whose results nobody waits for."""


class _Groups(dict[Hashable, list[PlainFit]]):
    """The fits that wait on one thread, by their shape."""

    def waiting(self) -> int:
        """Return how many those are."""
        return sum(map(len, self.values()))


class Meeting:
    """Tasks on threads, whose fits wait in `train` for those of later tasks.

    Parameters
    ----------
    n_threads : int
        How many threads run tasks. One of them runs Python, until it computes: where several
        compete for it, all are slower.
    most_waiting : int
        How many fits wait at once on each of them, at most.
    """

    def __init__(self, n_threads: int, most_waiting: int) -> None:
        self._groups = [_Groups() for _ in range(n_threads)]  # of each thread
        self._most_waiting = most_waiting
        self._python = threading.Lock()
        self._tasks: dict[Hashable, list[_Task]] = {}  # not begun, by their kind, the next first
        self._ends: SimpleQueue[bool] = SimpleQueue()  # of threads; false is a failure
        self._training: set[int] = set()  # threads
        self._closed = False

    def add(
        self, task: Callable[[], None], kind: Hashable = None, rank: tuple[Any, ...] = ()
    ) -> None:
        """Add a task, before `finish` or from within another one.

        Parameters
        ----------
        task : callable
            It must not raise.
        kind : hashable
            Equal for tasks whose fits are probably of one shape: these wait for each other.
        rank : tuple
            Those of a kind begin by rank. Where it is the learning rate, slow ones are trained side
            by side and end together, and the last ones are probably short; where it is the data,
            fewer data are in the cache at a time.
        """
        insort(self._tasks.setdefault(kind, []), (rank, task), key=itemgetter(0))

    def finish(self) -> None:
        """Run all tasks, and those that they add; return early if one fails."""
        used = self._groups[: sum(map(len, self._tasks.values()))]
        for groups in used:
            threading.Thread(target=self._work, args=(groups,), daemon=True).start()
        for _ in used:
            if not self._ends.get():
                return

    def fail(self) -> None:
        """Say that a task has failed: `finish` waits no longer."""
        self._ends.put(False)

    def close(self) -> None:
        """End the tasks that wait for others, and begin no more."""
        self._closed = True

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let other threads run Python; meanwhile, this one is not in the meeting."""
        self._python.release()
        _here.meeting = None
        try:
            yield
        finally:
            _here.meeting = self
            self._python.acquire()

    def train(self, fit: PlainFit) -> None:
        """Train a fit, as soon as enough of its shape have come to be trained side by side.

        If no others can come any more, those that have are trained.
        """
        key, lanes = lanes_of(fit)
        groups: _Groups = _here.groups
        groups.setdefault(key, []).append(fit)
        while not fit.is_trained:
            enough = self._enough(lanes)
            if len(groups[key]) < enough and self._run_another(groups, lanes):
                continue
            thread = threading.get_ident()
            with self.computing():
                self._training.add(thread)
                train(groups.pop(key))
                self._training.discard(thread)
        if fit.error is not None:
            raise fit.error

    def _enough(self, lanes: int) -> int:
        """Return how many fits are trained in one call.

        Some whole vectors of them, so that later ones take the lanes of those that end early. But
        at the end each thread gets its share, and if no other one is training they all wait for
        this one.
        """
        threads = len(self._groups)
        if lanes == 1 or (threads > 1 and not self._training):
            return lanes
        share = min(_MOST_VECTORS * lanes, self._coming() // (2 * threads))
        return max(lanes, share // lanes * lanes)

    def _coming(self) -> int:
        """Return how many fits are not being trained yet."""
        begun = sum(groups.waiting() for groups in self._groups)
        return begun + sum(map(len, self._tasks.values()))

    def _work(self, groups: _Groups) -> None:
        """Run tasks until there are none."""
        _here.meeting, _here.groups = self, groups
        _here.context, _here.errors = copy_context(), np.geterr()
        try:
            with self._python:
                while self._tasks and not self._closed:
                    self._run(next(iter(self._tasks)))
        finally:
            self._ends.put(True)

    def _run(self, kind: Hashable) -> None:
        """Run a task of a kind, in a context that no other has changed."""
        tasks = self._tasks[kind]
        _, task = tasks.pop(0)
        if not tasks:
            del self._tasks[kind]
        before, _here.kind = getattr(_here, "kind", None), kind
        with np.errstate(**_here.errors):  # NumPy before 2 has them by thread, not by context
            _here.context.copy().run(task)
        _here.kind = before

    def _run_another(self, groups: _Groups, lanes: int) -> bool:
        """Run a task while fits wait; False if it is not worth it, or there is none."""
        if self._closed:
            raise Closed
        # One lane takes as long as all. A fit by itself takes about twice its share of it, but then
        # all threads have one.
        is_few = 2 * self._coming() < lanes * len(self._groups)
        is_full = groups.waiting() >= self._most_waiting or _is_deep()
        if is_few or is_full or _here.kind not in self._tasks:
            return False
        self._run(_here.kind)
        return True


def _is_deep() -> bool:
    """Return whether half of the stack that Python allows is used."""
    frames, frame = 0, sys._getframe()
    while frame.f_back is not None:
        frames, frame = frames + 1, frame.f_back
    return 2 * frames > sys.getrecursionlimit()
