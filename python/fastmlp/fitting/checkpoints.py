"""Checkpoint files: written and read here. `resuming` continues a fit from one.

A checkpoint has everything needed to resume a fit with the same bits. It is an archive of
`fastmlp.files`: a model file with the optimizer's state and the progress of the fit. Writing is
atomic, so a run that is killed at any moment finds its last checkpoint, and ends with the same
weights as a run that is not.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation, files
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.errors import ModelFormatError
from fastmlp.fitting.saved_fit import AVERAGES, KEY, MOMENTS, SavedState, check_state
from fastmlp.model.model import Core
from fastmlp.model.model_files import core_of_archive

_MARGIN = 1024
"""Bytes by which the numbers in a header may grow during a fit."""

_OWN_TENSORS = ("optimizer.", "moving_average.", "history.", "early_stopping.")
"""The prefixes of the names of tensors that are not the network's."""


@hints_at_arguments
class Checkpoint:
    """Save a fit periodically, and resume it when the same program is started again.

    ``fit(..., checkpoint=Checkpoint(path))`` saves after every `every` epochs and after the last.
    If the file already exists, the fit resumes after its last saved epoch: with the same arguments
    and data, it ends with the same bits as a fit that was never interrupted. More epochs than
    before are allowed, unless the learning rate depends on their number, and so are other
    validation data, metrics, early stopping and callbacks: values that were not measured in an
    epoch are NaN in the history. Any other difference is refused. Epochs that end with numbers that
    are not finite are not saved.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    every : int, default 1
        Epochs between two saves, at least 1.
    resume : bool, default True
        Whether to resume from an existing file; False starts from scratch and replaces it.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.
    """

    def __init__(self, path: files.Path, every: int = 1, *, resume: bool = True) -> None:
        self.path = files.checked_path(path)
        if not self.path:  # train_many would write into the current folder
            raise ValueError(f"path must name a file, got {self.path!r}")
        self.every = _validation.integer("every", every, minimum=1)
        self.resume = _validation.switch("resume", resume)

    def __repr__(self) -> str:
        return f"Checkpoint({files.shown(self.path)!r}, every={self.every}, resume={self.resume})"


@dataclass(frozen=True)
class CheckpointFile:
    """The checkpoint file of one fit.

    Attributes
    ----------
    checkpoint : Checkpoint
        The user's settings.
    core : Network32 or Network64
        The network that is trained.
    settings : dict
        What must be the same to resume; see `fingerprint`.
    is_written : bool
        Whether this process writes it, and not another rank.
    """

    checkpoint: Checkpoint
    core: Core
    settings: dict[str, Any]
    is_written: bool = True

    def is_due(self, epoch: int, epochs: int) -> bool:
        """Return whether to save after an epoch, counted from 1."""
        return epoch % self.checkpoint.every == 0 or epoch == epochs

    def save(self, state: "FitState") -> None:
        """Write the network and the progress of its fit."""
        if self.is_written and _is_finite(self.core):  # otherwise keep the last file
            files.write_archive(self.checkpoint.path, *self._archive(state))

    def refuse_unwritable(self, state: "FitState", largest: dict[str, NDArray[Any]]) -> None:
        """Raise any error of the first save in advance, as it may be hours away.

        `largest` has arrays of the names and sizes that those of `state` will have at the end.
        """
        if not self.is_written:
            return
        tensors, metadata = self._archive(state)
        tensors |= largest | dict.fromkeys(MOMENTS, self.core.parameters)
        if self.settings["ema"]:
            tensors |= dict.fromkeys(AVERAGES, self.core.parameters)
        margin = {"margin": " " * _MARGIN}
        files.check_can_write(self.checkpoint.path, tensors, metadata | margin)

    def _archive(self, state: "FitState") -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        values, tensors = state
        return _archive(self.core, {"fit": self.settings, "course": values}, tensors)


FitState = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""The progress of a fit: values representable in JSON, and arrays."""


def save_checkpoint(core: Core, path: files.Path) -> None:
    """Save a checkpoint; see ``Network.save_checkpoint``."""
    with core.reading():
        if not _is_finite(core):
            raise ValueError("parameters or the optimizer's state are not finite")
        files.write_archive(path, *_archive(core, {}, {}))


def _is_finite(core: Core) -> bool:
    _, *moments, _ = core.optimizer_state
    state = (core.parameters, core.statistics, *(m for m in moments if m is not None))
    return all(np.isfinite(part).all() for part in state)


def read_checkpoint(value: object) -> Checkpoint | None:
    """Return the `checkpoint` of ``fit``; a path means ``Checkpoint(path)``."""
    if value is None or isinstance(value, Checkpoint):
        return value
    if isinstance(value, str | bytes | os.PathLike):
        if not os.fspath(value):  # named by the argument that has it
            raise ValueError(f"checkpoint must have a name, got {os.fspath(value)!r}")
        return Checkpoint(value)
    raise TypeError(
        f"checkpoint must be a path, a Checkpoint or None, got {_validation.described(value)}"
    )


def _archive(
    core: Core, about: dict[str, Any], extra: dict[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors and the metadata of a checkpoint."""
    tensors, metadata = core.to_archive()
    kind, *moments, steps = core.optimizer_state
    for name, moment in zip(MOMENTS, moments, strict=True):
        if moment is not None:
            tensors[name] = moment
    state = {"optimizer": kind.name, "steps": steps}
    if core.position:  # in an epoch of single steps
        state["position"] = core.position
    decay, *averages, averaged = core.moving_average
    for name, average in zip(AVERAGES, averages, strict=True):
        if average is not None:
            tensors[name] = average
            state["moving_average"] = {"decay": decay, "steps": averaged}
    import json  # noqa: PLC0415  (keeps `import fastmlp` fast)

    metadata[KEY] = json.dumps(about | state)
    return tensors | extra, metadata


def read_saved(path: str | bytes) -> tuple[Core, SavedState]:
    """Read a checkpoint and check all of it; ModelFormatError if anything is wrong."""
    return saved_of(files.shown(path), *files.read_archive(path))


def saved_of(
    name: str, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]
) -> tuple[Core, SavedState]:
    """Return the content of the archive `name`; ModelFormatError if anything is wrong."""
    text = metadata.pop(KEY, None)
    extra = {key: tensors.pop(key) for key in [*tensors] if key.startswith(_OWN_TENSORS)}
    state = check_state(name, text, extra)
    core = core_of_archive(tensors, metadata, name)
    try:
        core.set_optimizer_state(state.kind, *state.moments, state.steps)
        core.set_moving_average(*state.average)
        core.position = state.position
    except (TypeError, ValueError) as error:
        raise ModelFormatError(name, MOMENTS[0], 0, str(error)) from None
    for stopping in () if state.fit is None else state.fit.stoppings:
        for key, array in stopping.arrays.items():
            own = getattr(core, key)
            if (array.shape, array.dtype) != (own.shape, own.dtype):
                raise ModelFormatError(name, KEY, 0, f"early_stopping has other {key}")
    return core, state
