"""Checkpoints: all that a training needs to go on, in one file, to the same bits.

The file is an archive of `fastmlp.files`: a model file, and beside it what the optimizer remembers
and how far the fit has come. It appears as a whole or not at all, so that a run that is killed at
any moment finds its last checkpoint, and ends with the weights of a run that was not.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation, files
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.errors import ModelFormatError, shortened
from fastmlp.fitting.saved_fit import KEY, MOMENTS, SavedFit, SavedState, check_state
from fastmlp.model.model import Core, Model
from fastmlp.model.summary import describe
from fastmlp.settings.optimizers import OptimizerKind

_MARGIN = 1024
"""Bytes that the numbers in a header may become longer during a fit."""

_MOST_EPOCHS = 2**32 - 1

_OWN_TENSORS = ("optimizer.", "history.", "early_stopping.")
"""How the names of tensors begin that are not the network's."""


@hints_at_arguments
class Checkpoint:
    """Save a fit as it goes, and go on from there when the same program is started again.

    ``fit(..., checkpoint=Checkpoint(path))`` saves after every so many epochs and after the last.
    Where the file exists already, the fit goes on behind its last saved epoch: with the same
    arguments, and the same data, it ends with the bits of a fit that was never interrupted. More
    epochs than before are allowed, unless the learning rate depends on how many there are, and so
    are other validation data, metrics, early stopping and callbacks: what was not measured in an
    epoch is NaN in the history. Anything else that makes it another fit is refused. An epoch that
    ends with numbers that are not finite is not saved.

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
        If an argument has the wrong type or is out of range.
    """

    def __init__(self, path: files.Path, every: int = 1, *, resume: bool = True) -> None:
        self.path = files.checked_path(path)
        self.every = _validation.integer("every", every, minimum=1)
        self.resume = _validation.switch("resume", resume)

    def __repr__(self) -> str:
        return f"Checkpoint({files.shown(self.path)!r}, every={self.every}, resume={self.resume})"

    def read(self, model: Model) -> "Saved | None":
        """Return what the file tells, if there is one to go on with.

        Raises
        ------
        ModelFormatError
            If the file is damaged or does not make sense.
        ValueError
            If it is of another network, or was not saved by a fit.
        """
        if not self.resume or not os.path.exists(self.path):  # noqa: PTH110  (path may be bytes)
            return None
        core, state = read_saved(self.path)
        if state.fit is None:
            name = files.shown(self.path)
            raise ValueError(f"checkpoint {name!r} was not saved by a fit: it cannot go on")
        _refuse_another(self.path, "network", _described(core), _described(model.core))
        return Saved(core, state, state.fit)


@dataclass(frozen=True)
class Saved:
    """What the checkpoint of a fit holds, checked.

    Attributes
    ----------
    core : Network32 or Network64
        The network, with what its optimizer remembers.
    state : SavedState
        The rest.
    fit : SavedFit
        How far the fit had come, as `state` has it.
    """

    core: Core
    state: SavedState
    fit: SavedFit


@dataclass(frozen=True)
class CheckpointFile:
    """Where one fit is saved to.

    Attributes
    ----------
    checkpoint : Checkpoint
        The user's settings.
    core : Network32 or Network64
        The network that is trained.
    settings : dict
        What must be the same for another fit to go on; see `fingerprint`.
    """

    checkpoint: Checkpoint
    core: Core
    settings: dict[str, Any]

    def is_due(self, epoch: int, epochs: int) -> bool:
        """Say whether to save after an epoch, counted from 1."""
        return epoch % self.checkpoint.every == 0 or epoch == epochs

    def save(self, state: "FitState") -> None:
        """Write the network, and where its fit stands."""
        if _is_finite(self.core):  # else there is nothing to go on from: the file stays as it is
            files.write_archive(self.checkpoint.path, *self._archive(state))

    def refuse_another(self, saved: Saved) -> None:
        """Refuse a file of a fit with other settings; older files tell of fewer.

        Raises
        ------
        ValueError
            If one differs.
        """
        for key, value in self.settings.items():
            if key in saved.fit.settings:
                _refuse_another(self.checkpoint.path, key, saved.fit.settings[key], value)

    def refuse_nonsense(
        self, saved: Saved, epochs: int, kind: OptimizerKind, plateau: bool
    ) -> None:
        """Refuse a file whose parts do not go together, or not with the fit it says it is of.

        Raises
        ------
        ModelFormatError
            If they do not go with so many epochs, an optimizer of a kind, or its schedule.
        """
        core, done, problem = saved.core, saved.fit.epochs, ""
        if done > core.epoch:
            problem = f"tells of {done} epochs of a network that was trained for {core.epoch}"
        if core.epoch + max(0, epochs - done) > _MOST_EPOCHS:
            problem = f"counts {core.epoch} epochs, which leaves too few to go on"
        if saved.state.kind is not kind or (saved.fit.plateau is not None) != plateau:
            problem = "is of another optimizer than it says"
        if problem:
            raise ModelFormatError(files.shown(self.checkpoint.path), KEY, 0, problem)

    def refuse_unwritable(self, state: "FitState", largest: dict[str, NDArray[Any]]) -> None:
        """Raise now what the first save would raise: there may be hours between.

        `largest` holds arrays of the names and sizes that those of `state` will have in the end.
        """
        tensors, metadata = self._archive(state)
        tensors |= largest | dict.fromkeys(MOMENTS, self.core.parameters)
        margin = {"margin": " " * _MARGIN}
        _core.check_can_write(self.checkpoint.path, tensors, metadata | margin)

    def _archive(self, state: "FitState") -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        values, tensors = state
        return _archive(self.core, {"fit": self.settings, "course": values}, tensors)


FitState = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""Where a fit stands: what JSON can hold, and arrays."""


def save_checkpoint(core: Core, path: files.Path) -> None:
    """Write what ``Network.save_checkpoint`` documents."""
    with core.reading():
        if not _is_finite(core):
            raise ValueError("parameters or what the optimizer remembers are not finite")
        files.write_archive(path, *_archive(core, {}, {}))


def _is_finite(core: Core) -> bool:
    _, *moments, _ = core.optimizer_state
    state = (core.parameters, core.statistics, *(m for m in moments if m is not None))
    return all(np.isfinite(part).all() for part in state)


def read_checkpoint(value: object) -> Checkpoint | None:
    """Return what ``fit`` was given as `checkpoint`; a path stands for ``Checkpoint(path)``."""
    if value is None or isinstance(value, Checkpoint):
        return value
    if isinstance(value, str | bytes | os.PathLike):
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
    metadata[KEY] = json.dumps(about | {"optimizer": kind.name, "steps": steps})
    return tensors | extra, metadata


def read_saved(path: str | bytes) -> tuple[Core, SavedState]:
    """Read a checkpoint and check all of it; ModelFormatError if anything is wrong."""
    tensors, metadata = files.read_archive(path)
    name = files.shown(path)
    text = metadata.pop(KEY, None)
    extra = {key: tensors.pop(key) for key in [*tensors] if key.startswith(_OWN_TENSORS)}
    state = check_state(name, text, extra)
    core = files.reading(_core.network_from_archive, tensors, metadata, name)
    try:
        core.set_optimizer_state(state.kind, *state.moments, state.steps)
    except (TypeError, ValueError) as error:
        raise ModelFormatError(name, MOMENTS[0], 0, str(error)) from None
    for stopping in () if state.fit is None else state.fit.stoppings:
        for key, array in stopping.arrays.items():
            own = getattr(core, key)
            if (array.shape, array.dtype) != (own.shape, own.dtype):
                raise ModelFormatError(name, KEY, 0, f"early_stopping has other {key}")
    return core, state


def _refuse_another(path: str | bytes, key: str, was: object, now: object) -> None:
    if was != now:
        raise ValueError(
            f"checkpoint {files.shown(path)!r} is of another fit: {key} was "
            f"{shortened(str(was))}, now it is {shortened(str(now))}; remove the file, or say "
            "Checkpoint(path, resume=False)"
        )


def _described(core: Core) -> str:
    """Write the layers, the loss and the dtype of a network, not as a subclass may write itself."""
    return describe(Model.of_core(core), "Network")
