"""Results of training: `EpochReport` after each epoch, `History` at the end, `Evaluation`."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np

from fastmlp import _validation
from fastmlp._extras import require
from fastmlp._validation.foreign_names import missing_attribute
from fastmlp.config import peak_gflops

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


StopReason: TypeAlias = Literal[
    "epochs", "early_stopping", "callback", "convergence", "iterations", "line_search", "interrupt"
]
"""What ended a fit; see `History`."""


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

    def __new__(cls, loss: float, heads: Mapping[str, Evaluation]) -> Self:
        """Create it of the total loss and the evaluation of each head."""
        self = super().__new__(cls, loss, None)
        self.heads = dict(heads)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return HeadsEvaluation, (self.loss, self.heads)

    def __repr__(self) -> str:
        return f"HeadsEvaluation(loss={self.loss!r}, heads={self.heads!r})"


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
        The learning rate at the end of the epoch; NaN if there is none.
    metrics : mapping of str to float
        The `metrics` of ``fit`` on the validation data: ``{"validation_f1": 0.9}``. Of a network
        with heads the losses and accuracies of each: "policy_loss", "validation_policy_loss", ...
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
        """Return the loss, the validation loss or accuracy, or a metric, by its name.

        Raises
        ------
        KeyError
            If the epoch has no such value.
        """
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


@dataclass(frozen=True, repr=False)
class History:
    """The history of one ``Network.fit``.

    Every list has a number for each epoch, or is empty. If a fit was resumed from a checkpoint,
    values that were not measured in an epoch are NaN.

    Attributes
    ----------
    loss : list of float
        Mean loss over the samples of each epoch, each before the step that used it.
    validation_loss : list of float
        Loss on the validation data after each epoch; empty without validation data.
    validation_accuracy : list of float
        Accuracy on the validation data after each epoch; empty without validation data and for
        regression.
    epoch_seconds : list of float
        Training time of each epoch in seconds, without validation and callbacks. Equality ignores
        it, and copies and pickles do not have it, so that equal fits give equal bytes; their
        speeds are NaN.
    samples : int
        Number of samples in an epoch.
    flops_per_sample : int
        Floating-point operations to train on one sample: 2 (2 sum K N + sum K N without the
        first layer), counting the matrix products of forward, backward and gradient. Of sparse
        features only stored elements are counted.
    dtype : dtype
        float32 or float64.
    n_threads : int
        The limit of threads during training: small steps are taken by fewer where that is faster.
        Equality ignores it, too, and in copies and pickles it is 0.
    learning_rate : list of float
        The learning rate at the end of each epoch; empty for an optimizer without one.
    validation_metrics : dict of str to list of float
        The `metrics` of ``fit`` on the validation data after each epoch: ``"validation_f1"``. Of a
        network with heads also the loss and the accuracy of each: ``"validation_policy_loss"``.
    head_losses : dict of str to list of float
        Of a network with heads, the mean loss of each in each epoch, not times its weight:
        ``"policy_loss"``.
    best_epoch : int
        The best epoch, counted from 1: by the value that early stopping monitored, else by the
        validation loss, else by the loss.
    stopped_by : str
        What ended the fit: "epochs", all that were asked for are done; "early_stopping"; or
        "callback". With `LBFGS` also "convergence"; "iterations", all that were allowed are done;
        or "line_search", which found no lower loss. After the last two L-BFGS has not converged,
        and ``fit`` warns with a `ConvergenceWarning`. Estimators of `fastmlp.sklearn` end by
        "convergence" if the loss no longer improves, and by "interrupt" after a Ctrl-C.
    message : str
        The optimizer's own message about it; empty if it has none.
    """

    loss: list[float]
    epoch_seconds: list[float] = field(compare=False)
    samples: int
    flops_per_sample: int
    dtype: np.dtype[Any]
    n_threads: int = field(compare=False)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    validation_metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_by: StopReason = "epochs"
    message: str = ""
    head_losses: dict[str, list[float]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain values without times and threads, which differ between equal fits."""
        measured = ("epoch_seconds", "peak_share", "n_threads")
        values = {name: value for name, value in vars(self).items() if name not in measured}
        return values | {"dtype": self.dtype.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        usual: dict[str, Any] = {
            "epoch_seconds": [],
            "n_threads": 0,
            "head_losses": {},
        }  # older pickles have no head_losses
        self.__dict__.update(usual | state | {"dtype": np.dtype(state["dtype"])})

    @property
    def metrics(self) -> dict[str, list[float]]:
        """All values measured in each epoch, by name: ``"loss"``, ``"validation_loss"``, ..."""
        series = {
            "loss": self.loss,
            **self.head_losses,
            "validation_loss": self.validation_loss,
            "validation_accuracy": self.validation_accuracy,
            **self.validation_metrics,
        }
        return {name: values for name, values in series.items() if values}

    def __getitem__(self, name: str) -> list[float]:
        """Return one of `metrics`, or "learning_rate" or "epoch_seconds", by its name.

        Raises
        ------
        KeyError
            If there is no such series; the message lists those there are.
        """
        series = self._series()
        try:
            return series[_validation.choice("history", name, tuple(series))]
        except ValueError as error:
            raise KeyError(str(error)) from None

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per epoch, counted from 1, and a column per series; needs pandas.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        frames = require("pandas", "History.to_pandas", "pandas")
        index = frames.RangeIndex(1, len(self.loss) + 1, name="epoch")
        return frames.DataFrame(self._series(), index=index)

    def plot(self, *names: str, ax: Axes | None = None) -> Axes:
        """Plot series over the epochs with matplotlib, and mark the best epoch.

        Parameters
        ----------
        *names : str
            As for ``history[name]``; by default the loss and the validation loss.
        ax : matplotlib Axes, optional
            The axes to draw on; None creates a figure.

        Returns
        -------
        Axes
            To add titles etc.; nothing is shown or saved.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        KeyError
            If there is no such series.
        """
        from fastmlp.plotting import plot_series  # noqa: PLC0415  (at its first use)

        series = {name: self[name] for name in names} or self._losses()
        return plot_series(series, self.best_epoch, ax)

    def _repr_html_(self) -> str:
        """Return a table of the first, the best and the last epoch, with a plot if it can be had.

        It is what a notebook shows; without matplotlib there is no plot.
        """
        epochs = sorted({1, self.best_epoch, len(self.loss)} & {*range(1, len(self.loss) + 1)})
        marks = {self.best_epoch: " (best)"}
        heads = "".join(f"<th>epoch {epoch}{marks.get(epoch, '')}</th>" for epoch in epochs)
        rows = "".join(
            f"<tr><th style='text-align: left'>{html.escape(name.replace('_', ' '))}</th>"
            + "".join(f"<td>{values[epoch - 1]:.4g}</td>" for epoch in epochs)
            + "</tr>"
            for name, values in self.metrics.items()
        )
        table = f"<table><tr><th></th>{heads}</tr>{rows}</table>"
        if self.epoch_seconds:
            table += (
                f"<p>{self.seconds:.4g} s, {self.samples_per_second:,.0f} samples/s, "
                f"{self.gflops:.4g} GFLOP/s</p>"
            )
        try:
            from fastmlp.plotting import svg_of  # noqa: PLC0415  (at its first use)

            plot = svg_of(self._losses(), self.best_epoch)
        except ImportError:
            plot = ""
        background = "background: white; display: inline-block; color: black; padding: 4px"
        return f"<div style='{background}'>{table}{plot}</div>"

    def _losses(self) -> dict[str, list[float]]:
        metrics = self.metrics
        return {name: metrics[name] for name in ("loss", "validation_loss") if name in metrics}

    def _series(self) -> dict[str, list[float]]:
        others = {"learning_rate": self.learning_rate, "epoch_seconds": self.epoch_seconds}
        return self.metrics | {name: values for name, values in others.items() if values}

    @property
    def seconds(self) -> float:
        """Training time of all epochs in seconds, without validation and callbacks."""
        return sum(self.epoch_seconds) if self.epoch_seconds else math.nan

    @property
    def samples_per_second(self) -> float:
        """Samples trained per second, over all epochs."""
        return self.samples * len(self.loss) / max(self.seconds, 1e-9)

    @property
    def gflops(self) -> float:
        """Speed of training in GFLOP/s (10^9 floating-point operations per second)."""
        return self.flops_per_sample * self.samples_per_second * 1e-9

    @cached_property
    def peak_share(self) -> float:
        """Speed as a fraction of the machine's FMA peak for this dtype and `n_threads`, 0 to 1.

        The peak is measured at the first access, which takes a moment; on a busy machine it is too
        low.
        """
        return self.gflops / peak_gflops(self.dtype.name, self.n_threads)

    if not TYPE_CHECKING:  # type checkers see only the members defined above

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute("History", name)

    def __repr__(self) -> str:
        parts = [f"epochs={len(self.loss)}", f"loss={_course(self.loss)}"]
        if self.validation_loss:
            parts.append(f"validation_loss={_course(self.validation_loss)}")
        if self.validation_accuracy:
            parts.append(f"validation_accuracy={_course(self.validation_accuracy)}")
        parts += [f"{name}={_course(each)}" for name, each in self.validation_metrics.items()]
        if self.stopped_by != "epochs":
            parts.append(f"stopped_by={self.stopped_by!r}")
        if self.epoch_seconds:
            parts += [
                f"seconds={self.seconds:.4g}",
                f"samples_per_second={self.samples_per_second:,.0f}",
                f"gflops={self.gflops:.4g}",
            ]
        return f"History({', '.join(parts)})"


def _course(values: list[float]) -> str:
    """Format the first and the last item of a list: ``2.301..0.041``."""
    first, last = f"{values[0]:.4g}", f"{values[-1]:.4g}"
    return first if len(values) == 1 else f"{first}..{last}"
