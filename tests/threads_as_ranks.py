"""A communicator whose ranks are threads of this process, with the methods that `fit` calls."""
# ruff: noqa: N802 (the names of mpi4py)

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class Arrived:
    """A request that is complete."""

    def Test(self) -> bool:
        return True


class ThreadComm:
    """One rank; all of them share the slots in which messages are passed."""

    def __init__(self, rank: int, slots: list[Any], barrier: threading.Barrier) -> None:
        self._rank, self._slots, self._barrier = rank, slots, barrier

    def Idup(self) -> "tuple[ThreadComm, Arrived]":
        return self, Arrived()

    def Is_inter(self) -> bool:
        return False

    def Free(self) -> None:
        pass

    def Get_rank(self) -> int:
        return self._rank

    def Get_size(self) -> int:
        return len(self._slots)

    def _exchange(self, mine: Any) -> list[Any]:
        """Return what all ranks have passed, when all have."""
        self._slots[self._rank] = mine
        self._barrier.wait(timeout=30)
        found = list(self._slots)
        self._barrier.wait(timeout=30)
        return found

    def Allgather(self, sent: np.ndarray, received: np.ndarray) -> None:
        received[...] = np.stack(self._exchange(sent.copy()))

    def Iallgather(self, sent: np.ndarray, received: np.ndarray) -> "Arrived":
        self.Allgather(sent, received)
        return Arrived()

    def Alltoallv(self, sent: list[Any], received: list[Any]) -> None:
        values, (counts, starts) = sent
        parts = [values[s : s + n].copy() for n, s in zip(counts, starts, strict=True)]
        into, (_, places) = received
        for place, part in zip(places, self._exchange(parts), strict=True):
            mine = part[self._rank]
            into[place : place + len(mine)] = mine

    def Allgatherv(self, sent: np.ndarray, received: list[Any]) -> None:
        into, (counts, starts) = received
        for n, start, part in zip(counts, starts, self._exchange(sent.copy()), strict=True):
            into[start : start + n] = part

    def allgather(self, value: Any) -> list[Any]:
        return [copy.deepcopy(each) for each in self._exchange(value)]

    def Allreduce(self, sent: np.ndarray, received: np.ndarray) -> None:
        first, *others = reversed(self._exchange(sent.copy()))  # in another order than ours
        received[...] = sum(others, first)

    def bcast(self, value: Any, root: int) -> Any:
        return copy.deepcopy(self._exchange(value)[root])

    def scatter(self, values: list[Any] | None, root: int) -> Any:
        return copy.deepcopy(self._exchange(values)[root][self._rank])


def on_ranks(size: int, run: Callable[[ThreadComm, int], Any]) -> list[Any]:
    """Return what `run(comm, rank)` returns on each of `size` ranks, or its exception."""
    slots, barrier = [None] * size, threading.Barrier(size)
    results: list[Any] = [None] * size

    def run_rank(rank: int) -> None:
        try:
            results[rank] = run(ThreadComm(rank, slots, barrier), rank)
        except BaseException as error:
            results[rank] = error
            if isinstance(error, threading.BrokenBarrierError):
                raise

    threads = [threading.Thread(target=run_rank, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def parts(rows: list[int], *arrays: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Return the part of each rank, of each array."""
    cuts = np.cumsum(rows)[:-1]
    return list(zip(*(np.split(array, cuts) for array in arrays), strict=True))
