"""What follows all networks of `train_many` together: callbacks and the progress bar."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastmlp.fitting.callbacks import Callback, asks_to_stop
from fastmlp.history import EpochReport


class Following:
    """What follows all networks together: callbacks and the progress bar."""

    def __init__(
        self, jobs: Sequence[Any], callbacks: tuple[Callback, ...], progress: tuple[Callback, ...]
    ) -> None:
        self._jobs, self._callbacks, self._progress = jobs, callbacks, progress
        self._networks = [job.network for job in jobs]

    def fit_begins(self) -> None:
        """Call the callbacks before the first epoch."""
        for callback in self._callbacks:
            callback.on_fit_begin(self._networks)

    def epoch_begins(self, epoch: int) -> None:
        """Call the callbacks before an epoch, counted from 1."""
        for callback in self._callbacks:
            callback.on_epoch_begin(self._networks, epoch)

    def epoch_ends(self, epoch: int) -> bool:
        """Call the callbacks after an epoch, counted from 1; True if one stops."""
        reports = [job.report for job in self._jobs]
        stops = [
            asks_to_stop(callback.on_epoch_end(self._networks, reports), "on_epoch_end")  # type: ignore[arg-type]
            for callback in self._callbacks
        ]
        for bar in self._progress:
            bar.on_epoch_end(None, _mean(epoch, [each for each in reports if each is not None]))
        return any(stops)

    def fit_ends(self) -> None:
        """Call the callbacks with the histories of all networks."""
        for callback in self._callbacks:
            callback.on_fit_end(self._networks, [job.outcome for job in self._jobs])  # type: ignore[arg-type]


def _mean(epoch: int, reports: list[EpochReport]) -> EpochReport:
    """Return the means of the reports of an epoch, of as many samples as all trained on."""

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    first = reports[0] if reports else None
    names = () if first is None else first.metrics
    return EpochReport(
        epoch,
        0 if first is None else first.epochs,
        mean(each.loss for each in reports) or 0.0,
        mean(each.validation_loss for each in reports),
        mean(each.validation_accuracy for each in reports),
        sum(each.seconds for each in reports),
        sum(each.samples for each in reports),
        mean(each.learning_rate for each in reports) or 0.0,
        {name: mean(each.metrics.get(name) for each in reports) or 0.0 for name in names},
    )
