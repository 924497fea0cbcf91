"""Checkpoints: all that a training needs to go on, in one file, to the same bits.

The file is an archive of `fastmlp.files`: a model file, and beside it what the optimizer remembers
and how far the fit has come. It appears as a whole or not at all, so that a run that is killed at
any moment finds its last checkpoint, and ends with the weights of a run that was not.
"""

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation, files
from fastmlp.callbacks import Callback
from fastmlp.errors import ModelFormatError
from fastmlp.views import Core, refuse_while_fitting

if TYPE_CHECKING:
    from fastmlp.course import Course
    from fastmlp.history import EpochReport
    from fastmlp.network import Network

_KEY = "checkpoint"
_MOMENTS = ("optimizer.first", "optimizer.second")


class Checkpoint(Callback):
    """Save a fit as it goes, and go on from there when the same program is started again.

    ``fit(..., checkpoint=Checkpoint(path))`` saves after every so many epochs and after the last.
    Where the file exists already, the fit goes on behind its last saved epoch: with the same
    arguments, and the same data, it ends with the bits of a fit that was never interrupted. More
    epochs than before are allowed, unless the learning rate depends on how many there are. An epoch
    that ends with numbers that are not finite is not saved.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    every : int, default 1
        Epochs between two saves, at least 1.
    resume : bool, default True
        Whether to go on from a file that exists; False begins anew and replaces it.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.
    """

    def __init__(self, path: files.Path, every: int = 1, *, resume: bool = True) -> None:
        self.path = files.checked_path(path)
        self.every = _validation.integer("every", every, minimum=1)
        self.resume = _validation.switch("resume", resume)
        self._course: Course | None = None
        self._fit: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Checkpoint({os.fsdecode(self.path)!r}, every={self.every}, resume={self.resume})"

    def begin(self, network: "Network", course: "Course", fit: dict[str, Any]) -> None:
        """Join a fit whose settings are `fit`; go on where the file's fit stood, if there is one.

        Raises
        ------
        ModelFormatError
            If the file is damaged.
        ValueError
            If the file is of another network or another fit; nothing has changed then.
        """
        self._course, self._fit = course, fit | {"network": repr(network)}
        files.refuse_unwritable(self.path)
        if not self.resume or not os.path.exists(self.path):  # noqa: PTH110  (path may be bytes)
            return
        core, tensors, saved = _read(self.path)
        name = os.fsdecode(self.path)
        if "course" not in saved:
            raise ValueError(f"checkpoint {name!r} was not saved by a fit: it cannot go on")
        for key, value in self._fit.items():
            if saved["fit"].get(key) != value:
                raise ValueError(
                    f"checkpoint {name!r} is of another fit: {key} was {saved['fit'].get(key)}, "
                    f"now it is {value}; remove the file, or say Checkpoint(path, resume=False)"
                )
        network._core.assign(core)  # type: ignore[arg-type]  # noqa: SLF001
        course.restore(saved["course"], tensors)

    def on_epoch_end(self, network: "Network", report: "EpochReport") -> None:
        """Save, if it is time."""
        if report.epoch % self.every == 0 or report.epoch == report.epochs:
            self._save(network)

    def on_fit_end(self, network: "Network", history: object) -> None:  # noqa: ARG002
        """Save once more: early stopping may have ended the fit."""
        self._save(network)

    def _save(self, network: "Network") -> None:
        core = network._core  # noqa: SLF001
        if not _is_finite(core):
            return  # nothing to go on from: the file stays at the last epoch that is
        assert self._course is not None
        values, tensors = self._course.state()
        _write(self.path, core, {"fit": self._fit, "course": values}, tensors)


def save_checkpoint(core: Core, path: files.Path) -> None:
    """Write what ``Network.save_checkpoint`` documents."""
    refuse_while_fitting(core, "save the network")
    if not _is_finite(core):
        raise ValueError("parameters or what the optimizer remembers are not finite")
    _write(files.checked_path(path), core, {}, {})


def _is_finite(core: Core) -> bool:
    _, *moments, _ = core.optimizer_state
    state = (core.parameters, core.statistics, *(m for m in moments if m is not None))
    return all(np.isfinite(part).all() for part in state)


def load_checkpoint(path: files.Path) -> "Network":
    """Read a network from a checkpoint, with all that it needs to train on to the same bits.

    Parameters
    ----------
    path : str or os.PathLike
        A file that `Network.save_checkpoint` or a `Checkpoint` wrote.

    Returns
    -------
    Network
        With its parameters, seed and epoch, and with what its optimizer remembers: another
        ``fit`` with the same optimizer goes on where that one stood.

    Raises
    ------
    ModelFormatError
        If the file is damaged or no checkpoint.
    TypeError
        If `path` is not a path.
    OSError
        If the system refuses, with errno and the file's name.
    """
    from fastmlp.network import Network  # noqa: PLC0415  (it imports this module)

    core, _, _ = _read(files.checked_path(path))
    return Network._of_core(core)  # noqa: SLF001


def read_checkpoint(value: object) -> Checkpoint | None:
    """Return what ``fit`` was given as `checkpoint`; a path stands for ``Checkpoint(path)``."""
    if value is None or isinstance(value, Checkpoint):
        return value
    if isinstance(value, str | bytes | os.PathLike):
        return Checkpoint(value)
    raise TypeError(
        f"checkpoint must be a path, a Checkpoint or None, got {_validation.described(value)}"
    )


def _write(
    path: str | bytes, core: Core, about: dict[str, Any], extra: dict[str, NDArray[Any]]
) -> None:
    tensors, metadata = core.to_archive()
    kind, *moments, steps = core.optimizer_state
    for name, moment in zip(_MOMENTS, moments, strict=True):
        if moment is not None:
            tensors[name] = moment
    metadata[_KEY] = json.dumps(about | {"optimizer": kind.name, "steps": steps})
    files.write_archive(path, tensors | extra, metadata)


def _read(path: str | bytes) -> tuple[Core, dict[str, NDArray[Any]], dict[str, Any]]:
    tensors, metadata = files.read_archive(path)
    name = os.fsdecode(path)
    try:
        saved = json.loads(metadata.pop(_KEY))
        kind, steps = _core.OptimizerKind[saved["optimizer"]], int(saved["steps"])
    except (KeyError, ValueError, TypeError):
        raise ModelFormatError(name, _KEY, 0, "is missing: this is no checkpoint") from None
    extra = {key: tensors.pop(key) for key in [*tensors] if not key.startswith("layers.")}
    core = files.reading(_core.network_from_archive, tensors, metadata, name)
    first, second = (extra.get(key) for key in _MOMENTS)
    for moment in (first, second):
        if moment is not None and not np.isfinite(moment).all():
            raise ModelFormatError(name, _MOMENTS[0], 0, "is not finite")
    try:
        core.set_optimizer_state(kind, first, second, steps)
    except (TypeError, ValueError) as error:
        raise ModelFormatError(name, _MOMENTS[0], 0, str(error)) from None
    return core, extra, saved
