"""Trainings of `train_many` that something follows after each epoch.

A round is a call of the core that trains all networks for an epoch, with the steps of their own
``fit``, and then the work that the `FitLoop` of each does after it. Where epochs are short, and
networks too few for the lanes of a vector, waking the threads for each round takes longer than the
threads save: they are then trained one after another, if nobody follows them together.
"""

import time
from typing import Any

from fastmlp.many.following import Following
from fastmlp.many.jobs import Job, share_lanes, train_function

_FEW = 16
"""Networks: more of them are always trained together."""

_SHORT = 1e-3
"""Seconds in which all train an epoch: threads that take turns with Python may not be worth it."""


def train_in_rounds(jobs: list[Job], epochs: int, n_threads: int, following: Following) -> None:
    """Train all networks epoch by epoch; a few that are quicker alone, one after another."""
    for job in jobs:
        job.own = job.scaled_part()
        job.followed.begin()
    following.fit_begins()
    left, pace = jobs, _Pace()
    for epoch in range(min(job.followed.epochs_done for job in jobs), epochs):
        if not following.follows and pace.is_slower_than_alone(left, n_threads):
            for job in left:
                job.train_alone(epochs)
            break
        due = [job for job in left if job.followed.epochs_done <= epoch]
        if not due:
            continue  # of those that resumed, the next begins later
        following.epoch_begins(epoch + 1)
        for job in jobs:
            job.report = None
        ended = _train_epoch(due, epoch, n_threads, pace)
        ended |= _stopped(jobs, following.epoch_ends(epoch + 1), ended)
        left = [job for job in left if id(job) not in ended]
        if not left:
            break
    for job in jobs:
        job.end()
    following.fit_ends()


def _train_epoch(jobs: list[Job], epoch: int, n_threads: int, pace: "_Pace") -> set[int]:
    """Train some networks for an epoch; return the ids of the jobs that end with it."""
    start = time.perf_counter()
    train = train_function(jobs[0].model)
    outcomes = train([job.core_job_of(epoch) for job in jobs], n_threads)
    pace.add_round(time.perf_counter() - start, outcomes)
    return {id(job) for job, got in zip(jobs, outcomes, strict=True) if not job.take(got)}


def _stopped(jobs: list[Job], stops: list[bool], ended: set[int]) -> set[int]:
    """Stop those networks that what follows all of them stops; return the ids of their jobs."""
    stopped = {id(job): job for job, each in zip(jobs, stops, strict=True) if each}
    for i, job in stopped.items():
        if i not in ended:
            job.followed.stop("callback")
    return {*stopped}


class _Pace:
    """How long the rounds take, and the epochs of the networks in them."""

    def __init__(self) -> None:
        self._rounds, self._seconds, self._trained = 0, 0.0, 0.0

    def add_round(self, seconds: float, outcomes: list[Any]) -> None:
        """Add a round by the clock, and what the core said of each network."""
        self._rounds += 1
        self._seconds += seconds
        self._trained += sum(each[0].seconds for each in outcomes if not isinstance(each, tuple))

    def is_slower_than_alone(self, jobs: list[Job], n_threads: int) -> bool:
        """Return whether jobs are quicker one after another: each with the threads of a ``fit``."""
        if len(jobs) > _FEW:
            return False
        is_short = 0 < self._trained < _SHORT * self._rounds
        save_nothing = is_short and self._seconds > self._trained
        return (n_threads == 1 or len(jobs) == 1 or save_nothing) and not share_lanes(jobs)
