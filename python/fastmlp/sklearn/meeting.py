"""`Meeting`: fits on threads that wait for others of their shape, and are trained side by side."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from fastmlp.sklearn.plain_fits import PlainFit, lanes_of, train

_here = threading.local()
"""The `meeting` of this thread, if it runs a task of one."""


def current() -> "Meeting | None":
    """Return the meeting whose task this thread runs."""
    return getattr(_here, "meeting", None)


@contextmanager
def apart() -> Iterator[None]:
    """Let fits of this thread wait for no others, as others may wait for this thread."""
    meeting, _here.meeting = current(), None
    try:
        yield
    finally:
        _here.meeting = meeting


def computing() -> AbstractContextManager[None]:
    """Let others run Python while this thread computes, as soon as it may."""
    meeting = current()
    return nullcontext() if meeting is None else meeting.computing()


def waiting() -> AbstractContextManager[None]:
    """Let others run Python while this thread waits for one of them."""
    meeting = current()
    return nullcontext() if meeting is None else meeting.waiting()


class Closed(Exception):  # noqa: N818  (no error: nobody sees it)
    """Ends the tasks of a meeting whose results nobody waits for."""


class _Seat:
    """A fit that waits for others, with which it fills `lanes`."""

    def __init__(self, fit: PlainFit, lanes: int) -> None:
        self.fit = fit
        self.lanes = lanes
        self.called = threading.Event()
        self.leads: list[_Seat] = []  # those it is to train, itself among them
        self.error: BaseException | None = None


class Meeting:
    """Tasks on threads, of which one runs Python and some compute, while others wait in `train`.

    Python runs on one thread at a time in any case, and is slower where several compete for it.

    Parameters
    ----------
    at_once : int
        How many compute at once.
    threads : int
        How many are begun at once, whether they run or wait.
    """

    def __init__(self, at_once: int, threads: int) -> None:
        self._python = threading.Semaphore(1)
        self._computing = threading.Semaphore(at_once)
        self._at_once = at_once
        self._threads = threads
        self._lock = threading.Lock()
        self._groups: dict[Hashable, list[_Seat]] = {}
        self._queued = self._begun = self._waiting = 0
        self._more_to_come = False
        self._closed = False

    def expect_more(self, *, more: bool) -> None:
        """Say whether tasks will be added, for which those that wait then wait, too."""
        with self._lock:
            self._more_to_come = more
            self._call_if_idle()

    def add(self, task: Callable[[], Any]) -> Callable[[], Any]:
        """Return a task as a thread has to run it."""
        with self._lock:
            self._queued += 1

        def run() -> Any:
            with self._lock:
                self._queued -= 1
                self._begun += 1
            _here.meeting = self
            try:
                with self._python:
                    return task()
            finally:
                _here.meeting = None
                with self._lock:
                    self._begun -= 1
                    self._call_if_idle()

        return run

    def close(self) -> None:
        """End the tasks that wait."""
        with self._lock:
            self._closed = True
            for group in self._groups.values():
                for seat in group:
                    seat.error = Closed()
                    self._call(seat)
            self._groups.clear()

    def train(self, fit: PlainFit) -> None:
        """Train a fit, as soon as as many of its shape have come as are trained side by side.

        If no others can come any more, those that have are trained.
        """
        key, lanes = lanes_of(fit)
        if key is None:
            with self.computing():
                train([fit])
            return
        seat = _Seat(fit, lanes)
        with self._lock:
            if self._closed:
                raise Closed
            group = self._groups.setdefault(key, [])
            group.append(seat)
            if len(group) >= lanes:
                seat.leads = self._groups.pop(key)
            else:
                self._waiting += 1
                self._call_if_idle()
        if not seat.leads:
            with self.waiting():
                seat.called.wait()
        if seat.leads:
            self._lead(seat)
        if seat.error is not None:
            raise seat.error

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let another thread run Python."""
        self._python.release()
        try:
            yield
        finally:
            self._python.acquire()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Do so, as one of those that compute at once."""
        with self.waiting(), self._computing:
            yield

    def _lead(self, seat: _Seat) -> None:
        """Train a group, and call the others of it."""
        error: BaseException | None = None
        try:
            with self.computing():
                train([each.fit for each in seat.leads])
        except BaseException as its:  # noqa: BLE001  (each of them raises it)
            error = its
        with self._lock:
            for each in seat.leads:
                each.error = error
                if each is not seat:
                    self._call(each)

    def _call(self, seat: _Seat) -> None:
        self._waiting -= 1
        seat.called.set()

    def _call_if_idle(self) -> None:
        """Let groups train that nobody can join any more: all tasks that can have begun wait."""
        startable = min(self._queued, self._threads - self._begun)
        if self._more_to_come or self._begun > self._waiting or startable > 0:
            return
        waiting = sum(len(group) for group in self._groups.values())
        for group in self._groups.values():
            # One lane takes as long as all. A fit by itself takes about twice its share of it, but
            # then all threads have one.
            is_few = 2 * waiting < group[0].lanes * self._at_once
            for part in [[seat] for seat in group] if is_few else [group]:
                part[0].leads = part
                self._call(part[0])
        self._groups.clear()
