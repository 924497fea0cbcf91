"""`Course`: what goes on around the epochs of a fit. It measures, tells the callbacks, notes."""

import math
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.held_out import HeldOut
from fastmlp.fitting.plateau_watch import PlateauWatch
from fastmlp.fitting.saved_fit import HISTORY, SavedFit
from fastmlp.history import EpochReport, History
from fastmlp.model.model import Core, Model
from fastmlp.model.summary import training_flops
from fastmlp.settings.plateau import Plateau

_OF_FIELDS = ("validation_loss", "validation_accuracy")
"""What is measured that `History` has in fields of its own; the rest are metrics."""

_OF_TRAINING = ("loss", "epoch_seconds", "learning_rate")
"""What there is of each epoch, as `PastEpoch` has it."""

_MOST_EPOCHS = 100_000
"""Epochs that are taken into account before a fit in what its checkpoint will take."""


class Trained(Protocol):
    """An epoch, as the core or another optimizer tells it."""

    @property
    def epoch(self) -> int:
        """Its number, from 0."""

    @property
    def loss(self) -> float:
        """Mean loss over the samples."""

    @property
    def seconds(self) -> float:
        """Time it took."""

    @property
    def learning_rate(self) -> float:
        """The rate of its last step; NaN if there is none."""

    rate_factor: float


@dataclass
class PastEpoch:
    """An epoch that a checkpoint tells of; see `Trained`."""

    epoch: int
    loss: float
    seconds: float
    learning_rate: float
    rate_factor: float = 1.0


class Course:
    """Follows one fit from its begin to its end.

    The weights are exact and at rest in every method, so callbacks may read and write them.

    Parameters
    ----------
    network : Network
        What the callbacks get.
    model : Model
        What is trained.
    epochs : int
        How many were asked for.
    samples : sized
        What an epoch goes through; how many, an iterator tells only by and by.
    held_out : HeldOut or None
        What to validate on.
    n_threads : int
        The limit of threads for that.
    plateau : Plateau or None
        The schedule of the learning rate, if it depends on the losses.
    callbacks : tuple of Callback
        Told in this order.
    """

    def __init__(
        self,
        network: Network,
        model: Model,
        epochs: int,
        samples: Sized,
        held_out: HeldOut | None,
        n_threads: int,
        plateau: Plateau | None,
        callbacks: tuple[Callback, ...],
    ) -> None:
        self._network = network
        self._model = model
        self._core: Core = model.core
        self._epochs = epochs
        self._samples = samples
        self._held_out = held_out
        self._n_threads = n_threads
        self._plateau = None if plateau is None else PlateauWatch(plateau)
        self._callbacks = callbacks
        silent = Callback.on_batch_end
        self._step_callbacks = [c for c in callbacks if type(c).on_batch_end is not silent]
        self._trained: list[Trained] = []
        self._stopped = False
        self._measured: dict[str, list[float]] = {}  # by the names of `History`

    @property
    def is_watched(self) -> bool:
        """Whether there is anything to do at the end of an epoch."""
        watched = (self._held_out, self._plateau)
        return bool(self._callbacks) or any(part is not None for part in watched)

    @property
    def is_watched_closely(self) -> bool:
        """Whether a callback wants to hear of every step."""
        return bool(self._step_callbacks)

    @property
    def epochs_done(self) -> int:
        """How many epochs another fit, whose state was restored, left behind; all if it stopped."""
        return self._epochs if self._stopped else len(self._trained)

    @property
    def epochs(self) -> int:
        """How many were asked for."""
        return self._epochs

    @property
    def has_plateau(self) -> bool:
        """Whether the learning rate depends on the losses."""
        return self._plateau is not None

    @property
    def rate_factor(self) -> float:
        """What the schedule multiplies all learning rates with, at the moment."""
        return 1.0 if self._plateau is None else self._plateau.factor

    def begin(self) -> None:
        """Tell that the fit begins, and its first epoch."""
        for callback in self._callbacks:
            callback.on_fit_begin(self._network)
        if self.epochs_done < self._epochs:
            self._begin_epoch(self.epochs_done + 1)

    def end_step(self, step: int, loss: float) -> bool:
        """Take in a step from the core; True stops after it, and ends the epoch there."""
        for callback in self._step_callbacks:
            if callback.on_batch_end(self._network, step, loss):
                self._stopped = True
        return self._stopped

    def end_epoch(self, trained: Trained) -> bool:
        """Take in an epoch from the core; True stops after it."""
        epoch = trained.epoch + 1
        self._trained.append(trained)
        validation_loss, accuracy, metrics = self._measure()
        report = EpochReport(
            epoch,
            self._epochs,
            trained.loss,
            validation_loss,
            accuracy,
            trained.seconds,
            len(self._samples),
            trained.learning_rate,
            metrics,
        )
        if self._plateau is not None:
            trained.rate_factor = self._plateau.after_epoch(report)
        for callback in self._callbacks:  # all are told, also after one that stops
            if callback.on_epoch_end(self._network, report):
                self._stopped = True
        if not self._stopped and epoch < self._epochs:
            self._begin_epoch(epoch + 1)
        return self._stopped

    def end(self, reports: Sequence[Trained], n_threads: int) -> History:
        """Tell that the fit ended, and return its history."""
        if self._trained:
            reports = self._trained  # with those of the fit that this one goes on
        loss = [report.loss for report in reports]
        measured = self._measured_in_all()
        metrics = {name: values for name, values in measured.items() if name not in _OF_FIELDS}
        model = self._model
        history = History(
            loss=loss,
            epoch_seconds=[report.seconds for report in reports],
            samples=len(self._samples),
            flops_per_sample=training_flops(model.features, model.layers),
            dtype=model.dtype,
            n_threads=n_threads,
            validation_loss=measured.get("validation_loss", []),
            validation_accuracy=measured.get("validation_accuracy", []),
            learning_rate=[r.learning_rate for r in reports if not math.isnan(r.learning_rate)],
            validation_metrics=metrics,
            best_epoch=self._best_epoch(measured.get("validation_loss", loss)),
        )
        for callback in self._callbacks:
            callback.on_fit_end(self._network, history)
        return history

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return where the fit stands, for a checkpoint: what JSON can hold, and arrays."""
        series = {
            "loss": [t.loss for t in self._trained],
            "epoch_seconds": [t.seconds for t in self._trained],
            "learning_rate": [t.learning_rate for t in self._trained],
            **self._measured_in_all(),
        }
        tensors = {f"{HISTORY}{name}": np.array(values) for name, values in series.items()}
        stoppings = []
        for i, stopping in enumerate(self._stoppings()):
            values, arrays = stopping.state()
            about = {"monitor": stopping.monitor, "mode": stopping.direction()}
            stoppings.append(values | about | {"patience": stopping.patience})
            tensors |= {f"early_stopping.{i}.{name}": array for name, array in arrays.items()}
        return {
            "stopped": self._stopped,
            "plateau": None if self._plateau is None else self._plateau.state(),
            "early_stopping": stoppings,
        }, tensors

    def largest_state(self) -> dict[str, NDArray[Any]]:
        """Return arrays of the names and sizes that those of `state` will have in the end."""
        measured = () if self._held_out is None else self._held_out.names()
        names = {*_OF_TRAINING, *measured, *self._measured}
        epochs = np.zeros(min(self._epochs, _MOST_EPOCHS))
        tensors: dict[str, NDArray[Any]] = {f"{HISTORY}{name}": epochs for name in names}
        for i, stopping in enumerate(self._stoppings()):
            if stopping.restore_best:
                tensors[f"early_stopping.{i}.parameters"] = self._core.parameters
                tensors[f"early_stopping.{i}.statistics"] = self._core.statistics
        return tensors

    def restore(self, saved: SavedFit) -> None:
        """Go on where another fit stood, whose validation and early stopping may be others."""
        if self._plateau is not None and saved.plateau is not None:
            self._plateau.restore(saved.plateau)
        measured = dict(saved.series)
        numbers = zip(*(measured.pop(name) for name in _OF_TRAINING), strict=True)
        self._trained = [PastEpoch(i, *told) for i, told in enumerate(numbers)]
        self._measured = measured
        left = list(saved.stoppings)
        gone_on = []
        for stopping in self._stoppings():
            found = next((past for past in left if stopping.can_go_on(past)), None)
            if found is not None:
                left.remove(found)
                arrays = found.arrays if stopping.restore_best else {}
                stopping.set_state(found.values, arrays)
                gone_on.append(stopping)
        # Early stopping that ended the fit, but is gone or more patient now, ends it no more.
        self._stopped = saved.stopped and (
            not any(past.has_stopped for past in saved.stoppings)
            or any(stopping.waited >= stopping.patience for stopping in gone_on)
        )

    def _stoppings(self) -> list[EarlyStopping]:
        return [callback for callback in self._callbacks if isinstance(callback, EarlyStopping)]

    def _best_epoch(self, losses: list[float]) -> int:
        for stopping in self._stoppings():
            if stopping.best_epoch:
                return stopping.best_epoch
        return 1 + int(np.argmin(np.nan_to_num(losses, nan=np.inf)))

    def _begin_epoch(self, epoch: int) -> None:
        for callback in self._callbacks:
            callback.on_epoch_begin(self._network, epoch)

    def _measure(self) -> tuple[float | None, float | None, dict[str, float]]:
        if self._held_out is None:
            return None, None, {}
        measured = self._held_out.measure(self._core, self._n_threads)
        self._note("validation_loss", measured.loss)
        if measured.accuracy is not None:
            self._note("validation_accuracy", measured.accuracy)
        for name, value in measured.metrics.items():
            self._note(name, value)
        return measured.loss, measured.accuracy, measured.metrics

    def _note(self, name: str, value: float) -> None:
        """Append what was measured of the last epoch, NaN for those in which it was not."""
        values = self._measured.setdefault(name, [])
        values += [math.nan] * (len(self._trained) - 1 - len(values))
        values.append(value)

    def _measured_in_all(self) -> dict[str, list[float]]:
        """Return what was measured, with a number for each epoch."""
        epochs = len(self._trained)
        return {
            name: values + [math.nan] * (epochs - len(values))
            for name, values in self._measured.items()
        }
