"""``mpiexec -n 4 fastmlp train``: the processes that a launcher of MPI has started."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastmlp._extras import require
from fastmlp.cli.train import Experiment, Settings
from fastmlp.fitting.ranks import Ranks
from fastmlp.settings.optimizers import AdamW

_SIZES: Final = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS: Final = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
"""What MPICH, Intel and MVAPICH, Open MPI, and Slurm tell the processes that they start."""


def reports() -> bool:
    """Return whether this process reports: the only one, or the first of several."""
    return _size() < 2 or _number(_RANKS, 0) == 0


def communicator() -> Any:
    """Return the communicator of several processes; None for a single one.

    Raises
    ------
    ImportError
        If mpi4py is not installed.
    ValueError
        If mpi4py uses another MPI than the launcher.
    """
    size = _size()
    if size < 2:
        return None
    require("mpi4py", "fastmlp train in several processes", "mpi")
    from mpi4py import MPI  # noqa: PLC0415  (starts MPI)

    comm = MPI.COMM_WORLD
    if comm.Get_size() != size:
        raise ValueError(
            f"{size} processes were started, but MPI sees {comm.Get_size()}: take the mpiexec of "
            "the MPI library that mpi4py uses"
        )
    return comm


def prepared(begin: Callable[[int], Experiment], settings: Settings, comm: Any) -> Experiment:
    """Return what `begin` returns for the threads of a rank; the others call `train_along`."""
    with Ranks(comm) as ranks:
        experiment = begin(ranks.threads(settings.threads or 0))
        ranks.of_rank_0(lambda: experiment.defaults)
    return experiment


def train_along(settings: Settings, comm: Any) -> None:
    """Take part in the training of rank 0, with the rows that it sends."""
    with Ranks(comm) as ranks:
        ranks.threads(settings.threads or 0)
        defaults: AdamW = ranks.of_rank_0(AdamW)
    settings.model(0, defaults).fit(None, comm=comm)


@contextmanager
def errors_of_ranks() -> Iterator[None]:
    """Make what ended the training on another rank an error that needs no traceback here."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if str(error).startswith("rank "):
            raise ValueError(str(error)) from None
        raise


def _size() -> int:
    return _number(_SIZES, 1)


def _number(names: tuple[str, ...], otherwise: int) -> int:
    """Return the first of these variables of the environment that is a number."""
    found = (os.environ.get(name, "") for name in names)
    return next((int(text) for text in found if text.isdigit()), otherwise)
