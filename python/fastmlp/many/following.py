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

    @property
    def follows(self) -> bool:
        """Whether there is anything that does."""
        return bool(self._callbacks or self._progress)

    def fit_begins(self) -> None:
        """Call the callbacks before the first epoch."""
        for callback in self._callbacks:
            callback.on_fit_begin(self._networks)

    def epoch_begins(self, epoch: int) -> None:
        """Call the callbacks before an epoch, counted from 1."""
        for callback in self._callbacks:
            callback.on_epoch_begin(self._networks, epoch)

    def epoch_ends(self, epoch: int) -> list[bool]:
        """Call the callbacks after an epoch, counted from 1; tell which networks they stop."""
        reports = [job.report for job in self._jobs]
        stops = [
            _stopped(callback.on_epoch_end(self._networks, reports), len(reports))  # type: ignore[arg-type]
            for callback in self._callbacks
        ]
        known = [each for each in reports if each is not None]
        for bar in self._progress if known else ():
            bar.on_epoch_end(None, _mean(epoch, known))
        return [any(each) for each in zip(*stops, strict=True)] or [False] * len(reports)

    def fit_ends(self) -> None:
        """Call the callbacks with the histories of all networks."""
        for callback in self._callbacks:
            callback.on_fit_end(self._networks, [job.outcome for job in self._jobs])  # type: ignore[arg-type]


def _stopped(returned: object, count: int) -> list[bool]:
    """Return which networks a callback stops: all of them, or those of its flags."""
    several = isinstance(returned, list | tuple) or getattr(returned, "ndim", 0) > 0
    if not several:
        return [asks_to_stop(returned, "on_epoch_end")] * count
    flags = list(returned)  # type: ignore[call-overload]
    if len(flags) != count:
        raise ValueError(
            "callbacks must return True to stop all networks, or a flag for each of the "
            f"{count} networks, but on_epoch_end returned {len(flags)}"
        )
    return [asks_to_stop(flag, "on_epoch_end") for flag in flags]


def _mean(epoch: int, reports: list[EpochReport]) -> EpochReport:
    """Return the means of the reports of an epoch, of as many samples as all trained on."""

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    first = reports[0]
    return EpochReport(
        epoch,
        first.epochs,
        mean(each.loss for each in reports) or 0.0,
        mean(each.validation_loss for each in reports),
        mean(each.validation_accuracy for each in reports),
        sum(each.seconds for each in reports),
        sum(each.samples for each in reports),
        mean(each.learning_rate for each in reports) or 0.0,
        {name: mean(each.metrics.get(name) for each in reports) or 0.0 for name in first.metrics},
    )
