"""Epochs that were trained, by the core or elsewhere, and the `History` of them."""

import math
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from fastmlp.fitting._metric_names import head_losses as names_of_head_losses
from fastmlp.history import History
from fastmlp.model.model import CoreReport, CoreReports, Model
from fastmlp.model.samples import CheckedSamples
from fastmlp.model.summary import training_flops


@dataclass
class TrainedEpoch:
    """An epoch in the form the core reports: an iteration of L-BFGS, or one from a checkpoint.

    Attributes
    ----------
    epoch : int
        Its index, from 0.
    loss : float
        Mean loss over the samples.
    seconds : float
        Training time.
    learning_rate : float
        The rate of its last step; NaN if there is none.
    rate_factor : float
        Set by `FitLoop.end_epoch`: the factor of all later rates.
    head_losses : sequence of float
        The mean loss of each head, if there are several and they are known.
    """

    epoch: int
    loss: float
    seconds: float
    learning_rate: float = math.nan
    rate_factor: float = 1.0
    head_losses: Sequence[float] = ()


Ended = CoreReport | TrainedEpoch
"""An epoch that ended."""


@dataclass
class TrainedEpochs:
    """Epochs by column, like the core's reports: an object for each would take longer.

    Attributes
    ----------
    losses, seconds, learning_rates : list of float
        What `TrainedEpoch` has of each.
    """

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.losses)

    def extend(self, others: "TrainedEpochs") -> None:
        """Append others."""
        self.losses += others.losses
        self.seconds += others.seconds
        self.learning_rates += others.learning_rates

    def pop(self) -> TrainedEpoch:
        """Remove the last one and return it."""
        loss, seconds, rate = self.losses.pop(), self.seconds.pop(), self.learning_rates.pop()
        return TrainedEpoch(len(self), loss, seconds, rate)


Columns = CoreReports | TrainedEpochs
"""Epochs by column."""


def history_of(
    epochs: Sequence[Ended] | Columns,
    model: Model,
    samples: Sized,
    n_threads: int,
    *,
    best_epoch: int = 0,
    head_losses: dict[str, list[float]] | None = None,
    validation_loss: Sequence[float] = (),
    **others: Any,
) -> History:
    """Return the history of epochs over `samples`.

    Where they are not passed, the best epoch and the losses of heads follow from the epochs;
    `others` are further fields of the history.
    """
    density = samples.density if isinstance(samples, CheckedSamples) else 1.0
    if isinstance(epochs, Columns):
        loss, seconds, rates = epochs.losses, epochs.seconds, epochs.learning_rates
    else:
        loss, seconds = [epoch.loss for epoch in epochs], [epoch.seconds for epoch in epochs]
        rates = [epoch.learning_rate for epoch in epochs]
    if head_losses is None:
        head_losses = _losses_of_heads(epochs, model)
    return History(
        loss=loss,
        head_losses=head_losses,
        epoch_seconds=seconds,
        samples=len(samples),
        flops_per_sample=training_flops(model, density),
        dtype=model.dtype,
        n_threads=n_threads,
        learning_rate=_numbers(rates),
        best_epoch=best_epoch or _least([*validation_loss] or loss),
        validation_loss=[*validation_loss],
        **others,
    )


def _losses_of_heads(epochs: Sequence[Ended] | Columns, model: Model) -> dict[str, list[float]]:
    """Return the losses of each head; none if the network has no heads, or they are not known."""
    names = names_of_head_losses(model.loss)
    if not names:
        return {}
    if isinstance(epochs, TrainedEpochs):
        return {}
    if isinstance(epochs, CoreReports):
        each: list[Sequence[float]] = [*epochs.head_losses]
    else:
        each = [epoch.head_losses for epoch in epochs]
    columns = zip(*each, strict=False)  # known of all or none
    return {name: list(column) for name, column in zip(names, columns, strict=False)}


def _numbers(values: list[float]) -> list[float]:
    """Return the values without NaN: the list itself if it has none, as is usual."""
    return values if not math.isnan(sum(values)) else [v for v in values if not math.isnan(v)]


def _least(losses: list[float]) -> int:
    """Return the epoch with the lowest loss, counted from 1."""
    if math.isnan(sum(losses)):
        losses = [math.inf if math.isnan(loss) else loss for loss in losses]
    return 1 + losses.index(min(losses))
