"""`Ranks`: the processes of an MPI communicator, each with a part of the samples of one fit.

Every exchange begins with a meeting, in which each rank says how it is and what it is about to do.
Thus an error on one rank ends the fit on all of them at the next meeting, instead of leaving the
others waiting. Sums are added in the order of the ranks, which no collective of MPI promises.

Ranks on one machine add the gradients of a step in memory that they share, without messages.

Only methods of the communicator are used: MPI is started by whoever created it.
"""

import os
import platform
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.config import environment_limits_threads, get_num_threads
from fastmlp.data.moments import ColumnMoments
from fastmlp.errors import level_of_caller
from fastmlp.fitting import shared_errors, shared_memory
from fastmlp.fitting.interrupts import Interrupts
from fastmlp.fitting.ordered_sums import OrderedSums, in_order
from fastmlp.model import saving
from fastmlp.model.model import Core, Model

_METHODS: Final = (
    *("Is_inter", "Idup", "Get_rank", "Get_size", "bcast", "scatter", "allgather"),
    *("Allgather", "Alltoallv", "Allgatherv", "Allreduce", "Iallgather"),
)

_Value = TypeVar("_Value")

_abandoned: Final[list[Any]] = []
"""To which another rank did not come: MPI may still write to their arrays."""

_WELL, _FAILED = 0.0, 1.0
_START, _ROWS, _STEP, _VALIDATION, _STOP, _EPOCH, _END, _SHARE, _GATHER = range(9)
_WHAT: Final = (
    "the start",
    "the count of the samples",
    "a step",
    "a validation",
    "a decision to stop",
    "the end of an epoch",
    "the end",
    "what rank 0 has read",
    "what all ranks have",
)


class Ranks:
    """The ranks of a fit, as a context manager: an exception inside it ends the fit on all ranks.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Duplicated, so that messages of other parts of a program are not mixed up with ours.
    reduction : {"ordered", "mpi"}
        How gradients are added: in the order of the ranks, or by ``Allreduce`` of the library.

    Attributes
    ----------
    rank, size : int
        Of this process, and the number of them.
    rows : list of int
        The samples of each rank, known after `start`.

    Raises
    ------
    TypeError, ValueError
        If `comm` is no communicator of one group of processes.
    """

    def __init__(self, comm: Any, reduction: str = "ordered") -> None:
        if isinstance(comm, type) or not all(hasattr(comm, name) for name in _METHODS):
            raise TypeError(
                "comm must be a communicator of mpi4py, like MPI.COMM_WORLD, or None, "
                f"got {_validation.described(comm)}"
            )
        if not comm or comm.Is_inter():
            raise ValueError(
                "comm must be an intracommunicator that has not been freed, "
                f"got {_validation.described(comm)}"
            )
        self._comm = comm
        self._reduction = reduction
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.rows = [0] * self.size
        self._mine, self._all = np.zeros(4), np.zeros((self.size, 4))
        self._interrupts = Interrupts()
        self._has_ended = self._has_left = False
        self._shared: NDArray[np.uint64] | None = None

    def __enter__(self) -> Self:
        self._interrupts.hold()
        self._comm, duplicated = self._comm.Idup()
        try:
            self._wait(duplicated, self._warn_of_absence)
        except BaseException:
            self._interrupts.release()
            raise
        self._sums = OrderedSums(self._comm, self.rank, self.size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None and not self._interrupts.came:
                self._agree(_END, 0.0, 0.0)  # another rank may have failed meanwhile
            elif not self._has_ended:
                failure = KeyboardInterrupt() if error is None else error
                if self._shared is not None:  # those who wait there then come to the meeting
                    self._shared[8 * self.rank + 1] = 1
                self._meet(_FAILED, _END, 0.0, 0.0)
                self._tell(failure)
                if self.size > 1:
                    failure.add_note(f"It ended the fit on all ranks; this is rank {self.rank}.")
                if error is None:
                    raise failure
        finally:
            self._interrupts.release()
            if not self._has_left:
                self._comm.Free()

    def share(self, model: Model, settings: Mapping[str, object]) -> None:
        """Meet before anything else: the network becomes that of rank 0.

        Parameters
        ----------
        model : Model
            Must have the same layers and loss on all ranks.
        settings : mapping of str to object
            Of the fit, by name; their texts must be the same on all ranks.

        Raises
        ------
        ValueError
            If they are not.
        """
        of_network = {**saving.architecture(model), "feature_names": model.feature_names}
        self.refuse_others({**settings, **of_network, "reduction": self._reduction})
        without_loss = {"loss_function": None}  # that of a user may not be picklable
        mine = saving.to_state(model, {}) | without_loss if self.rank == 0 else None
        state = self._comm.bcast(mine, root=0)
        if self.rank > 0:
            own_loss = {"loss_function": model.loss.function}
            model.core.assign(saving.from_state(state | own_loss)[0].core)  # type: ignore[arg-type]

    def start(self, rows: int, weight: float, held_out: float | None) -> int:
        """Meet before the first step; return the samples of all ranks.

        Parameters
        ----------
        rows : int
            The samples of this rank.
        weight : float
            The sum of their weights.
        held_out : float or None
            The sum of the weights of its validation samples, if there are any on all ranks.

        Raises
        ------
        ValueError
            If all of them are 0.
        """
        found = self._agree(_ROWS, float(rows), weight)
        self.rows = [int(n) for n in found[:, 0]]
        if not any(self.rows):
            raise self._together(ValueError("X has 0 rows on every rank; at least one must have 1"))
        if not found[:, 1].any():
            raise self._together(ValueError("sample_weight is 0 for every sample of every rank"))
        if held_out is not None and not self._agree(_ROWS, held_out, 0.0)[:, 0].any():
            raise self._together(
                ValueError("every rank has 0 samples to validate on, or only those of weight 0")
            )
        return sum(self.rows)

    def refuse_others(self, described: Mapping[str, object]) -> None:
        """Meet with descriptions by name, whose texts must be the same on all ranks.

        Raises
        ------
        ValueError
            If they are not; the message has the names of those that differ.
        """
        texts = {name: str(value) for name, value in described.items()}
        found = self._agree(_START, float(zlib.crc32(str(texts).encode())), 0.0)[:, 0]
        different = np.flatnonzero(found != found[0])
        if different.size:
            other = int(different[0])
            each = self.gathered(texts)
            first, theirs = each[0], each[other]
            names = [name for name in first | theirs if first.get(name) != theirs.get(name)]
            if names[0] == "the method":  # from which the others follow
                names = [f"the method ({first.get(names[0])}, {theirs.get(names[0])})"]
            raise self._together(
                ValueError(
                    f"{', '.join(names)} must be the same on all ranks, "
                    f"those of rank {other} differ from those of rank 0"
                )
            )

    def of_rank_0(self, make: Callable[[], _Value]) -> _Value:
        """Return what `make` returns on rank 0; on others it is not called."""
        made = make() if self.rank == 0 else None
        self._agree(_SHARE, 0.0, 0.0)
        value: _Value = self._comm.bcast(made, root=0)
        return value

    def scattered(self, make: Callable[[], list[_Value]]) -> _Value:
        """Return the value for this rank of those that `make` returns on rank 0."""
        made = make() if self.rank == 0 else None
        self._agree(_SHARE, 0.0, 0.0)
        value: _Value = self._comm.scatter(made, root=0)
        return value

    def gathered(self, value: _Value) -> list[_Value]:
        """Return the values of all ranks, in their order."""
        self._agree(_GATHER, 0.0, 0.0)
        return list(self._comm.allgather(value))

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums over all ranks, in their order; what is missing at an end is 0."""
        every = self.gathered(values)
        padded = np.zeros((self.size, max(map(len, every))))
        for row, part in zip(padded, every, strict=True):
            row[: len(part)] = part
        return in_order(padded)

    def weights(self, mine: NDArray[Any] | None) -> NDArray[Any] | None:
        """Return which samples of all ranks count, as weights of 0 and 1; None if all may."""
        counting = None if mine is None else np.packbits(mine > 0)
        each = self.gathered((counting, None if mine is None else mine.dtype))
        dtype = next((found for _, found in each if found is not None), None)
        if dtype is None:
            return None
        whole = [
            np.ones(rows, dtype) if bits is None else np.unpackbits(bits, count=rows).astype(dtype)
            for (bits, _), rows in zip(each, self.rows, strict=True)
        ]
        return np.concatenate(whole)

    def moments(self, mine: ColumnMoments) -> ColumnMoments:
        """Return the moments of the rows of all ranks, merged in their order."""
        first, *others = self.gathered(mine)
        for other in others:
            first.merge(other)
        return first

    def share_memory(self, size: int) -> int:
        """Return the address of `size` bytes that all ranks map, zeroed; 0 if there are none.

        There are none if ranks run on other machines. The memory is there as long as this object.
        """
        if self.size == 1 or self._reduction == "mpi":
            return 0
        with nullcontext() if self.rank > 0 else shared_memory.created(size) as own:
            self._shared = shared_memory.opened(self.of_rank_0(lambda: own), size)
            everywhere = all(self.gathered(self._shared is not None))
        if self._shared is None or not everywhere:
            self._shared = None
            return 0
        return int(self._shared.ctypes.data)

    def check(self, ended: bool) -> None:
        """Raise what ended the fit on another rank, or a Ctrl-C that came between two steps."""
        if ended:
            self._agree(_STEP, 0.0, 0.0)
        if self._interrupts.came:
            raise KeyboardInterrupt

    def add(self, gradients: NDArray[Any], sums: NDArray[np.float64]) -> None:
        """Replace the gradients and sums of a step by those of all ranks."""
        found = self._agree(_STEP, sums[0], sums[1])
        sums[:2] = in_order(found)
        if len(sums) > 2:  # losses of heads
            self._sums.add("heads", sums[2:])
        if self._reduction == "mpi":
            self._sums.add_by_library(gradients)
        else:
            self._sums.add("gradients", gradients)

    def mean(self, weight: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the means over all ranks of what each has measured on samples of this weight."""
        if self.size == 1:
            return values
        whole = in_order(self._agree(_VALIDATION, weight, 0.0))[0]
        weighted = weight * values if weight > 0 else np.zeros_like(values)
        self._sums.add("mean", weighted)
        mean: NDArray[np.float64] = weighted / whole
        return mean

    def any_stops(self, stops: bool) -> bool:
        """Return whether any rank stops."""
        return bool(self._agree(_STOP, float(stops), 0.0)[:, 0].any())

    def end_epoch(self, core: Core) -> None:
        """Compare the parameters and running statistics of all ranks.

        Raises
        ------
        RuntimeError
            If they differ, as after a callback that changed those of one rank.
        """
        mine = float(zlib.crc32(core.parameters.data)), float(zlib.crc32(core.statistics.data))
        found = self._agree(_EPOCH, *mine)
        other = np.flatnonzero((found != found[0]).any(axis=1))
        if other.size:
            raise self._together(
                RuntimeError(
                    f"rank {other[0]} has other parameters than rank 0 at the end of an epoch: "
                    "did a callback or a learning rate of its own change them?"
                )
            )

    def threads(self, n_threads: int) -> int:
        """Return the limit of threads; without one (0) ranks on the same cores share them."""
        cores = str(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ""
        place = float(zlib.crc32(f"{platform.node()} {cores}".encode()))
        here = self._agree(_START, place, 0.0)[:, 0] == place
        if n_threads or environment_limits_threads():
            return n_threads
        return max(1, get_num_threads() // int(here.sum()))

    def _agree(self, what: int, first: float, second: float) -> NDArray[np.float64]:
        """Meet all ranks, which should be about to do the same; return the numbers of each."""
        if self._interrupts.came:
            raise KeyboardInterrupt
        self._meet(_WELL, what, first, second)
        failed = np.flatnonzero(self._all[:, 0] == _FAILED)
        if failed.size:
            self._has_ended = True
            rank = int(failed[0])
            raise shared_errors.received(rank, *self._comm.bcast(None, root=rank))
        other = np.flatnonzero(self._all[:, 1] != self._all[0, 1])
        if other.size:
            doing = [_WHAT[int(self._all[rank, 1])] for rank in (0, other[0])]
            raise self._together(
                RuntimeError(f"rank 0 is at {doing[0]}, rank {other[0]} at {doing[1]}")
            )
        return self._all[:, 2:]

    def _meet(self, status: float, what: int, first: float, second: float) -> None:
        self._mine[:] = status, what, first, second
        self._wait(self._comm.Iallgather(self._mine, self._all))

    def _wait(self, request: Any, on_late: Callable[[], None] = lambda: None) -> None:
        """Wait for all ranks; if they do not come after a Ctrl-C, leave without them."""
        has_come = False
        try:
            has_come = self._interrupts.wait(request.Test, on_late)
        finally:
            if not has_come:
                self._has_ended = self._has_left = True
                _abandoned.append((request, self._comm, self._mine, self._all))
        if not has_come:
            raise KeyboardInterrupt("another rank did not answer")

    def _warn_of_absence(self) -> None:
        warnings.warn(
            f"rank {self.rank} of {self.size} still waits for other ranks of comm: each of them "
            "must call the same method",
            UserWarning,
            stacklevel=level_of_caller(),
        )

    def _together(self, error: BaseException) -> BaseException:
        """Return an error that all ranks raise by themselves."""
        self._has_ended = True
        return error

    def _tell(self, error: BaseException) -> None:
        """Describe an error to the other ranks; they learn of the lowest rank that failed."""
        failed = int(np.flatnonzero(self._all[:, 0] == _FAILED)[0])
        self._comm.bcast(shared_errors.sent(error), root=failed)
