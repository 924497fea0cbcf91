"""Resuming a fit from a checkpoint: its file is read, compared with the fit, and restored.

`read` opens the file before all other work. `resume` restores it right before the first epoch,
when everything that could refuse the fit has been checked: `fingerprint` has what must be the same
in both fits, `saved_fit` the content of the file.
"""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fastmlp import files
from fastmlp.errors import ModelFormatError, level_of_caller, shortened
from fastmlp.fitting import fingerprint
from fastmlp.fitting.checkpoints import Checkpoint, CheckpointFile, saved_of
from fastmlp.fitting.loop import FitLoop
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.saved_fit import KEY, SavedFit, SavedState
from fastmlp.model.model import Core, Model, TrainOptions

_MOST_EPOCHS: Final = 2**32 - 1
"""Epochs that a network can count."""


@dataclass(frozen=True)
class Saved:
    """The content of the checkpoint of a fit, checked.

    Attributes
    ----------
    core : Network32 or Network64
        The network, with the state of its optimizer.
    state : SavedState
        The rest.
    fit : SavedFit
        The progress of the fit, as in `state`.
    """

    core: Core
    state: SavedState
    fit: SavedFit


def read(checkpoint: Checkpoint, model: Model, ranks: Ranks | None = None) -> Saved | None:
    """Return the content of a checkpoint's file, if there is one to resume from.

    Of several `ranks` the first reads it and sends it to the others.

    Raises
    ------
    ModelFormatError
        If the file is damaged or inconsistent.
    ValueError
        If it is of another network, or was not saved by a fit, or would replace training that it
        does not have.
    """
    path = checkpoint.path
    name = files.shown(path)

    def archive() -> Any:
        exists = checkpoint.resume and os.path.exists(path)  # noqa: PTH110  (path may be bytes)
        return files.read_archive(path) if exists else None

    found = archive() if ranks is None else ranks.of_rank_0(archive)
    if found is None:
        return None
    core, state = saved_of(name, *found)
    if state.fit is None:
        raise ValueError(f"checkpoint {name!r} was not saved by a fit: cannot resume from it")
    was, now = (fingerprint.of_network(each) for each in (core, model.core))
    for key in [*was, *now]:
        _refuse_other(path, key, was.get(key), now.get(key))
    _refuse_trained(name, core, state.fit, model.core)
    return Saved(core, state, state.fit)


def resume(loop: FitLoop, file: CheckpointFile, saved: Saved | None, options: TrainOptions) -> None:
    """Resume from a checkpoint, if there is one, and check that it can be written.

    The network gets the saved state, and `options` begin with the next epoch.

    Raises
    ------
    ValueError
        If the checkpoint is of another fit; nothing has changed then.
    ModelFormatError
        If it is inconsistent with this fit; nothing has changed then.
    OSError
        If the file cannot be written; nothing has changed then.
    """
    if saved is not None:
        _refuse_other_fit(file, saved)
        _refuse_nonsense(file, saved, options, has_plateau=loop.has_plateau)
    loop.refuse_unwritable()
    if saved is not None:
        loop.restore(saved.fit)
        file.core.assign(saved.core)  # type: ignore[arg-type]
        options.first_epoch = min(loop.epochs_done, options.epochs)
        options.rate_factor = loop.rate_factor


def _refuse_trained(name: str, saved: Core, fit: SavedFit, now: Core) -> None:
    """Refuse to replace a network that was trained, or changed, since the saved fit began.

    A program that is started again has a network as before that fit; one that calls the same fit
    twice has that of its end.
    """
    if now.epoch in (0, saved.epoch - fit.epochs):
        return
    best = (stopping.arrays.get("parameters", saved.parameters) for stopping in fit.stoppings)
    if any(np.array_equal(now.parameters, each) for each in (saved.parameters, *best)):
        return
    raise ValueError(
        f"checkpoint {name!r} has the network after {saved.epoch} epochs, but this one, after "
        f"{now.epoch}, is another: resuming would discard it; remove the file, name another one, "
        "or pass Checkpoint(path, resume=False)"
    )


def refuse_other_scaling(
    checkpoint: Checkpoint, saved: Saved, model: Model, *, learns: bool
) -> None:
    """Refuse a checkpoint of another scaling than the network has, or than the fit `learns`.

    Raises
    ------
    ValueError
        If it is another.
    """
    was, now = (fingerprint.of_scaling(core) for core in (saved.core, model.core))
    learned = saved.fit.settings.get("standardize", True)  # unknown in older files
    if learns and learned and saved.core.input_scale is not None:
        return
    if learns:
        now = "learned by standardize=True"
    _refuse_other(checkpoint.path, "scaling", was, now)


def refuse_other_loss_weights(checkpoint: Checkpoint, saved: Saved, model: Model) -> None:
    """Refuse a checkpoint of other weights of the outputs than the network has.

    Raises
    ------
    ValueError
        If they are others.
    """
    was, now = (fingerprint.of_loss_weights(core) for core in (saved.core, model.core))
    _refuse_other(checkpoint.path, "loss_weights", was, now)


def _refuse_other_fit(file: CheckpointFile, saved: Saved) -> None:
    """Refuse a file of a fit with other settings; older files contain fewer.

    Another number of ranks, among which the samples are divided in another way, is allowed.
    """
    path, settings = file.checkpoint.path, saved.fit.settings
    was, now = (each.get(fingerprint.RANKS, 1) for each in (settings, file.settings))
    for key, value in file.settings.items():
        divided = was != now and key in fingerprint.OF_RANKS
        if key in settings and not divided and key != fingerprint.RANKS:
            _refuse_other(path, key, settings[key], value)
    if was != now and file.is_written:
        warnings.warn(
            f"checkpoint {files.shown(path)!r} of {was} ranks is resumed by {now}: whether they "
            "have the same samples is not checked, and the bits will be others",
            UserWarning,
            stacklevel=level_of_caller(),
        )


def _refuse_nonsense(
    file: CheckpointFile, saved: Saved, options: TrainOptions, *, has_plateau: bool
) -> None:
    """Refuse a file that does not match its number of epochs, its optimizer or its schedule."""
    core, done, problem = saved.core, saved.fit.epochs, ""
    if done > core.epoch:
        problem = f"has {done} epochs of a network that was trained for {core.epoch}"
    if core.epoch + max(0, options.epochs - done) > _MOST_EPOCHS:
        problem = f"counts {core.epoch} epochs, which leaves too few to continue"
    same_kind = saved.state.kind is options.optimizer.kind
    if not same_kind or (saved.fit.plateau is not None) != has_plateau:
        problem = "does not match its optimizer"
    if problem:
        raise ModelFormatError(files.shown(file.checkpoint.path), KEY, 0, problem)


def _refuse_other(path: str | bytes, key: str, was: object, now: object) -> None:
    if was != now:
        raise ValueError(
            f"checkpoint {files.shown(path)!r} is of another fit: {key} was "
            f"{shortened(str(was))}, now it is {shortened(str(now))}; remove the file, or pass "
            "Checkpoint(path, resume=False)"
        )
