"""`FitLoop`: what happens around the epochs of a fit: validation, callbacks, history, saving."""

import math
from collections.abc import Callable, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.fitting._metric_names import head_losses as names_of_head_losses
from fastmlp.fitting.callbacks import Callback, Network, asks_to_stop
from fastmlp.fitting.checkpoints import CheckpointFile, FitState
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.epochs import Columns, Ended, TrainedEpoch, history_of
from fastmlp.fitting.held_out import HeldOut
from fastmlp.fitting.plateau_watch import PlateauWatch
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.saved_fit import HISTORY, SavedFit
from fastmlp.history import EpochReport, History, StopReason
from fastmlp.model.model import Core, Model

_OF_TRAINING = ("loss", "epoch_seconds", "learning_rate")
"""The values of each epoch, as in `TrainedEpoch`."""

_MOST_EPOCHS = 100_000
"""Epochs for which the size of a checkpoint is computed before a fit."""


class FitLoop:
    """The work around the epochs of one fit.

    During every method the weights are up to date and do not change, so callbacks may read and
    write them.

    Parameters
    ----------
    network : Network
        The network passed to callbacks.
    model : Model
        The model being trained.
    samples : sized
        The samples of an epoch; the length of an iterator is known only at its end.
    held_out : HeldOut or None
        The validation samples.
    epochs : int
        The maximum number of epochs.
    n_threads : int
        The limit of threads for validation.
    plateau : PlateauWatch or None
        The schedule of the learning rate, if it depends on the losses.
    callbacks : tuple of Callback
        Called in this order.
    file : CheckpointFile or None
        Where to save after the callbacks, whose state is saved, too.
    ranks : Ranks or None
        Other processes that train the same network; `samples` are those of all of them.
    """

    def __init__(
        self,
        network: Network,
        model: Model,
        samples: Sized,
        held_out: HeldOut | None,
        *,
        epochs: int,
        n_threads: int,
        plateau: PlateauWatch | None,
        callbacks: tuple[Callback, ...],
        file: CheckpointFile | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self._ranks = ranks
        self._network = network
        self._model = model
        self._core: Core = model.core
        self._epochs = epochs
        self._samples = samples
        self._held_out = held_out
        self._n_threads = n_threads
        self._plateau = plateau
        self._callbacks = callbacks
        self._file = file
        silent = Callback.on_batch_end
        self._step_callbacks = [c for c in callbacks if type(c).on_batch_end is not silent]
        self._trained: list[Ended] = []
        self._stopped = False
        self._stopped_by: StopReason = "epochs"
        self._message = ""
        self._measured: dict[str, list[float]] = {}  # by the names of `History`
        self._head_names = names_of_head_losses(model.loss) if model.loss.heads else []

    @property
    def on_epoch(self) -> Callable[[Ended], bool] | None:
        """The function called at the end of each epoch: `end_epoch`, if there is anything to do."""
        watched = (
            self._callbacks
            or self._head_names
            or self._held_out is not None
            or self._plateau is not None
            or self._file is not None
            or self._ranks is not None
        )
        return self.end_epoch if watched else None

    @property
    def on_step(self) -> Callable[[int, float], bool] | None:
        """The function called after each step: `end_step`, if a callback needs it."""
        return self.end_step if self._step_callbacks else None

    @property
    def epochs_done(self) -> int:
        """The number of epochs from a checkpoint; all of them if its fit had stopped."""
        return self._epochs if self._stopped else len(self._trained)

    @property
    def has_plateau(self) -> bool:
        """Whether the learning rate depends on the losses."""
        return self._plateau is not None

    @property
    def rate_factor(self) -> float:
        """The factor of the learning rates after the last epoch."""
        return 1.0 if self._plateau is None else self._plateau.factor

    def refuse_unwritable(self) -> None:
        """Raise any error of the first save in advance."""
        if self._file is not None:
            self._file.refuse_unwritable(self._state(), self._largest_state())

    def restore(self, saved: SavedFit) -> None:
        """Resume another fit, which may have had other validation data and early stopping."""
        if self._plateau is not None and saved.plateau is not None:
            self._plateau.restore(saved.plateau)
        measured = dict(saved.series)
        numbers = zip(*(measured.pop(name) for name in _OF_TRAINING), strict=True)
        self._trained = [TrainedEpoch(i, *values) for i, values in enumerate(numbers)]
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
        # Early stopping that ended the fit, but was removed or has more patience now, no longer
        # ends it.
        if saved.stopped and any(stopping.waited >= stopping.patience for stopping in gone_on):
            self.stop("early_stopping")
        elif saved.stopped and not any(past.has_stopped for past in saved.stoppings):
            self.stop("callback")

    def begin(self) -> None:
        """Call the callbacks before the fit, and before its first epoch."""
        for callback in self._callbacks:
            callback.on_fit_begin(self._network)
        if self._callbacks and self.epochs_done < self._epochs:
            self._begin_epoch(self.epochs_done + 1)

    def end_step(self, step: int, loss: float) -> bool:
        """Handle the end of a step; True stops after it, which ends the epoch."""
        for callback in self._step_callbacks:
            if asks_to_stop(callback.on_batch_end(self._network, step, loss), "on_batch_end"):
                self.stop("callback")
        self._stop_together()
        return self._stopped

    def end_epoch(self, trained: Ended) -> bool:
        """Handle the end of an epoch; True stops after it."""
        epoch = trained.epoch + 1
        self._trained.append(trained)
        of_heads = dict(zip(self._head_names, trained.head_losses, strict=False))
        for name, value in of_heads.items():
            self._note(name, value)
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
            {**of_heads, **metrics},
        )
        if self._plateau is not None:
            trained.rate_factor = self._plateau.after_epoch(report)
        for callback in self._callbacks:  # call all, even after one that stops
            if asks_to_stop(callback.on_epoch_end(self._network, report), "on_epoch_end"):
                self.stop("early_stopping" if isinstance(callback, EarlyStopping) else "callback")
        self._stop_together()
        if self._ranks is not None:
            self._ranks.end_epoch(self._core)
        if self._file is not None and self._file.is_due(epoch, self._epochs):
            self._file.save(self._state())
        if not self._stopped and epoch < self._epochs:
            self._begin_epoch(epoch + 1)
        return self._stopped

    def stop(self, reason: StopReason) -> None:
        """End the fit; the first reason is kept."""
        if not self._stopped:
            self._stopped, self._stopped_by = True, reason

    def end_by(self, reason: StopReason, message: str = "") -> None:
        """Record why the optimizer ended the fit, unless a callback did."""
        if not self._stopped:
            self._stopped_by, self._message = reason, message

    def end(self, epochs: Sequence[Ended] | Columns, n_threads: int) -> History:
        """Call the callbacks after the fit, and return its history.

        `epochs` are those that were trained, `n_threads` the threads of a step.
        """
        history = self._history(self._trained or epochs, n_threads)  # with those of a checkpoint
        for callback in self._callbacks:
            callback.on_fit_end(self._network, history)
        if self._file is not None:
            self._file.save(self._state())  # early stopping may have ended the fit
        return history

    def _history(self, epochs: Sequence[Ended] | Columns, n_threads: int) -> History:
        measured = self._measured_in_all() if self._measured else {}
        of_heads = {}
        for name in self._head_names:
            if name in measured:
                of_heads[name] = measured.pop(name)
        return history_of(
            epochs,
            self._model,
            self._samples,
            n_threads,
            best_epoch=self._best_epoch(),
            head_losses=of_heads,
            validation_loss=measured.pop("validation_loss", []),
            validation_accuracy=measured.pop("validation_accuracy", []),
            validation_metrics=measured,
            stopped_by=self._stopped_by,
            message=self._message,
        )

    def _state(self) -> FitState:
        """Return the progress of the fit, for a checkpoint."""
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

    def _largest_state(self) -> dict[str, NDArray[Any]]:
        """Return arrays of the names and sizes that those of `_state` will have at the end."""
        measured = () if self._held_out is None else self._held_out.measured
        names = {*_OF_TRAINING, *self._head_names, *measured, *self._measured}
        epochs = np.zeros(min(self._epochs, _MOST_EPOCHS))
        tensors: dict[str, NDArray[Any]] = {f"{HISTORY}{name}": epochs for name in names}
        for i, stopping in enumerate(self._stoppings()):
            if stopping.restore_best:
                tensors[f"early_stopping.{i}.parameters"] = self._core.parameters
                tensors[f"early_stopping.{i}.statistics"] = self._core.statistics
        return tensors

    def _stop_together(self) -> None:
        """End the fit if another rank does."""
        if self._ranks is not None and self._ranks.any_stops(self._stopped):
            self.stop("callback")

    def _stoppings(self) -> list[EarlyStopping]:
        return [callback for callback in self._callbacks if isinstance(callback, EarlyStopping)]

    def _best_epoch(self) -> int:
        """Return the best epoch by what early stopping monitored; 0 if it did not."""
        for callback in self._callbacks:
            if isinstance(callback, EarlyStopping) and callback.best_epoch:
                return callback.best_epoch
        return 0

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
        """Append a measurement of the last epoch, with NaN for epochs without it."""
        values = self._measured.setdefault(name, [])
        values += [math.nan] * (len(self._trained) - 1 - len(values))
        values.append(value)

    def _measured_in_all(self) -> dict[str, list[float]]:
        """Return the measurements, with a number for each epoch."""
        epochs = len(self._trained)
        return {
            name: values + [math.nan] * (epochs - len(values))
            for name, values in self._measured.items()
        }
