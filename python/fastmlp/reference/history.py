"""Results of training: `EpochReport` after each epoch, `History` at the end, `Evaluation`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Evaluation(NamedTuple):
    """The result of ``Network.evaluate``.

    Attributes
    ----------
    loss : float
        Mean loss, as the network's loss defines it.
    accuracy : float or None
        Fraction of samples whose largest output is the label (softmax), or fraction of outputs on
        the correct side of 0.5 (sigmoid with binary cross-entropy); None for other losses.
    """

    loss: float
    accuracy: float | None


class HeadsEvaluation(Evaluation):
    """The result of ``Network.evaluate`` of a network with heads.

    Attributes
    ----------
    loss : float
        The sum of the losses of the heads, each times its weight.
    accuracy : None
        Those of the heads are in `heads`.
    heads : dict of str to Evaluation
        Loss, not times its weight, and accuracy of each head, by name.
    """

    heads: dict[str, Evaluation]

    def __new__(cls, loss: float, heads: dict[str, Evaluation]) -> "HeadsEvaluation":
        """Create it of the total loss and the evaluation of each head."""
        self = super().__new__(cls, loss, None)
        self.heads = heads
        return self


class EpochReport(NamedTuple):
    """The report that ``Network.fit`` passes to callbacks at the end of an epoch.

    Attributes
    ----------
    epoch : int
        The epoch that ended, counted from 1 within this ``fit``.
    epochs : int
        The number of epochs of the ``fit``.
    loss : float
        Mean loss over the samples of the epoch, each before the step that used it.
    validation_loss, validation_accuracy : float or None
        On the validation data after the epoch; None without validation data (or for regression).
    seconds : float
        Training time of the epoch, without validation and callbacks.
    samples : int
        Number of samples in an epoch.
    learning_rate : float
        The learning rate at the end of the epoch.
    metrics : mapping of str to float
        The `metrics` of ``fit`` on the validation data, as "validation_f1".
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    samples: int
    learning_rate: float = math.nan
    metrics: Mapping[str, float] = {}

    def value(self, name: str) -> float:
        """Return the loss, the validation loss or accuracy, or a metric, by its name."""
        values = {
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            "validation_accuracy": self.validation_accuracy,
            **self.metrics,
        }
        value = values[name]
        if value is None:
            raise KeyError(name)
        return value


@dataclass(repr=False)
class History:
    """The history of one ``Network.fit``.

    Attributes
    ----------
    samples : int
        Number of samples in an epoch.
    flops_per_sample : int
        Floating-point operations to train on one sample, counting the matrix products: for each
        layer 2 K N forward, 2 K N for the gradient, and, except for the first, 2 K N backward.
    loss : list of float
        Mean loss over the samples of each epoch, each before the step that used it.
    epoch_seconds : list of float
        Training time of each epoch in seconds, without validation and callbacks.
    validation_loss : list of float
        Loss on the validation data after each epoch; empty without validation data.
    validation_accuracy : list of float
        Accuracy on the validation data after each epoch; empty without validation data and for
        regression.
    learning_rate : list of float
        The learning rate at the end of each epoch.
    validation_metrics : dict of str to list of float
        The `metrics` of ``fit`` after each epoch.
    best_epoch : int
        The best epoch of early stopping, counted from 1, else the one with the lowest loss.
    stopped_by : str
        "epochs", "early_stopping" or "callback": what ended the fit.
    head_losses : dict of str to list of float
        Of a network with heads, the mean loss of each in each epoch, not times its weight.
    dtype : str
        The type of the arithmetic: ``"float64"``.
    n_threads : int
        1.
    """

    samples: int
    flops_per_sample: int
    loss: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    validation_metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_by: str = "epochs"
    head_losses: dict[str, list[float]] = field(default_factory=dict)
    dtype: str = "float64"
    n_threads: int = 1

    def add(
        self,
        loss: float,
        seconds: float,
        evaluation: Evaluation | None,
        epochs: int,
        learning_rate: float,
        metrics: Mapping[str, float],
        head_losses: Mapping[str, float],
    ) -> EpochReport:
        """Add an epoch, and return the report for callbacks.

        Parameters
        ----------
        loss : float
            Mean loss over the samples of the epoch.
        seconds : float
            Training time of the epoch.
        evaluation : Evaluation or None
            The result on the validation data.
        epochs : int
            The number of epochs of the ``fit``.
        learning_rate : float
            The rate of the last step.
        metrics : mapping of str to float
            Additional measurements, by name.
        head_losses : mapping of str to float
            The mean loss of each head, by the name in `EpochReport.metrics`.
        """
        for name, value in head_losses.items():
            self.head_losses.setdefault(name, []).append(value)
        self.learning_rate.append(learning_rate)
        for name, value in metrics.items():
            self.validation_metrics.setdefault(name, []).append(value)
        self.loss.append(loss)
        self.epoch_seconds.append(seconds)
        validation_loss, accuracy = evaluation or (None, None)
        if validation_loss is not None:
            self.validation_loss.append(validation_loss)
        if accuracy is not None:
            self.validation_accuracy.append(accuracy)
        return EpochReport(
            len(self.loss),
            epochs,
            loss,
            validation_loss,
            accuracy,
            seconds,
            self.samples,
            learning_rate,
            {**head_losses, **metrics},
        )

    @property
    def seconds(self) -> float:
        """Training time of all epochs in seconds, without validation and callbacks."""
        return sum(self.epoch_seconds)

    @property
    def samples_per_second(self) -> float:
        """Samples trained per second, over all epochs."""
        return self.samples * len(self.loss) / max(self.seconds, 1e-9)

    @property
    def gflops(self) -> float:
        """Speed of training in GFLOP/s (10^9 floating-point operations per second)."""
        return self.flops_per_sample * self.samples_per_second * 1e-9

    @property
    def peak_share(self) -> float:
        """NaN: the machine's peak is measured by the compiled core only."""
        return math.nan

    def __repr__(self) -> str:
        return (
            f"History(epochs={len(self.loss)}, loss={self.loss[0]:.4g}..{self.loss[-1]:.4g}, "
            f"seconds={self.seconds:.4g}, samples_per_second={self.samples_per_second:,.0f})"
        )
