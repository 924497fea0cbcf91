"""Checkpoints: all that a training needs to go on, in one file, to the same bits.

The file is an archive of `fastmlp.files`: a model file, and beside it what the optimizer remembers
and how far the fit has come. It appears as a whole or not at all, so that a run that is killed at
any moment finds its last checkpoint, and ends with the weights of a run that was not.
"""

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation, files
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.errors import ModelFormatError, shortened
from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.fitting.saved_fit import KEY, MOMENTS, SavedState, check_state
from fastmlp.model.model import Core, Model
from fastmlp.model.summary import describe

if TYPE_CHECKING:
    from fastmlp.fitting.loop import Course
    from fastmlp.history import EpochReport

_MARGIN = 1024
"""Bytes that the numbers in a header may become longer during a fit."""

_MOST_EPOCHS = 2**32 - 1


@hints_at_arguments
class Checkpoint(Callback):
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

    _argument = "checkpoint"

    def __init__(self, path: files.Path, every: int = 1, *, resume: bool = True) -> None:
        self.path = files.checked_path(path)
        self.every = _validation.integer("every", every, minimum=1)
        self.resume = _validation.switch("resume", resume)
        self._core: Core | None = None
        self._course: Course | None = None
        self._settings: dict[str, Any] = {}

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
        saved = read_saved(self.path)
        if saved.state.fit is None:
            name = files.shown(self.path)
            raise ValueError(f"checkpoint {name!r} was not saved by a fit: it cannot go on")
        self._refuse_another("network", _described(saved.core), _described(model.core))
        return saved

    def begin(
        self,
        model: Model,
        course: "Course",
        settings: dict[str, Any],
        options: _core.TrainOptions,
        saved: "Saved | None",
    ) -> None:
        """Join a fit whose settings are `settings`; go on where that of `saved` stood.

        What the core is told of that, in `options`, is set.

        Raises
        ------
        ValueError
            If the file is of another fit; nothing has changed then.
        ModelFormatError
            If it does not make sense for this one; neither then.
        OSError
            If the file cannot be written; neither then.
        """
        core = model.core
        self._core, self._course, self._settings = core, course, settings
        if saved is None:
            self._refuse_unwritable(core)
            return
        assert saved.state.fit is not None
        past = saved.state.fit
        for key, value in settings.items():
            if key in past.settings:  # older files tell less
                self._refuse_another(key, past.settings[key], value)
        self._refuse_nonsense(saved, course, options.optimizer.kind)
        self._refuse_unwritable(core)
        course.restore(past)
        core.assign(saved.core)  # type: ignore[arg-type]
        options.first_epoch = min(course.epochs_done, course.epochs)
        options.rate_factor = course.rate_factor

    def _refuse_another(self, key: str, was: object, now: object) -> None:
        if was != now:
            raise ValueError(
                f"checkpoint {files.shown(self.path)!r} is of another fit: {key} was "
                f"{shortened(str(was))}, now it is {shortened(str(now))}; remove the file, or say "
                "Checkpoint(path, resume=False)"
            )

    def _refuse_nonsense(self, saved: "Saved", course: "Course", kind: _core.OptimizerKind) -> None:
        """Refuse a file whose parts do not go together, or not with the fit it says it is of."""
        state, core = saved.state, saved.core
        assert state.fit is not None
        done, problem = state.fit.epochs, ""
        if done > core.epoch:
            problem = f"tells of {done} epochs of a network that was trained for {core.epoch}"
        if core.epoch + max(0, course.epochs - done) > _MOST_EPOCHS:
            problem = f"counts {core.epoch} epochs, which leaves too few to go on"
        if state.kind is not kind or (state.fit.plateau is None) == course.has_plateau:
            problem = "is of another optimizer than it says"
        if problem:
            raise ModelFormatError(files.shown(self.path), KEY, 0, problem)

    def _refuse_unwritable(self, core: Core) -> None:
        """Raise now what the first save would raise: there may be hours between."""
        assert self._course is not None
        tensors, metadata = self._archive(core)
        tensors |= self._course.largest_state() | dict.fromkeys(MOMENTS, core.parameters)
        _core.check_can_write(self.path, tensors, metadata | {"margin": " " * _MARGIN})

    def on_epoch_end(self, network: Network, report: "EpochReport") -> None:  # noqa: ARG002
        """Save, if it is time."""
        if report.epoch % self.every == 0 or report.epoch == report.epochs:
            self._save()

    def on_fit_end(self, network: Network, history: object) -> None:  # noqa: ARG002
        """Save once more: early stopping may have ended the fit."""
        self._save()

    def _save(self) -> None:
        core = self._core
        assert core is not None
        if _is_finite(core):  # else there is nothing to go on from: the file stays as it is
            files.write_archive(self.path, *self._archive(core))

    def _archive(self, core: Core) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        assert self._course is not None
        values, tensors = self._course.state()
        return _archive(core, {"fit": self._settings, "course": values}, tensors)


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds, checked.

    Attributes
    ----------
    core : Network32 or Network64
        The network, with what its optimizer remembers.
    state : SavedState
        The rest.
    """

    core: Core
    state: SavedState


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


def read_saved(path: str | bytes) -> Saved:
    """Read a checkpoint and check all of it; ModelFormatError if anything is wrong."""
    tensors, metadata = files.read_archive(path)
    name = files.shown(path)
    text = metadata.pop(KEY, None)
    extra = {key: tensors.pop(key) for key in [*tensors] if not key.startswith("layers.")}
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
    return Saved(core, state)


def _described(core: Core) -> str:
    """Write the layers, the loss and the dtype of a network, not as a subclass may write itself."""
    return describe(Model.of_core(core), "Network")
